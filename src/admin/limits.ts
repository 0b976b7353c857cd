/** What the admin interface takes, and how long it waits. Sizes in bytes, times in milliseconds. */
export interface AdminLimits {
  /** Of a request's body: a config of this size has some ten thousand routes. */
  readonly body: number;
  /** Of a request's head. */
  readonly head: number;
  /** For a head to arrive, from the first byte of its connection or of itself. */
  readonly headTime: number;
  /** For a whole request to arrive. */
  readonly requestTime: number;
  /** Between two requests. */
  readonly idleTime: number;
  /** For an operation to end. It goes on behind the answer. */
  readonly workTime: number;
  /** Open at once. A scraper, a few terminals with `sluice top`, and room for what hangs. */
  readonly connections: number;
  /** Changes that wait for the one before them. */
  readonly changes: number;
}

export const LIMITS: AdminLimits = {
  body: 1_048_576,
  head: 16_384,
  headTime: 10_000,
  requestTime: 30_000,
  idleTime: 65_000,
  workTime: 60_000,
  connections: 64,
  changes: 32,
};
