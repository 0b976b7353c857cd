import { offerOf } from './codec/index.ts';
import { loadText, showProblem, type Checked } from './config/index.ts';
import type { Config } from './config/config.ts';
import { programs } from './codec/index.ts';
import { schemes } from './config/schema.ts';
import { withoutSecrets } from './config/secrets.ts';
import {
  ControlError,
  type Control,
  type NewOrigin,
  type OriginChange,
  type Operator as Who,
} from './control/control.ts';
import { explain, type LiveOrigin } from './control/explain.ts';
import type { Overrides } from './control/overrides.ts';
import { plan, type Change } from './control/plan.ts';
import { type Moment, iso, originView, upstreamView } from './control/show.ts';
import type {
  Explanation,
  OriginView,
  PlanView,
  PoolView,
  RecordView,
  Status,
  UpstreamView,
  WaitingView,
} from './control/views.ts';
import type { Clock } from './core/clock.ts';
import { METER } from './core/meter.ts';
import { type Origin, originName, type OriginOptions, shownAddress } from './core/origin.ts';
import { figuresOf } from './figures.ts';
import { showMetrics } from './observe/metrics.ts';
import type { Sluice, Source } from './sluice.ts';
import { hasName, isOriginProblem, parseOrigin } from './upstream/origin-url.ts';
import { identityOf } from './upstream/tls/identity.ts';

/** Who asks when nobody says: the program that sluice is a library of. */
const PROGRAM = 'program';

/** The running proxy as operators see it and change it. */
export class Operator implements Control {
  readonly #sluice: Sluice;
  readonly #clock: Clock;
  readonly #version: string;
  readonly #source: Source | null;

  constructor(sluice: Sluice, clock: Clock, version: string, source: Source | null) {
    this.#sluice = sluice;
    this.#clock = clock;
    this.#version = version;
    this.#source = source;
  }

  async status(): Promise<Status> {
    const sluice = this.#sluice;
    const { shared, config } = sluice;
    const [connections, inFlight, requests] = [shared.connections(), shared.holders(), shared.counted(METER.requests)];
    return Promise.resolve({
      version: this.#version,
      node: process.versions.node,
      pid: process.pid,
      started: iso(sluice.started),
      state: sluice.draining ? 'draining' : 'running',
      file: this.#source?.file ?? null,
      loaded: iso(sluice.loaded),
      refused: sluice.reloads.refusal,
      memory: process.memoryUsage.rss(),
      threads: sluice.threads.map(({ state, restarts }, id) => ({
        id,
        state,
        restarts,
        connections: connections[id],
        inFlight: inFlight[id],
        requests: requests[id],
      })),
      listeners: config.listen.map(({ name }, index) => {
        const board = shared.listener(index);
        return {
          name,
          address: sluice.addresses[index],
          connections: board.sum(METER.held),
          opened: board.sum(METER.opened),
          refused: board.sum(METER.refused),
        };
      }),
    });
  }

