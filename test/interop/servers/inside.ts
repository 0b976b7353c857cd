/**
 * Loaded before the command (`node --import`): lets the process that started it ask for what no operator can, by messages
 * `{ id, ask, … }`, each answered by `{ id, value }` or `{ id, error }`.
 */
import { isMainThread } from 'node:worker_threads';
import { load, showProblems } from '../../../src/config/index.ts';
import { Sluice } from '../../../src/sluice.ts';

interface Asked {
  readonly id: number;
  readonly ask: 'reload' | 'kill' | 'handles';
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
    case 'handles':
      // Timers and immediates come and go; sockets, watchers and pipes stay if somebody forgets them.
      return process.getActiveResourcesInfo().filter((name) => name !== 'Timeout' && name !== 'Immediate').length;
  }
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
