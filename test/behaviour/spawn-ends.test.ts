/** How a program that has children ends: as a library, and when another sluice takes its place. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test, type TestContext } from 'node:test';
import { root } from '../../scripts/tools.ts';
import { address, type Address } from '../interop/stage.ts';
import { type Program, startNode } from '../support/program.ts';
import { fetchOnce, until } from '../support/running.ts';
import { alive, app, before, folder } from '../support/spawn.ts';
import type { SpawnInput } from '../../src/spawn/children/options.ts';

/** A program that uses sluice as a library, and then does this. */
function library(t: TestContext, spawn: SpawnInput, then: string): Program {
  const path = join(folder(t), 'program.ts');
  const index = pathToFileURL(join(root, 'src/index.ts')).href;
  writeFileSync(
    path,
    `import { createSluice } from ${JSON.stringify(index)};
     const proxy = await createSluice(${JSON.stringify({ ...before(spawn), log: { access: 'off' } })});
     const answer = await fetch(proxy.addresses[0]);
     console.log('answered', answer.status, (await answer.text()) !== '');
     ${then}`,
  );
  return startNode(t, [path]);
}

test('a program that closes its proxy ends by itself, and its children have ended before', async (t) => {
  const spawn = app(t, { killDelay: '300ms', env: { STUBBORN: '1', FORK: '1' } });
  const program = library(t, spawn, "await proxy.close(); console.log('closed');");
  await program.until(/answered 200 true/);
  assert.equal(await program.ended, 0, program.output());
  assert.match(program.output(), /closed/);
  assert.deepEqual(alive(t), []);
});

test('a program that forgets to close its proxy leaves no children', async (t) => {
  const program = library(t, app(t), 'process.exit(3);');
  assert.equal(await program.ended, 3, program.output());
  await until(() => Promise.resolve(alive(t).length === 0), 'nothing is left');
});

interface Place extends Address {
  run(spawn: SpawnInput, ...flags: string[]): Program;
}

async function place(t: TestContext): Promise<Place> {
  const at = await address();
  let count = 0;
  return {
    ...at,
    run(spawn, ...flags) {
      const file = join(folder(t), `sluice${++count}.json`);
      const config = { ...before(spawn), listen: `${at.host}:${at.port}`, log: { access: 'off' } };
      writeFileSync(file, JSON.stringify(config));
      return startNode(t, ['src/cli.ts', 'run', file, ...flags]);
    },
  };
}

test('who takes over waits until its own children are ready; the others end with the old one; no request fails', async (t) => {
  if (process.platform !== 'linux') return t.skip('Linux only');
  const at = await place(t);
  const old = at.run(app(t, { env: { TEXT: 'old' } }));
  await old.until(/children add origin/);
  const first = alive(t);
  const url = `http://${at.host}:${at.port}/mark`;
  let stop = false;
  const seen = new Map<string, number>();
  const load = (async () => {
    while (!stop) {
      const { status, body } = await fetchOnce(url);
      const shown = `${status} ${body}`;
      seen.set(shown, (seen.get(shown) ?? 0) + 1);
    }
  })();
  const young = at.run(app(t, { env: { TEXT: 'new', DELAY: '500' } }), '--takeover');
  await young.until(/took over/);
  assert.match(young.output(), /child-ready[^]*took over/);
  assert.equal(await old.ended, 0, old.output());
  await until(() => Promise.resolve(seen.has('200 new')), 'the new one answers');
  stop = true;
  await load;
  assert.deepEqual([...seen.keys()].toSorted(), ['200 new', '200 old']);
  await until(() => Promise.resolve(!alive(t).some((pid) => first.includes(pid))), 'the old children are gone');
  assert.equal(await young.end(), 0);
  assert.deepEqual(alive(t), []);
});

test('a sluice whose children do not live takes no place', async (t) => {
  if (process.platform !== 'linux') return t.skip('Linux only');
  const at = await place(t);
  const old = at.run(app(t));
  await old.until(/children add origin/);
  const broken = { ...app(t), args: ['-e', 'throw new Error("no")'], crash: { first: '10ms', limit: 2 } };
  const young = at.run(broken, '--takeover');
  assert.equal(await young.ended, 1);
  assert.match(young.output(), /the processes of app do not live: app\.2 \(pid \d+\) ended with code 1/);
  assert.equal((await fetchOnce(`http://${at.host}:${at.port}/`)).status, 200, 'the old one serves');
  assert.equal(await old.end(), 0);
  assert.deepEqual(alive(t), []);
});
