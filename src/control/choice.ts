import type { UpstreamConfig } from '../config/config.ts';
import type { Clock } from '../core/clock.ts';
import { errors } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Origin, OriginState } from '../core/origin.ts';
import type { Ask } from '../balance/balancer.ts';
import { findBalancer } from '../balance/index.ts';
import { keyOf } from '../upstream/key.ts';
import type { Explanation } from './views.ts';

/** An origin, and what is known of it beside. */
export interface KnownOrigin {
  readonly origin: Origin;
  /** What it is called: a process that is not there has no address yet that could name it. */
  readonly name: string;
  /** For people. */
  readonly address: string;
  /** Why it is in its state; '' when there is nothing to say. */
  readonly reason: string;
  /** The process that it is. */
  readonly child: string | null;
}

/** A balancer's choice, and what it had to choose from. */
interface Chosen {
  readonly key: string;
  readonly origins: Explanation['origins'];
  readonly origin: Origin | null;
  /** What `origins` call it. */
  readonly pick: string | null;
  readonly because: string;
}

const WHY: Readonly<Record<OriginState, string>> = {
  up: '',
  full: 'it has as many requests in flight as it may',
  down: 'it is down',
  draining: 'it is draining: it takes nothing new',
};

/** Asks the upstream's own policy, the way the line does: the backups only when nobody else is usable. */
export function choose(
  { balance, queue, children }: UpstreamConfig,
  there: readonly KnownOrigin[],
  { request, remote }: Exchange,
  clock: Clock,
): Chosen {
  const kind = findBalancer(balance.name);
  if (kind === undefined) throw new Error(`no balancer is called ${balance.name}`);
  const balancer = kind.create(balance.options, clock);
  const all = there.map((one) => one.origin);
  balancer.update(all);
  const key = keyOf(balancer.key, request, remote);
  const mayBe = (backups: boolean) => (origin: Origin) => origin.state === 'up' && (backups || !origin.backup);
  const ask = (backups: boolean): Ask => ({ key, authority: request.authority, usable: mayBe(backups) });
  const primary = balancer.pick(ask(false));
  const origin = primary ?? balancer.pick(ask(true)) ?? null;
  const backups = primary === undefined;
  const usable = all.filter(mayBe(backups));
  const pick = there.find((one) => one.origin === origin)?.name ?? null;
  const origins = there.map(({ origin: one, name, address, reason, child }) => ({
    name,
    address,
    child,
    weight: one.weight,
    state: one.state,
    inFlight: one.inFlight,
    usable: usable.includes(one),
    why:
      one.state !== 'up'
        ? `${WHY[one.state]}${reason === '' ? '' : ` (${reason})`}`
        : usable.includes(one)
          ? ''
          : 'a backup: others are usable',
  }));
  return { key, origins, origin, pick, because: reason() };

  function reason(): string {
    if (origin === null) return nobody(all, queue.size, children);
    const backup = origin.backup ? ', a backup, because no other is' : '';
    if (usable.length === 1) return `it is the only usable one${backup}`;
    // Those without a share count only when nobody has one.
    const shares = usable.filter((one) => one.weight > 0 === origin.weight > 0);
    return `${kind?.because(balance.options, { key, origin, usable: shares })}${backup}`;
  }
}

function nobody(all: readonly Origin[], size: number, children: UpstreamConfig['children']): string {
  const none = all.every(({ state }) => state === 'draining');
  if (none && children?.state === 'come')
    return `no process is ready: it waits in the queue (of at most ${size}) until one is`;
  if (none && children !== undefined) return `no process is started any more (${children.why}): 503 children-stopped`;
  if (none) return 'there is no origin that could ever take it: 503 no-origin';
  const faults = all
    .filter(({ state }) => state !== 'draining')
    .map(({ state, fault }) => (state === 'down' ? fault : ''));
  const fault = faults.at(-1) ?? '';
  if (fault !== '' && !faults.includes('') && children?.state !== 'come') {
    return `nobody can be connected to, and waiting does not mend that: ${errors[fault].status} ${fault}`;
  }
  return `nobody is usable now: it waits in the queue (of at most ${size}) until one is, and is answered 504 when that takes too long`;
}
