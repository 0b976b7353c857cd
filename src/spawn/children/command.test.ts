import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { environmentOf, filled, findCommand } from './command.ts';

test('a command that can be started, and the cause for each that cannot', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-command-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'bin'));
  writeFileSync(join(folder, 'bin/good'), '#!/bin/sh\n', { mode: 0o755 });
  writeFileSync(join(folder, 'bin/plain'), '#!/bin/sh\n');
  chmodSync(join(folder, 'bin/plain'), 0o644);
  const env = { PATH: `/nowhere:${folder}/bin` };
  const find = (command: string, cwd: string = folder): Promise<string> =>
    findCommand({ command, cwd, env }).then(
      () => 'found',
      (error: Error) => error.message,
    );
  assert.equal(await find('good'), 'found');
  assert.equal(await find('bin/good'), 'found');
  assert.equal(await find(`${folder}/bin/good`), 'found');
  assert.equal(await find('./good'), 'its command ./good does not exist');
  assert.equal(await find('./good', join(folder, 'bin')), 'found');
  assert.equal(await find('plain'), `its command plain in ${folder}/bin is not executable`);
  assert.equal(await find('bin/plain'), 'its command bin/plain is not executable');
  assert.equal(await find('nosuch'), `its command nosuch is not in any folder of PATH (${env.PATH})`);
  assert.equal(await find('bin/'), 'its command bin/ is no file');
  assert.equal(await find('bin/good/x'), 'its command bin/good/x does not exist');
  assert.equal(await find('good', join(folder, 'gone')), `its cwd ${folder}/gone does not exist`);
  assert.equal(await find('good', join(folder, 'bin/good')), `its cwd ${folder}/bin/good is no folder`);
});

test('where to listen is told in the environment and in words', () => {
  const env = environmentOf({ env: { URL: 'http://127.0.0.1:{port}/', A: '{socket}' } }, { port: 4000 });
  assert.equal(env['PORT'], '4000');
  assert.equal(env['URL'], 'http://127.0.0.1:4000/');
  assert.equal(env['A'], '{socket}', 'there is none');
  assert.equal(env['SOCKET'], undefined);
  assert.equal(filled('unix:{socket}:{socket}', { socket: '/tmp/$&/s' }), 'unix:/tmp/$&/s:/tmp/$&/s');
});

test("a child gets sluice's variables, but those that are meant for sluice itself", (t) => {
  const mine = {
    SLUICE_ADMIN_TOKEN: 'secret',
    LISTEN_FDS: '1',
    NOTIFY_SOCKET: '/run/x',
    PORT: '80',
    SPAWN_TEST: 'yes',
  };
  const before = { ...process.env };
  Object.assign(process.env, mine);
  t.after(() => {
    for (const name of Object.keys(mine)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
  const env = environmentOf({ env: { SLUICE_OWN: 'told' } }, { socket: '/s' });
  assert.deepEqual(
    Object.keys({ ...mine, SLUICE_OWN: '', SOCKET: '' }).map((name) => env[name]),
    [undefined, undefined, undefined, undefined, 'yes', 'told', '/s'],
  );
});