  async config(): Promise<Config> {
    return Promise.resolve(withoutSecrets(this.#sluice.config));
  }

  async upstreams(): Promise<UpstreamView[]> {
    const moment = this.#moment();
    const views = Object.keys(this.#sluice.config.upstreams).map((name) => this.#upstream(name, moment));
    return Promise.resolve(views);
  }

  async addOrigin(upstream: string, origin: NewOrigin, ttl?: number, who: Who = PROGRAM): Promise<OriginView> {
    const { url, weight, backup, maxConnections } = origin;
    const address = parseOrigin(url, schemes, programs);
    if (isOriginProblem(address)) throw new ControlError('invalid', `url: ${address.message}`);
    // Who may move requests about should not thereby be able to run what he likes.
    if (address.program !== undefined) {
      throw new ControlError(
        'invalid',
        `url: ${originName(address)} is a program; which are run is said in the config only`,
      );
    }
    if (hasName(address) || address.srv === true) {
      const message = `url: ${address.host} is a name; an origin that is added by hand is an address, names belong into the config`;
      throw new ControlError('invalid', message);
    }
    const name = originName(address);
    const plain = weight === undefined && backup === undefined && maxConnections === undefined && ttl === undefined;
    const options: OriginOptions = {
      url,
      address,
      weight: weight ?? 1,
      backup: backup ?? false,
      ...(maxConnections === undefined ? {} : { maxConnections }),
    };
    await this.#change(
      upstream,
      name,
      `add ${name}${shown({ weight, backup, maxConnections, ttl })}`,
      who,
      (before, where) => {
        if (where.inForce)
          throw new ControlError('conflict', `${upstream} has ${name} already; its weight and state can be changed`);
        // What was removed by hand comes back as the config has it.
        if (plain && where.configured) return before.without(upstream, name);
        return before.with({ upstream, origin: name, kind: 'added', options, until: this.#until(ttl) });
      },
    );
    return this.#origin(upstream, name);
  }

  async changeOrigin(
    upstream: string,
    given: string,
    { state, weight }: OriginChange,
    ttl?: number,
    who: Who = PROGRAM,
  ): Promise<OriginView> {
    const origin = this.#named(upstream, given);
    const one = { upstream, origin, until: this.#until(ttl) };
    const what = [...(state === undefined ? [] : [state]), ...(weight === undefined ? [] : [`weight ${weight}`])];
    await this.#change(
      upstream,
      origin,
      `set ${origin} ${what.join(', ')}${shown({ ttl })}`,
      who,
      (before, { inForce }) => {
        if (!inForce) throw this.#unknown(upstream, origin);
        let after = before;
        if (state === 'draining') after = after.with({ ...one, kind: 'drained' });
        if (state === 'up') after = after.without(upstream, origin, 'drained');
        if (weight !== undefined) after = after.with({ ...one, kind: 'weight', weight });
        return after;
      },
    );
    return this.#origin(upstream, origin);
  }

  async removeOrigin(upstream: string, given: string, ttl?: number, who: Who = PROGRAM): Promise<void> {
    const origin = this.#named(upstream, given);
    await this.#change(upstream, origin, `remove ${origin}${shown({ ttl })}`, who, (before, where) => {
      if (!where.inForce) throw this.#unknown(upstream, origin);
      // What came by hand only goes without a trace.
      if (!where.configured) return before.without(upstream, origin);
      return before.with({ upstream, origin, kind: 'removed', until: this.#until(ttl) });
    });
  }

  async restart(upstream: string, who: Who = PROGRAM): Promise<PoolView[]> {
    this.#known(upstream);
    if (!this.#sluice.children.restart(upstream)) {
      throw new ControlError('conflict', `${upstream} has no processes that sluice has started: nothing to restart`);
    }
    this.#sluice.say('info', 'audit', `${upstream}: restart (${who})`);
    return Promise.resolve(this.#sluice.children.poolsOf(upstream));
  }

  async reload(text?: string, who: Who = PROGRAM): Promise<PlanView> {
    const config = text === undefined ? await this.#read() : await this.#parse(text);
    try {
      const ending = this.#ending();
      const changes = await this.#sluice.reload(config);
      const count = `${changes.length} change${changes.length === 1 ? '' : 's'}`;
      this.#sluice.say(
        'info',
        'audit',
        `reload${text === undefined ? '' : ' with a config that was sent'}, ${count} (${who})`,
      );
      return { changes: changes.map((change) => ({ ...change, connections: ending(change) })) };
    } catch (error) {
      throw refusal(error);
    }
  }

  async plan(text: string): Promise<PlanView> {
    const { config } = this.#sluice;
    const changes = plan(config, this.#sluice.preview(await this.#parse(text)));
    const ending = this.#ending();
    return { changes: changes.map((change) => ({ ...change, connections: ending(change) })) };
  }

  async waiting(upstream: string, most: number): Promise<WaitingView[]> {
    this.#known(upstream);
    const now = this.#clock.now();
    const list = await this.#sluice.queue(upstream, most);
    return list.map(({ since, deadline, ...request }) => ({
      ...request,
      waited: span(now - since),
      left: span(deadline - now),
    }));
  }

  records(most: number): Promise<RecordView[]> {
    return this.#sluice.records(most);
  }

  async record(id: string): Promise<RecordView> {
    const found = await this.#sluice.record(id);
    if (found === undefined) {
      throw new ControlError(
        'not-found',
        `no failed or slow request ${JSON.stringify(id)} is remembered; the access log may have it`,
      );
    }
    return found;
  }

  async explain(
    method: string,
    url: string,
    fields: readonly (readonly [string, string])[],
    client?: string,
  ): Promise<Explanation> {
    const live = (upstream: string): LiveOrigin[] | undefined =>
      this.#sluice.shared.origins.get(upstream)?.map((origin) => ({
        name: origin.name,
        address: origin.address,
        state: origin.state,
        fault: origin.fault,
        inFlight: origin.inFlight,
        weight: this.#sluice.weightOf(upstream, origin),
        backup: origin.backup,
        reason: this.#sluice.reason(upstream, origin.name)?.why ?? '',
        child: this.#sluice.children.childOf(upstream, origin.name)?.shown,
      }));
    return Promise.resolve(explain(this.#sluice.config, { method, url, fields, client }, this.#clock, live));
  }

  async metrics(): Promise<string> {
    return Promise.resolve(showMetrics(figuresOf(this.#sluice, this.#version, this.#clock)));
  }

  /** Lays one change over the config. `decide` gets what operators have changed, and where the origin is. */
  async #change(
    upstream: string,
    origin: string,
    what: string,
    who: Who,
    decide: (before: Overrides, where: { readonly inForce: boolean; readonly configured: boolean }) => Overrides,
  ): Promise<void> {
    try {
      await this.#sluice.override((before, below) => {
        this.#known(upstream);
        const inForce = this.#find(upstream, origin) !== undefined;
        const configured = below.upstreams[upstream].origins.some(({ address }) => originName(address) === origin);
        return decide(before, { inForce, configured });
      });
    } catch (error) {
      throw refusal(error);
    }
    this.#sluice.say('info', 'audit', `${upstream}: ${what} (${who})`);
  }

  #until(ttl: number | undefined): number | null {
    return ttl === undefined ? null : this.#clock.wall() + ttl;
  }

  #moment(): Moment {
    return { wall: this.#clock.wall(), now: this.#clock.now() };
  }

  #upstream(name: string, moment: Moment): UpstreamView {
    const { shared, config } = this.#sluice;
    const origins = (shared.origins.get(name) ?? []).map((origin) => this.#view(name, origin, moment));
    const pools = this.#sluice.children.poolsOf(name);
    return upstreamView(name, config.upstreams[name], shared.upstream(name), origins, pools, moment);
  }

  #origin(upstream: string, name: string): OriginView {
    const origin = this.#find(upstream, name);
    if (origin === undefined) throw this.#unknown(upstream, name);
    return this.#view(upstream, origin, this.#moment());
  }

  #view(upstream: string, origin: Origin, moment: Moment): OriginView {
    const sluice = this.#sluice;
    const override = sluice.overrides.get(upstream, origin.name);
    const child = sluice.children.childOf(upstream, origin.name);
    const from = child !== undefined ? 'spawn' : origin.address.ip === undefined ? 'config' : 'dns';
    const facts = {
      source: override?.added !== undefined ? 'admin' : from,
      child,
      tls:
        offerOf(origin.address.scheme) === null
          ? null
          : identityOf(sluice.config.upstreams[upstream].tls, origin.address),
      reason: sluice.reason(upstream, origin.name),
      check: sluice.checked(upstream, origin),
      override,
      started: sluice.started,
      weight: sluice.weightOf(upstream, origin),
    } as const;
    return originView(origin, facts, moment);
  }

  #find(upstream: string, name: string): Origin | undefined {
    return this.#sluice.shared.origins.get(upstream)?.find((origin) => origin.name === name);
  }

