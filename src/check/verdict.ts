/** How many probes in a row turn a verdict. */
export interface VerdictRule {
  /** Passed probes after which an unhealthy origin is healthy. At least 1. */
  readonly rise: number;
  /** Failed probes after which a healthy origin is unhealthy. At least 1. */
  readonly fall: number;
  /** What an origin is until its first probe: `pass` healthy, `block` not. */
  readonly first: 'pass' | 'block';
}

/**
 * What one origin's probes amount to. The first probe decides at once, except that an origin which is trusted from the
 * start (`first: pass`) has to fail as often as any healthy one.
 */
export class Verdict {
  readonly #rule: VerdictRule;
  /** `undefined` until there is one. */
  healthy: boolean | undefined;
  /** Probes in a row that speak against the verdict, or against what is presumed. */
  #against = 0;

  constructor(rule: VerdictRule) {
    this.#rule = rule;
  }

  /** Takes in one probe. True when there is a new verdict: the first one, or the opposite of the last. */
  add(passed: boolean): boolean {
    if (this.healthy === undefined && (passed || this.#rule.first === 'block')) return this.#turn(passed);
    if (passed === (this.healthy ?? true)) {
      this.#against = 0;
      return false;
    }
    this.#against++;
    return this.#against >= (passed ? this.#rule.rise : this.#rule.fall) && this.#turn(passed);
  }

  #turn(healthy: boolean): boolean {
    this.healthy = healthy;
    this.#against = 0;
    return true;
  }
}
