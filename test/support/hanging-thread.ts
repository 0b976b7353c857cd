/** A thread that answers `open`, and never comes back from the next thing it is asked. */
import { parentPort } from 'node:worker_threads';

parentPort?.on('message', ({ id, call }: { id: number; call: string }) => {
  if (call === 'open') return parentPort?.postMessage({ kind: 'result', id, value: [] });
  for (;;);
});
