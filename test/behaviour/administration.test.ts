/** The admin interface over reloads: moved, turned off and on, with another token or mode; and reloads that are refused. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import type { ConfigInput } from '../../src/config/index.ts';
import { folderOf, TOKEN } from '../support/admin.ts';
import { ask } from '../support/program.ts';
import { checked, running, until, type Running } from '../support/running.ts';

const OTHER = 'staple-battery-horse-correct';
const routes = [{ respond: { status: 204 } }];

function withAdmin(admin: ConfigInput['admin']): ConfigInput {
  return { listen: '127.0.0.1:0', routes, ...(admin === undefined ? {} : { admin }) };
}

/** The status of `GET /v1/status`, or the error's code. */
async function status(where: string, token = TOKEN): Promise<number | string> {
  const unix = where.startsWith('unix:');
  try {
    const answer = await ask(`${unix ? 'http://localhost' : where}/v1/status`, {
      headers: { Authorization: `Bearer ${token}` },
      ...(unix ? { socketPath: where.slice('unix:'.length) } : {}),
    });
    return answer.status;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error';
  }
}

/** Where it said last that it listens. */
function place({ said }: Running): string {
  return (
    said.map((line) => /^info admin listening on (.+)$/.exec(line)?.[1]).findLast((found) => found !== undefined) ?? ''
  );
}

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('it moves from a port to a socket and back, and can be turned off and on', async (t) => {
  const socket = `unix:${join(folderOf(t), 'admin.sock')}`;
  const port = { address: '127.0.0.1:0', token: TOKEN };
  const there = await running(t, withAdmin(port));
  const first = place(there);
  assert.equal(await status(first), 200);
  await there.sluice.reload(checked(withAdmin(socket)));
  assert.equal(await status(socket), 200);
  await until(async () => (await status(first)) === 'ECONNREFUSED', 'the port to be closed');
  await there.sluice.reload(checked(withAdmin('off')));
  await until(async () => (await status(socket)) === 'ENOENT', 'the socket to be gone');
  await there.sluice.reload(checked(withAdmin(socket)));
  assert.equal(await status(socket), 200);
  await there.sluice.reload(checked(withAdmin(port)));
  assert.equal(await status(place(there)), 200);
});

test('whoever asks for the move has the answer before the old place closes', async (t) => {
  const there = await running(t, withAdmin({ address: '127.0.0.1:0', token: TOKEN }));
  const body = JSON.stringify(withAdmin('off'));
  const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
  const answer = await ask(`${place(there)}/v1/reload`, { method: 'POST', headers, body });
  assert.equal(answer.status, 200, answer.body);
  assert.match(answer.body, /"what":"admin"/);
});

test('another mode is set on the same socket, with connections open', async (t) => {
  const path = join(folderOf(t), 'admin.sock');
  const there = await running(t, withAdmin({ address: `unix:${path}` }));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await there.sluice.reload(checked(withAdmin({ address: `unix:${path}`, mode: '660' })));
  assert.equal(statSync(path).mode & 0o777, 0o660);
  assert.equal(await status(`unix:${path}`), 200);
});

test('the token file is read again by a reload, and by nothing else', async (t) => {
  const tokenFile = join(folderOf(t), 'token');
  writeFileSync(tokenFile, TOKEN);
  const config = checked({
    ...withAdmin({ address: '127.0.0.1:0', tokenFile }),
    upstreams: { app: { origins: [3000] } },
    routes: [{ to: 'app' }],
  });
  const there = await running(t, withAdmin({ address: '127.0.0.1:0', tokenFile }));
  await there.sluice.reload(config);
  const at = place(there);
  rmSync(tokenFile);
  await there.control.addOrigin('app', { url: '127.0.0.1:3001' }, undefined, 'me');
  assert.equal(await status(at), 200, 'a change needs no token file');
  writeFileSync(tokenFile, OTHER);
  assert.deepEqual([await status(at), await status(at, OTHER)], [200, 401]);
  await there.sluice.reload({ ...config });
  assert.deepEqual([await status(at), await status(at, OTHER)], [401, 200]);
});

test('a bad token file refuses the reload and changes nothing', async (t) => {
  const folder = folderOf(t);
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, TOKEN);
  const there = await running(t, withAdmin({ address: '127.0.0.1:0', tokenFile }));
  const before = await there.control.config();
  for (const bad of ['short', 'two lines of text\nthat make no token', '']) {
    writeFileSync(tokenFile, bad);
    await assert.rejects(
      there.sluice.reload(
        checked({ ...withAdmin({ address: '127.0.0.1:0', tokenFile }), routes: [{ respond: { status: 500 } }] }),
      ),
      (error: Error) =>
        error.message.startsWith(`admin.tokenFile ${tokenFile}: `) && (bad === '' || !error.message.includes(bad)),
    );
    assert.match((await there.control.status()).refused ?? '', /tokenFile/);
  }
  assert.deepEqual(await there.control.config(), before);
  assert.equal(await status(place(there)), 200, 'the old token is in force');
  assert.equal((await ask(there.base)).status, 204);
});

test('a reload that is refused for another reason leaves token, place and mode alone', async (t) => {
  const folder = folderOf(t);
  const [path, tokenFile] = [join(folder, 'admin.sock'), join(folder, 'token')];
  writeFileSync(tokenFile, TOKEN);
  const admin = { address: `unix:${path}`, tokenFile };
  const there = await running(t, withAdmin(admin));
  const taken = await takenPort(t);
  writeFileSync(tokenFile, OTHER);
  const refused = (given: ConfigInput['admin']): ConfigInput => ({
    ...withAdmin(given),
    listen: ['127.0.0.1:0', `127.0.0.1:${taken}`],
  });
  for (const given of [{ ...admin, mode: '666' }, { address: '127.0.0.1:0', token: TOKEN }, 'off'] as const) {
    await assert.rejects(there.sluice.reload(checked(refused(given))), { code: 'EADDRINUSE' });
    assert.deepEqual([await status(`unix:${path}`), await status(`unix:${path}`, OTHER)], [200, 401]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  }
  await assert.rejects(there.sluice.reload(checked(withAdmin({ address: `127.0.0.1:${taken}`, token: TOKEN }))), {
    code: 'EADDRINUSE',
  });
  assert.equal(await status(`unix:${path}`), 200);
});

test('while the process before has the address, the proxy is reloaded and changed all the same', async (t) => {
  const admin = { address: `unix:${join(folderOf(t), 'admin.sock')}` };
  const old = await running(t, withAdmin(admin));
  const config = { ...withAdmin(admin), upstreams: { app: { origins: [3000] } }, routes: [{ to: 'app' }] };
  const there = await running(t, config, { takeover: true });
  await there.sluice.reload(checked({ ...config, headers: { via: 'edge' } }));
  await there.control.addOrigin('app', { url: '127.0.0.1:3001' }, undefined, 'me');
  assert.equal(place(there), '');
  await old.sluice.close(0);
  await until(async () => (await status(admin.address)) === 200, 'the new one to have the address');
  assert.equal(place(there), admin.address);
});
