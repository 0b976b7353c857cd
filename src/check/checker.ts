import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import type { ErrorCode } from '../core/errors.ts';
import { originName, type OriginAddress } from '../core/origin.ts';
import type { Check, Finding, ProbeTools } from './check.ts';
import type { Gate } from './gate.ts';
import type { CheckOptions } from './options.ts';
import { Verdict } from './verdict.ts';

/** How far the time between two probes strays, so that many proxies and origins do not fall into step. */
const JITTER = 0.1;
/** Milliseconds after its timeout at which a probe that has not ended counts as failed: a defect of its kind. */
const OVERTIME = 1000;

/** What is probed; the checker looks only at the address, and hands the rest back. */
export interface CheckTarget {
  readonly address: OriginAddress;
}

/** The last probe's word, in the form of the control plane's views. */
export interface LastCheck {
  readonly healthy: boolean;
  readonly detail: string;
  /** ISO 8601, UTC. */
  readonly at: string;
}

export interface CheckerTools<Target> {
  readonly clock: Clock;
  readonly gate: Gate;
  create(options: CheckOptions): Check;
  /** There is a first verdict about a target, or another one than before; `code` as in `Finding`. */
  turned(target: Target, healthy: boolean, why: string, code?: ErrorCode): void;
  /** Each finding, before what comes of it. */
  found?(target: Target, healthy: boolean, code?: ErrorCode): void;
  /** As in `ProbeTools`. */
  readonly secure?: ProbeTools['secure'];
  /** Hears what a check or `turned` throws. */
  defect(error: unknown): void;
}

/** Probes the origins of one upstream, again and again. */
export class Checker<Target extends CheckTarget> {
  readonly #tools: CheckerTools<Target>;
  readonly #rounds = new Map<string, Round<Target>>();
  #options: CheckOptions | null = null;
  #check: Check | null = null;

  constructor(tools: CheckerTools<Target>) {
    this.#tools = tools;
  }

  /**
   * Takes over what is to be probed, and how; `null` is `check: off`. A target that was there with the same address goes
   * on as it is. With other options all start anew: what the old check said is no answer to the new one.
   */
  update(targets: readonly Target[], options: CheckOptions | null): void {
    if (!isDeepStrictEqual(options, this.#options)) {
      this.close();
      this.#options = options;
      this.#check = options === null ? null : this.#tools.create(options);
    }
    const check = this.#check;
    if (options === null || check === null) return;
    const present = new Map(targets.map((target) => [keyOf(target.address), target]));
    const running = this.#rounds.size > 0;
    for (const [key, round] of this.#rounds) {
      if (present.has(key)) continue;
      this.#rounds.delete(key);
      round.close();
    }
    // All at once when traffic waits for it, or when it is few; else spread out, so that each interval has its even share.
    const step = running || options.first === 'block' ? 0 : options.interval / present.size;
    let nth = 0;
    for (const [key, target] of present) {
      const round = this.#rounds.get(key);
      if (round !== undefined) {
        round.target = target;
        continue;
      }
      const made = new Round(target, options, check, this.#tools);
      this.#rounds.set(key, made);
      made.begin(step * (nth++ + this.#tools.clock.random()));
    }
  }

  /** What the last probe of a target said; `null` before the first, and for what is not probed. */
  last(target: CheckTarget): LastCheck | null {
    return this.#rounds.get(keyOf(target.address))?.last ?? null;
  }

  /** Stops, and forgets everything; `turned` is not called again. `update` may begin anew. */
  close(): void {
    for (const round of this.#rounds.values()) round.close();
    this.#rounds.clear();
    this.#options = null;
    this.#check = null;
  }
}

/** One target's probes, one after the other. */
class Round<Target extends CheckTarget> {
  target: Target;
  last: LastCheck | null = null;
  readonly #options: CheckOptions;
  readonly #check: Check;
  readonly #tools: CheckerTools<Target>;
  readonly #verdict: Verdict;
  readonly #go = (): void => this.#probe();
  /** Of the next probe, or of the end of this one. */
  #cancel: () => void = () => {};
  #running: AbortController | null = null;

  constructor(target: Target, options: CheckOptions, check: Check, tools: CheckerTools<Target>) {
    this.target = target;
    this.#options = options;
    this.#check = check;
    this.#tools = tools;
    this.#verdict = new Verdict(options);
  }

  begin(delay: number): void {
    this.#cancel = this.#tools.clock.after(delay, () => this.#tools.gate.enter(this.#go), 'idle');
  }

  close(): void {
    this.#cancel();
    this.#tools.gate.withdraw(this.#go);
    const running = this.#running;
    if (running === null) return;
    this.#running = null;
    this.#tools.gate.leave();
    running.abort();
  }

  #probe(): void {
    const { clock } = this.#tools;
    const running = new AbortController();
    const begun = clock.now();
    this.#running = running;
    const late = { healthy: false, detail: 'the check did not end in time' };
    this.#cancel = clock.after(
      this.#options.timeout + OVERTIME,
      () => {
        this.#done(running, begun, late);
        running.abort();
      },
      'idle',
    );
    void this.#ask(running.signal).then((finding) => this.#done(running, begun, finding));
  }

  async #ask(signal: AbortSignal): Promise<Finding> {
    const { clock, secure } = this.#tools;
    const tools = { clock, timeout: this.#options.timeout, signal };
    try {
      return await this.#check.probe(this.target.address, secure === undefined ? tools : { ...tools, secure });
    } catch (error) {
      this.#tools.defect(error);
      return { healthy: undefined, detail: 'the check is defective' };
    }
  }

  #done(running: AbortController, begun: number, finding: Finding): void {
    // A removed target's answer, or one that comes after its time.
    if (this.#running !== running) return;
    const { clock, gate } = this.#tools;
    this.#running = null;
    this.#cancel();
    const pause = this.#options.interval * (1 + JITTER * (2 * clock.random() - 1));
    this.begin(Math.max(0, begun + pause - clock.now()));
    this.#judge(finding);
    gate.leave();
  }

  #judge({ healthy, detail, code }: Finding): void {
    if (healthy === undefined) return;
    this.last = { healthy, detail, at: new Date(this.#tools.clock.wall()).toISOString() };
    const first = this.#verdict.healthy === undefined;
    try {
      this.#tools.found?.(this.target, healthy, code);
      if (!this.#verdict.add(healthy)) return;
      this.#tools.turned(this.target, healthy, `${this.#count(healthy, first)}: ${detail}`, code);
    } catch (error) {
      this.#tools.defect(error);
    }
  }

  /** `check failed 3 times`, for the log. */
  #count(healthy: boolean, first: boolean): string {
    const { rise, fall } = this.#options;
    if (first && (healthy || this.#options.first === 'block')) return `first check ${healthy ? 'passed' : 'failed'}`;
    const times = healthy ? rise : fall;
    return `check ${healthy ? 'passed' : 'failed'}${times === 1 ? '' : ` ${times} times`}`;
  }
}

/** A target is its address, the resolved one included; what else is known of it may change. */
function keyOf(address: OriginAddress): string {
  return `${address.scheme} ${originName(address)} ${address.ip ?? ''}`;
}
