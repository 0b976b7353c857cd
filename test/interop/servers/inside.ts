/**
 * Loaded before the command (`node --import`): lets the process that started it ask for what no operator can, by messages
 * `{ id, ask, … }`, each answered by `{ id, value }` or `{ id, error }`.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';
import { load, showProblems } from '../../../src/config/index.ts';
import { Sluice } from '../../../src/sluice.ts';

interface Asked {
  readonly id: number;
  readonly ask: 'reload' | 'kill' | 'handles' | 'heap';
  readonly file?: string;
  readonly thread?: number;
}

let running: Sluice | null = null;

function keep(sluice: Sluice): void {
  running = sluice;
}

async function answer({ ask, file = '', thread = 0 }: Asked): Promise<unknown> {
  if (running === null) throw new Error('no sluice is open');
  switch (ask) {
    case 'reload': {
      const checked = await load(file);
      if (checked.config === undefined) throw new Error(showProblems(checked.problems));
      return (await running.reload(checked.config)).length;
    }
    case 'kill':
      return running.fleet?.kill(thread);
    case 'heap':
      return heapOfAll(1 + (running.fleet?.threads.length ?? 0));
    case 'handles':
      // Timers and immediates come and go; sockets, watchers and pipes stay if somebody forgets them.
      return process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate').length;
  }
}

/** Bytes of this thread's heap that somebody holds, with the memory outside of it that hangs on it. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The same of all threads together. */
function heapOfAll(threads: number): Promise<number> {
  const channel = new BroadcastChannel('heap');
  let [sum, answers] = [heap(), 1];
  return new Promise((resolve) => {
    const done = (): void => {
      if (answers < threads) return;
      channel.close();
      resolve(sum);
    };
    channel.onmessage = ({ data }) => {
      if (typeof data !== 'number') return;
      sum += data;
      answers++;
      done();
    };
    done();
    channel.postMessage('tell');
  });
}

if (!isMainThread) {
  const channel = new BroadcastChannel('heap');
  channel.unref();
  channel.onmessage = ({ data }) => {
    // Other threads' answers come here, too.
    if (data === 'tell') channel.postMessage(heap());
  };
}

if (isMainThread) {
  const { open } = Sluice.prototype;
  Sluice.prototype.open = async function (this: Sluice): Promise<void> {
    await open.call(this);
    keep(this);
  };
  process.on('message', (asked: Asked) => {
    answer(asked).then(
      (value) => process.send?.({ id: asked.id, value }),
      (error: unknown) => process.send?.({ id: asked.id, error: String(error) }),
    );
  });
}
