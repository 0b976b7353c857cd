import { isDeepStrictEqual } from 'node:util';
import { Administration, UNTOUCHED } from './administration.ts';
import { Checks } from './checks.ts';
import { Children } from './children.ts';
import { advice, type Checked } from './config/index.ts';
import type { Config } from './config/config.ts';
import { Overrides } from './control/overrides.ts';
import { type Change, plan, showChange } from './control/plan.ts';
import { unverified } from './control/unverified.ts';
import type { OriginView, RecordView } from './control/views.ts';
import { type Clock, systemClock } from './core/clock.ts';
import type { Origin } from './core/origin.ts';
import { type Bound, DataPlane, type Surroundings, type Turned } from './data-plane.ts';
import { Discovery } from './discovery.ts';
import { Logs, type PreparedLogs } from './observe/logs.ts';
import type { Messages } from './observe/messages.ts';
import { Operator } from './operator.ts';
import { makePlanes } from './planes.ts';
import { SharedState } from './shared-state.ts';
import { Fleet, type ThreadState } from './threads/fleet.ts';
import type { Waiting } from './upstream/backlog.ts';
import { rested, tryAgain } from './upstream/health.ts';
import { type Upstream, warmth } from './upstream/upstream.ts';
import { version } from './version.ts';

export type { Surroundings } from './data-plane.ts';

/** Where the config comes from, to be read again. */
export interface Source {
  /** The file's name. */
  readonly file: string;
  read(): Promise<Checked>;
}

/** How this process stands to others. */
export interface Standing {
  /** Other processes of the same user may join its addresses, to take its place. */
  readonly sharing?: boolean;
  /** Where the config comes from, to be read again. */
  readonly source?: Source;
  /** It takes the place of a process that still listens on its addresses. */
  readonly takeover?: boolean;
}

/** Why an origin is in its state, and since when in wall time. */
export interface Reason {
  readonly why: string;
  readonly at: number;
}

/** How often what comes due is looked for, in milliseconds. */
const ROUND = 500;

/**
 * One running proxy: the control plane. It has the config, decides what is in force, and drives the data planes of all
 * threads.
 */
export class Sluice {
  readonly #clock: Clock;
  readonly #surroundings: Surroundings;
  readonly #standing: Standing;
  /** For sluice's own messages; requests are logged where they are served. */
  readonly #logs: Logs;
  readonly #discovery: Discovery;
  readonly #checks: Checks;
  /** The processes that it starts itself. */
  readonly children: Children;
  readonly #administration: Administration;
  /** This proxy as operators see it and change it. */
  readonly operator: Operator;
  /** Wall time of the start. */
  readonly started: number;
  /** What threads share. */
  readonly shared: SharedState;
  #plane: DataPlane | Fleet | null = null;
  /** As it was given. */
  #given: Config;
  #overrides = new Overrides();
  /** What is in force: what was given, names resolved, with what operators have changed. */
  #config: Config;
  #loaded: number;
  /** How reloads went; `refusal`: why the last one was refused, `null` when it was not. */
  readonly reloads: { done: number; refused: number; refusal: string | null } = { done: 0, refused: 0, refusal: null };
  #bound: Bound = [];
  /** Why each origin is in its state, by upstream and origin. */
  readonly #reasons = new Map<string, Reason>();
  #turns: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #rounds: (() => void) | null = null;
  /** Operators' changes are being ended. */
  #ending = false;

