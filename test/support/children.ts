/** Children that are no processes: a test says when they are ready, and how they end. */
import { spawnSchema, type SpawnInput, type SpawnOptions } from '../../src/spawn/children/options.ts';
import type { Ears, Launched, Launcher, Order } from '../../src/spawn/children/launch.ts';
import { Pool, type Sight } from '../../src/spawn/children/pool.ts';
import { Unfit } from '../../src/spawn/children/unfit.ts';
import type { Child } from '../../src/spawn/children/child.ts';
import { manualClock, type ManualClock } from './clock.ts';

export function options(given: Partial<SpawnInput> = {}): SpawnOptions {
  return spawnSchema.parse({ name: 'app', command: 'app', ...given });
}

/** A process as the test plays it. */
interface Played {
  readonly order: Order;
  readonly ears: Ears;
  readonly pid: number;
  /** Signals it got. */
  readonly signals: string[];
  /** It takes connections. */
  ready: boolean;
  /** Processes that are left of its group, the first one included. */
  left: number;
  /** TERM does not end it. */
  stubborn: boolean;
  forgotten: boolean;
  /** It ends, by itself or by a signal. */
  end(how?: string, left?: number): void;
}

/** Lets everything that was promised happen. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

class FakeLauncher implements Launcher {
  readonly played: Played[] = [];
  /** Thrown instead of starting. */
  fails: string | null = null;
  /** What is thrown will be so the next time. */
  unfit = false;
  /** Those that are started are ready at once. */
  quick = true;
  stubborn = false;

  async launch(order: Order, ears: Ears): Promise<Launched> {
    await Promise.resolve();
    if (this.fails !== null) throw this.unfit ? new Unfit(this.fails) : new Error(this.fails);
    const pid = 1001 + this.played.length;
    const played: Played = {
      order,
      ears,
      pid,
      signals: [],
      ready: this.quick,
      left: 1,
      stubborn: this.stubborn,
      forgotten: false,
      end: (how = 'ended with code 1', left = 0) => {
        played.left = left;
        const code = /^ended with code (\d+)$/.exec(how)?.[1];
        ears.exited(how, code === undefined ? null : Number(code));
      },
    };
    this.played.push(played);
    return {
      pid,
      address: { scheme: order.options.protocol, host: '127.0.0.1', port: pid },
      signal: (name) => {
        played.signals.push(name);
        if (played.left === 0) return;
        if (name === 'SIGKILL' || !played.stubborn) played.end(`was ended by ${name}`);
      },
      lives: () => played.left > 0,
      forget: () => (played.forgotten = true),
    };
  }

  /** The process of this child's number, from 1. */
  at(number: number): Played {
    return this.played[number - 1];
  }
}

/** A pool of such children, with a clock that the test moves. */
export class Stage {
  readonly clock: ManualClock = manualClock();
  readonly launcher = new FakeLauncher();
  readonly said: string[] = [];
  /** Times that other children took requests than before. */
  changes = 0;
  readonly pool: Pool;
  waiting = 0;
  /** Requests in flight at, and ended by, children of these names. */
  readonly inFlight = new Map<string, number>();
  readonly requests = new Map<string, number>();
  /** Data planes follow at once; otherwise a child that drains is asked still. */
  follows = true;

  constructor(given: Partial<SpawnInput> = {}, slots = Infinity) {
    this.pool = new Pool('app', options(given), slots, {
      clock: this.clock,
      launcher: this.launcher,
      probe: (address) => Promise.resolve(this.launcher.at(address.port - 1000).ready),
      say: (...words) => void this.said.push(words.join(' ')),
      changed: () => void this.changes++,
    });
  }

  get sight(): Sight {
    const work = ({ name }: Child): { inFlight: number; requests: number } => ({
      inFlight: this.inFlight.get(name) ?? 0,
      requests: this.requests.get(name) ?? 0,
    });
    return { waiting: this.waiting, work, drain: 30_000 };
  }

  /** Time passes, as the control plane sees it: a look each 50 ms. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.look();
      await settled();
      this.clock.advance(Math.min(50, left));
      await settled();
    }
    this.look();
    await settled();
  }

  look(): void {
    if (this.follows) for (const child of this.pool.children) child.isOut = child.state !== 'ready';
    this.pool.look(this.sight);
  }

  /** `app.1 ready, app.2 starting` */
  get shown(): string {
    return this.pool.children.map(({ name, state }) => `${name} ${state}`).join(', ');
  }

  /** What was said with this code. */
  with(code: string): string[] {
    return this.said.filter((line) => line.split(' ')[1] === code);
  }
}