  /** Origins go by their name; as they are shown they are understood as well. */
  #named(upstream: string, given: string): string {
    const origins = this.#sluice.shared.origins.get(upstream) ?? [];
    return origins.find(({ address }) => shownAddress(address) === given)?.name ?? given;
  }

  #known(upstream: string): void {
    const { upstreams } = this.#sluice.config;
    if (Object.hasOwn(upstreams, upstream)) return;
    const names = Object.keys(upstreams).join(', ');
    throw new ControlError(
      'not-found',
      `there is no upstream ${JSON.stringify(upstream)}; there are: ${names || 'none'}`,
    );
  }

  #unknown(upstream: string, origin: string): ControlError {
    const names = (this.#sluice.shared.origins.get(upstream) ?? []).map(({ name }) => name).join(', ');
    return new ControlError(
      'not-found',
      `${upstream} has no origin ${JSON.stringify(origin)}; it has: ${names || 'none'}`,
    );
  }

  async #read(): Promise<Config> {
    if (this.#source === null) {
      throw new ControlError('unavailable', 'the config did not come from a file: send the text of one');
    }
    return accepted(await this.#source.read(), (told) => this.#sluice.refused(told));
  }

  async #parse(text: string): Promise<Config> {
    return accepted(await loadText(text), () => {});
  }

  /** For a change to what is in force now: how many open connections end because of it, once they have drained. */
  #ending(): (change: Change) => number | null {
    const { shared, config } = this.#sluice;
    const listeners = new Map(config.listen.map(({ name }, index) => [name, shared.listener(index).sum(METER.held)]));
    const origins = [...shared.origins].flatMap(([upstream, list]) =>
      list.map(({ name, board }) => ({ upstream, name: `${upstream} ${name}`, open: board.sum(METER.connections) })),
    );
    return ({ action, what, name }) => {
      if (action !== 'remove') return 0;
      if (what === 'listener') return listeners.get(name) ?? null;
      const gone = origins.filter((one) => (what === 'upstream' ? one.upstream : one.name) === name);
      return gone.reduce((sum, { open }) => sum + open, 0);
    };
  }
}

/** ` weight 2, backup`: what was asked for beside the origin, for the audit. */
function shown(asked: Readonly<Record<string, number | boolean | undefined>>): string {
  const words = Object.entries(asked).flatMap(([name, value]) => {
    if (value === undefined || value === false) return [];
    if (value === true) return [name];
    return [name === 'ttl' ? `for ${String(value)} ms` : `${name} ${String(value)}`];
  });
  return words.length === 0 ? '' : `, ${words.join(', ')}`;
}

/** Milliseconds with three decimals; clocks of threads may differ by a little. */
function span(ms: number): number {
  return Math.max(0, Math.round(ms * 1000) / 1000);
}

function accepted(checked: Checked, refused: (told: string) => void): Config {
  if (checked.config !== undefined) return checked.config;
  const told = checked.problems.map(showProblem);
  refused(told[0]);
  throw new ControlError('invalid', 'the config is wrong, nothing was changed', told);
}

/** Whatever prevents a change, as operators are told of it. */
function refusal(error: unknown): ControlError {
  if (error instanceof ControlError) return error;
  const { message } = error as Error;
  return new ControlError('conflict', `nothing was changed: ${message}`);
}
