/** What runs in a thread of its own: one data plane, driven by the control plane's calls. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { DataPlane } from '../data-plane.ts';
import { systemClock } from '../core/clock.ts';
import { loadSpans } from '../observe/spans.ts';
import { type Call, type Saying, type ThreadStart, toFailure } from './plane.ts';

const port = parentPort as MessagePort;
const { config, boards, place } = workerData as ThreadStart;

const say = (saying: Saying): void => port.postMessage(saying);

let plane: DataPlane | null = null;
let failure: unknown;
try {
  const spans = config.log.spans ? await loadSpans(undefined, systemClock, (error) => plane?.report(error)) : null;
  plane = new DataPlane(config, boards, place, {
    spans,
    messages: { say: (...words) => say({ kind: 'say', words }) },
    turned: (...turn) => say({ kind: 'turned', turn }),
  });
} catch (error) {
  // Told as the failure of the first call: that is who can do something about it.
  failure = error;
}

port.on('message', (asked: Call) => void answer(asked));

// A defect must not take everybody's connections with it. It is logged loudly, and the one request fails.
process.on('uncaughtException', (error) => plane?.report(error));
process.on('unhandledRejection', (error) => plane?.report(error));

async function answer({ id, call, args }: Call): Promise<void> {
  try {
    if (plane === null) throw failure;
    const run = plane[call] as (...args: unknown[]) => unknown;
    say({ kind: 'result', id, value: await run.apply(plane, [...args]) });
  } catch (error) {
    say({ kind: 'failure', id, failure: toFailure(error) });
  }
}
