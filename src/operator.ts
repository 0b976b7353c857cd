import { loadText, showProblem, type Checked } from './config/index.ts';
import type { Config } from './config/config.ts';
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
import type { Override } from './control/overrides.ts';
import { plan, type Change } from './control/plan.ts';
import { type Moment, iso, originView, upstreamView } from './control/show.ts';
import type {
  Explanation,
  OriginView,
  PlanView,
  RecordView,
  Status,
  UpstreamView,
  WaitingView,
} from './control/views.ts';
import type { Clock } from './core/clock.ts';
import { METER } from './core/meter.ts';
import { type Origin, originName, type OriginOptions } from './core/origin.ts';
import { figuresOf } from './figures.ts';
import { showMetrics } from './observe/metrics.ts';
import type { Sluice, Source } from './sluice.ts';
import { hasName, isOriginProblem, parseOrigin } from './upstream/origin-url.ts';

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
    const [connections, inFlight, requests] = [
      shared.ofListeners(METER.held),
      shared.holders(),
      shared.ofListeners(METER.requests),
    ];
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

  async addOrigin(upstream: string, origin: NewOrigin, ttl: number | undefined, who: Who): Promise<OriginView> {
    const { url, weight = 1, backup = false, maxConnections } = origin;
    const address = parseOrigin(url, schemes);
    if (isOriginProblem(address)) throw new ControlError('invalid', `url: ${address.message}`);
    if (hasName(address) || address.srv === true) {
      const message = `url: ${address.host} is a name; an origin that is added by hand is an address, names belong into the config`;
      throw new ControlError('invalid', message);
    }
    const name = originName(address);
    const added: OriginOptions = {
      url,
      address,
      weight,
      backup,
      ...(maxConnections === undefined ? {} : { maxConnections }),
    };
    await this.#change(upstream, name, `add ${name}`, who, (before, there) => {
      if (there)
        throw new ControlError('conflict', `${upstream} has ${name} already; its weight and state can be changed`);
      // What was removed by hand comes back as the config has it.
      return before?.removed === true && before.added === undefined && weight === 1
        ? null
        : { added, until: this.#until(ttl) };
    });
    return this.#origin(upstream, name);
  }

  async changeOrigin(
    upstream: string,
    origin: string,
    { state, weight }: OriginChange,
    ttl: number | undefined,
    who: Who,
  ): Promise<OriginView> {
    const what = [...(state === undefined ? [] : [state]), ...(weight === undefined ? [] : [`weight ${weight}`])];
    await this.#change(upstream, origin, `set ${origin} ${what.join(', ')}`, who, (before, there) => {
      if (!there) throw this.#unknown(upstream, origin);
      const drained = state === undefined ? before?.drained === true : state === 'draining';
      const share = weight ?? before?.weight;
      // Back to what the config says.
      if (!drained && share === undefined && before?.added === undefined) return null;
      return {
        ...(before?.added === undefined ? {} : { added: before.added }),
        ...(drained ? { drained } : {}),
        ...(share === undefined ? {} : { weight: share }),
        until: ttl === undefined && before !== undefined ? before.until : this.#until(ttl),
      };
    });
    return this.#origin(upstream, origin);
  }

  async removeOrigin(upstream: string, origin: string, ttl: number | undefined, who: Who): Promise<void> {
    await this.#change(upstream, origin, `remove ${origin}`, who, (before, there) => {
      if (!there) throw this.#unknown(upstream, origin);
      // What came by hand only goes without a trace.
      return before?.added === undefined ? { removed: true, until: this.#until(ttl) } : null;
    });
  }

  async reload(text: string | undefined, who: Who): Promise<PlanView> {
    const config = text === undefined ? await this.#read() : await this.#parse(text);
    try {
      const before = this.#sluice.config;
      const changes = await this.#sluice.reload(config);
      this.#sluice.say('info', 'audit', `${who}: reload, ${changes.length} changes`);
      return { changes: changes.map((change) => ({ ...change, connections: this.#ending(change, before) })) };
    } catch (error) {
      throw refusal(error);
    }
  }

  async plan(text: string): Promise<PlanView> {
    const { config } = this.#sluice;
    const changes = plan(config, this.#sluice.preview(await this.#parse(text)));
    return { changes: changes.map((change) => ({ ...change, connections: this.#ending(change, config) })) };
  }

  async waiting(upstream: string, most: number): Promise<WaitingView[]> {
    this.#known(upstream);
    const now = this.#clock.now();
    const list = await this.#sluice.queue(upstream, most);
    return list.map(({ since, deadline, ...request }) => ({
      ...request,
      waited: Math.max(0, now - since),
      left: Math.max(0, deadline - now),
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
        inFlight: origin.inFlight,
        weight: this.#sluice.weightOf(upstream, origin),
        backup: origin.backup,
        reason: this.#sluice.reason(upstream, origin.name)?.why ?? '',
      }));
    return Promise.resolve(explain(this.#sluice.config, { method, url, fields, client }, this.#clock, live));
  }

  async metrics(): Promise<string> {
    return Promise.resolve(showMetrics(figuresOf(this.#sluice, this.#version, this.#clock)));
  }

  /** Lays one change over the config. `decide` gets what operators have said of the origin, and whether it is in force. */
  async #change(
    upstream: string,
    origin: string,
    what: string,
    who: Who,
    decide: (before: Override | undefined, there: boolean) => Omit<Override, 'upstream' | 'origin'> | null,
  ): Promise<void> {
    try {
      await this.#sluice.override((overrides) => {
        this.#known(upstream);
        const there = this.#find(upstream, origin) !== undefined;
        const made = decide(overrides.get(upstream, origin), there);
        return made === null ? overrides.without(upstream, origin) : overrides.with({ upstream, origin, ...made });
      });
    } catch (error) {
      throw refusal(error);
    }
    this.#sluice.say('info', 'audit', `${who}: ${upstream}: ${what}`);
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
    return upstreamView(name, config.upstreams[name], shared.upstream(name), origins, moment);
  }

  #origin(upstream: string, name: string): OriginView {
    const origin = this.#find(upstream, name);
    if (origin === undefined) throw this.#unknown(upstream, name);
    return this.#view(upstream, origin, this.#moment());
  }

  #view(upstream: string, origin: Origin, moment: Moment): OriginView {
    const sluice = this.#sluice;
    const override = sluice.overrides.get(upstream, origin.name);
    const source = override?.added !== undefined ? 'admin' : origin.address.ip === undefined ? 'config' : 'dns';
    const facts = {
      source,
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

  /** Open connections that a change ends, once they have drained. */
  #ending({ action, what, name }: Change, before: Config): number | null {
    if (action !== 'remove') return 0;
    const { shared } = this.#sluice;
    if (what === 'listener') {
      const index = before.listen.findIndex((one) => one.name === name);
      return index < 0 ? null : shared.listener(index).sum(METER.held);
    }
    const [upstream, origin] = name.split(' ');
    const gone = shared.origins.get(upstream)?.filter((one) => what === 'upstream' || one.name === origin) ?? [];
    return gone.reduce((sum, { board }) => sum + board.sum(METER.connections), 0);
  }
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