  /** Throws the system's error when the error log cannot be opened. */
  constructor(config: Config, surroundings: Surroundings = {}, standing: Standing = {}) {
    this.#clock = surroundings.clock ?? systemClock;
    this.#surroundings = surroundings;
    this.#standing = standing;
    this.#logs = new Logs({ ...config.log, access: 'off' }, this.#clock, surroundings.messages ?? null);
    this.#discovery = new Discovery(
      config.resolver,
      this.#clock,
      this.say,
      () => void this.#originsChanged('names').catch(() => {}),
    );
    this.started = this.#loaded = this.#clock.wall();
    this.#given = config;
    // Before there are children: a config without their origins.
    this.#config = this.#discovery.expand(config, null);
    this.shared = new SharedState(this.#config);
    const changed = (): Promise<void> => this.#originsChanged('children');
    this.children = new Children({ clock: this.#clock, shared: this.shared, say: this.say, changed });
    this.#config = this.#expand(config, null);
    const turned: Turned = (...turn) => this.#turned(...turn);
    const { source = null } = standing;
    this.operator = new Operator(this, this.#clock, version, source);
    this.#administration = new Administration({ control: this.operator, clock: this.#clock, version, say: this.say });
    this.#checks = new Checks(this.#clock, this.shared, turned, (error) => this.report(error));
  }

  /** The config as it was given. */
  get given(): Config {
    return this.#given;
  }

  /** The config in force: what was given, names resolved, with what operators have changed. */
  get config(): Config {
    return this.#config;
  }

  /** Wall time since which the given config is in force. */
  get loaded(): number {
    return this.#loaded;
  }

  get overrides(): Overrides {
    return this.#overrides;
  }

  get draining(): boolean {
    return this.#closing !== null;
  }

  /** The addresses in use, in the config's order. */
  get addresses(): string[] {
    return (this.fleet?.bound ?? this.#bound).map((one) => one?.url ?? '');
  }

  /** The upstreams by name, when they are in this thread: to be looked at. */
  get upstreams(): ReadonlyMap<string, Upstream> {
    return this.#plane instanceof DataPlane ? this.#plane.upstreams : new Map();
  }

  /** The threads that serve. */
  get threads(): readonly { readonly state: ThreadState; readonly restarts: number }[] {
    return this.fleet?.threads ?? [{ state: this.draining ? 'draining' : 'serving', restarts: 0 }];
  }

  /** The fleet of threads; `null` when there is only this one. */
  get fleet(): Fleet | null {
    return this.#plane instanceof Fleet ? this.#plane : null;
  }

  /**
   * Resolves names and binds all listeners, or none: rejects with the system's error of the first that cannot be, or of a
   * log file that cannot be opened.
   */
  async open(): Promise<void> {
    try {
      // In turn, so that a close that comes meanwhile finds all or nothing of it.
      await this.#inTurn(() => this.#open());
    } catch (error) {
      await this.close(0);
      throw error;
    }
    this.#checks.update(this.#config);
    this.children.update(this.#given, this.#config);
    this.#warn([]);
    void this.#advise();
    this.#rounds = this.#clock.every(ROUND, () => this.#round());
  }

  /**
   * Goes over to another config while requests are in hand. What did not change is not touched: its connections, pools,
   * health and queue live on. What is gone takes nothing new and may finish within the old `timeouts.drain`. When
   * something cannot be done (an address is taken, a log file cannot be opened), nothing changes and this rejects.
   * Reloads run one after the other.
   *
   * @returns what was changed
   */
  reload(config: Config): Promise<Change[]> {
    const turn = this.#inTurn(async () => {
      if (config.threads !== this.#given.threads) {
        throw new Error(
          'the number of threads cannot change while they run: restart sluice, or leave `threads` as it is',
        );
      }
      const warned = unverified(this.#given);
      const changes = await this.#resolved(config, () => this.#apply(config, this.#lasting(), true));
      this.#warn(warned);
      void this.#advise();
      this.#loaded = this.#clock.wall();
      this.#tell('reload', changes);
      this.say('info', 'reload', changes.length === 0 ? 'nothing has changed' : 'done');
      this.reloads.done++;
      this.reloads.refusal = null;
      return changes;
    });
    turn.catch((error: Error) => this.refused(error.message));
    return turn;
  }

  /**
   * Lays an operator's changes over the config, in all threads. Like a reload it does all or nothing, and waits for its
   * turn; `change` is called when that has come, with what operators have said and what lies below it, and may throw.
   */
  override(change: (overrides: Overrides, below: Config) => Overrides): Promise<Change[]> {
    return this.#inTurn(() => {
      const below = this.#expand(this.#given, this.#config);
      return this.#apply(this.#given, change(this.#overrides, below));
    });
  }

  /** The requests that wait for an upstream, longest wait first. */
  async queue(upstream: string, most: number): Promise<Waiting[]> {
    return (await this.#plane?.waiting(upstream, most)) ?? [];
  }

  /** The active check's last word about an origin. */
  checked(upstream: string, origin: Origin): OriginView['check'] {
    return this.#checks.last(upstream, origin);
  }

  /** The last failed and slow requests, newest first. */
  async records(most: number): Promise<RecordView[]> {
    return (await this.#plane?.records(most)) ?? [];
  }

  /** The failed or slow request of this id. */
  async record(id: string): Promise<RecordView | undefined> {
    return (await this.records(Infinity)).find((record) => record.id === id);
  }

  /** Why an origin is in its state; `undefined` when it has been up from the start. */
  reason(upstream: string, origin: string): Reason | undefined {
    return this.#reasons.get(`${upstream} ${origin}`);
  }

  /** What a reload with this config would put in force, as far as its names are known. */
  preview(config: Config): Config {
    return this.#lasting().over(this.#expand(config, this.#config));
  }

  /** The share of the load that an origin has now. */
  weightOf(upstream: string, origin: Origin): number {
    const slowStart = this.#config.upstreams[upstream]?.slowStart ?? 0;
    return origin.fullWeight * warmth(origin.since, this.#clock.now(), slowStart);
  }

  /** A reload was refused before it began: its config is wrong. */
  refused(why: string): void {
    this.reloads.refused++;
    this.reloads.refusal = why;
  }

  /** Logs a defect that nobody caught. */
  report(error: unknown): void {
    this.say('error', 'internal', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  /** Says something in sluice's own log. */
  say: Messages['say'] = (level, code, message) => this.#logs.say(level, code, message);

  /** Writes what the logs still hold and opens their files anew. */
  reopenLogs(): void {
    this.#logs.reopen();
    void Promise.resolve(this.#plane?.reopenLogs()).catch((error: unknown) => this.report(error));
  }

  /**
   * Stops: no new connections or requests, those in hand may end within `grace` milliseconds (default
   * `timeouts.drain`), the rest is cut. Calling it again with 0 cuts at once.
   *
   * @param handover another process has joined the addresses, and is to get everybody who comes from now on
   */
  close(grace: number = this.#config.timeouts.drain, handover = false): Promise<void> {
    if (grace <= 0) {
      if (this.#closing !== null) void this.#plane?.close(0).catch(() => {});
      this.children.hurry();
    }
    this.children.freeze();
    this.#closing ??= this.#turns.then(async () => {
      this.#rounds?.();
      this.#checks.close();
      await Promise.all([this.#administration.close(), this.#plane?.close(grace, handover)]);
      await this.children.close();
      await this.#logs.close();
    });
    // A start or a reload that waits for names waits no longer.
    this.#discovery.close();
    return this.#closing;
  }

  async #open(): Promise<void> {
    const plane = await this.#resolved(this.#given, () => {
      this.#config = this.#expand(this.#given, null);
      const boards = this.shared.for(this.#config);
      this.#checks.block(this.#config, boards);
      this.shared.use(this.#config, boards);
      const control = { clock: this.#clock, logs: this.#logs, shared: this.shared, surroundings: this.#surroundings };
      const { sharing = false, takeover = false } = this.#standing;
      const turned: Turned = (...turn) => this.#turned(...turn);
      return (this.#plane = makePlanes({ ...control, turned, inForce: () => this.#config }, sharing, takeover));
    });
    // Whoever is to be replaced serves until these can.
    if (this.#standing.takeover === true) await this.children.began(this.#given, this.#config);
    this.#bound = await plane.open([]);
    this.#refuseWhenClosing();
    await this.#administration.open(this.#config.admin, this.#standing.takeover === true);
    this.#refuseWhenClosing();
  }

  /** What operators have changed and a reload does not end. What is over by now is ended by the next round, which says so. */
  #lasting(): Overrides {
    return this.#overrides.afterReload();
  }

  #inTurn<Value>(run: () => Promise<Value>): Promise<Value> {
    const turn = this.#turns.then(() => {
      this.#refuseWhenClosing();
      return run();
    });
    this.#turns = turn.catch(() => {});
    return turn;
  }

  /** Throws once it is to end: what is begun now would be left over. */
  #refuseWhenClosing(): void {
    if (this.#closing !== null) throw new Error('sluice is shutting down: it takes no new config');
  }

  /** Has a config's names resolved and puts it in force; when that fails, the names are those of before again. */
  async #resolved<Value>(config: Config, use: () => Value | Promise<Value>): Promise<Value> {
    try {
      await this.#discovery.ready(config);
      this.#refuseWhenClosing();
      return await use();
    } finally {
      this.#discovery.settle(this.#given);
    }
  }

  /**
   * Puts another config in force, in all threads; or rejects, and changes nothing.
   *
   * @param reload somebody has asked for it. The admin interface goes along, and reads its token again: names and operators'
   *   changes, which leave it as it is, must not fail because of it
   */
  async #apply(given: Config, overrides: Overrides, reload = false): Promise<Change[]> {
    const before = this.#config;
    const config = overrides.over(this.#expand(given, before));
    const changes = plan(before, config);
    const plane = this.#plane;
    if (plane === null) throw new Error('sluice is not open');
    const admin = reload ? await this.#administration.prepare(config.admin) : UNTOUCHED;
    if (!isDeepStrictEqual(config, before)) {
      const boards = this.shared.for(config);
      let logs: PreparedLogs | null = null;
      try {
        this.#checks.block(config, boards);
        logs = this.#logs.prepare({ ...config.log, access: 'off' });
        this.#bound = await plane.prepare(config, boards, []);
      } catch (error) {
        logs?.abort();
        await admin.abort();
        throw error;
      }
      logs.commit();
      // All at once, so that nobody who looks sees one without the other.
      this.#config = config;
      this.#given = given;
      this.#overrides = overrides;
      this.shared.use(config, boards);
      for (const key of this.#reasons.keys()) if (!boards.has(`origin ${key}`)) this.#reasons.delete(key);
      await plane.commit();
      this.#checks.update(config);
    }
    admin.commit();
    this.#given = given;
    this.#overrides = overrides;
    this.children.update(given, config, reload);
    if (reload) this.#lookAgain();
    return changes;
  }

  /** Somebody has asked for it, perhaps because he has mended what kept everybody from connecting to some origins. */
  #lookAgain(): void {
    for (const [upstream, origins] of this.shared.origins) {
      for (const origin of origins) {
        if (origin.fault === '') continue;
        origin.fault = '';
        this.#tryAgain(upstream, origin);
      }
    }
  }

  /** It has rested enough, or there is a reason to hope. */
  #tryAgain(upstream: string, origin: Origin): void {
    if (!tryAgain(origin, this.#clock.now())) return;
    this.#turned(upstream, origin.name, origin.state, rested(origin));
    this.shared.stir(upstream);
  }

  /** A config with the origins that its names lead to, and those that its children are. */
  #expand(config: Config, before: Config | null): Config {
    return this.children.expand(this.#discovery.expand(config, before));
  }

  /** Names lead elsewhere than before, or there are other children. */
  async #originsChanged(code: 'names' | 'children'): Promise<void> {
    if (this.#plane === null || this.#closing !== null) return;
    try {
      this.#tell(code, await this.#inTurn(() => this.#apply(this.#given, this.#overrides)));
    } catch (error) {
      if (this.#closing !== null) return;
      this.report(error);
      throw error;
    }
  }

  /** @param said upstreams of which it has been said */
  #warn(said: readonly string[]): void {
    for (const name of unverified(this.#given)) {
      const why = 'whoever gets between can read and change everything (tls.verify: false)';
      if (!said.includes(name)) this.say('warn', 'tls-unverified', `${name}: nobody checks its certificates: ${why}`);
    }
  }

  /** What the config names and this machine has not. */
  async #advise(): Promise<void> {
    try {
      for (const { code, message } of await advice(this.#given, undefined, true)) {
        if (this.#closing === null) this.say('warn', code, message);
      }
    } catch (error) {
      this.report(error);
    }
  }

  #tell(code: string, changes: readonly Change[]): void {
    for (const change of changes) this.say('info', code, showChange(change));
  }

  /** An origin has come or gone. */
  #turned(...[upstream, origin, state, why]: Parameters<Turned>): void {
    // What is on its way out may fail still, and nobody would forget why.
    const key = `${upstream} ${origin}`;
    if (this.shared.boards.has(`origin ${key}`)) this.#reasons.set(key, { why, at: this.#clock.wall() });
    this.say(state === 'down' ? 'warn' : 'info', `origin-${state}`, `${upstream} ${origin}: ${why}`);
  }

  /** What comes due: operators' changes that end, and what threads see to unless they have died. */
  #round(): void {
    if (this.#overrides.next <= this.#clock.wall() && !this.#ending) {
      this.#ending = true;
      this.override((overrides) => overrides.at(this.#clock.wall()))
        .then((changes) => this.#tell('override-ended', changes))
        .catch((error: unknown) => this.#closing ?? this.report(error))
        .finally(() => (this.#ending = false));
    }
    if (this.fleet === null) return;
    const now = this.#clock.now();
    for (const [upstream, origins] of this.shared.origins) {
      for (const origin of origins) {
        if (origin.resting && origin.downUntil + ROUND <= now) this.#tryAgain(upstream, origin);
      }
    }
  }
}
