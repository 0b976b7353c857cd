/** `sluice run --takeover`: one process takes the place of another, and nobody outside notices. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { TopInput } from '../src/config/schema.ts';
import { root } from '../scripts/tools.ts';
import { address, type Address } from './interop/stage.ts';
import { load } from './support/load.ts';
import { ask, type Program, startNode } from './support/program.ts';
import { eventually, sleep } from './support/scripted.ts';

const CLI = join(root, 'src', 'cli.ts');

interface Place extends Address {
  readonly folder: string;
  readonly url: string;
  /** Writes the config, by its name, and tells the file's. */
  write(config: TopInput, name?: string): string;
  /** Starts `sluice run` and waits until it listens. */
  run(file: string, ...flags: string[]): Promise<Program>;
  /** The error log. */
  log(): string;
}

async function place(t: TestContext): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-takeover-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const at = await address();
  const error = join(folder, 'error.log');
  return {
    ...at,
    folder,
    url: `http://${at.host}:${at.port}`,
    write(config, name = 'sluice.json') {
      const file = join(folder, name);
      writeFileSync(
        file,
        JSON.stringify({ listen: `${at.host}:${at.port}`, log: { access: 'off', error }, ...config }),
      );
      return file;
    },
    async run(file, ...flags) {
      const program = startNode(t, [CLI, 'run', file, ...flags]);
      await program.until(/listening on/);
      return program;
    },
    log: () => (existsSync(error) ? readFileSync(error, 'utf8') : ''),
  };
}

/** An origin that answers at once; at /long a piece each 100 ms, 20 times; and WebSockets that say everything back. */
async function origin(t: TestContext): Promise<string> {
  const server = createServer((asked, answer) => {
    if (asked.url !== '/long') return void answer.end('hello');
    answer.writeHead(200, { 'Content-Length': 2000 });
    let pieces = 0;
    const tick = setInterval(() => {
      answer.write('x'.repeat(100));
      if (++pieces < 20) return;
      clearInterval(tick);
      answer.end();
    }, 100);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (message) => socket.send(message)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    sockets.close();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Bytes of a download, when it has ended whole. */
function download(url: string, begun: () => void): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false }, (answer: IncomingMessage) => {
      let bytes = 0;
      begun();
      answer.on('data', (piece: Buffer) => (bytes += piece.length));
      answer.on('error', reject);
      answer.on('end', () => (answer.complete ? resolve(bytes) : reject(new Error(`cut after ${bytes}`))));
    });
    asked.on('error', reject);
    asked.end();
  });
}

const linux = process.platform === 'linux';

/** Somebody who is no sluice, with a title of its own. */
async function stranger(t: TestContext, at: Address, sharing: boolean): Promise<Program> {
  const program = startNode(t, [
    '-e',
    `require('net').createServer((s) => s.end('stranger')).listen(
       { host: '${at.host}', port: ${at.port}, reusePort: ${sharing} }, () => console.log('there'))`,
  ]);
  await program.until(/there/);
  return program;
}

describe('takeover', { skip: linux ? false : 'Linux only', concurrency: 2 }, () => {
  for (const threads of [1, 2]) {
    test(`under load, ${threads} thread(s) on both sides: the old one leaves with 0, no request fails`, async (t) => {
      const here = await place(t);
      const file = here.write({ threads, upstreams: { app: { origins: await origin(t) } } });
      let old = await here.run(file);
      const { host, port } = here;
      const kept = load({ host, port, keepAlive: true, clients: 6, pause: 2 });
      const fresh = load({ host, port, keepAlive: false, clients: 3, pause: 2 });
      for (let i = 0; i < 3; i++) {
        await sleep(200);
        const next = await here.run(file, '--takeover');
        assert.match(next.output(), /took over from process \d+, which finishes what it has/);
        assert.equal(await old.ended, 0, old.output());
        assert.match(old.output(), /SIGQUIT, finishing what is in hand/);
        old = next;
      }
      const [before, beforeFresh] = [kept.good, fresh.good];
      await eventually(() => kept.good > before + 20 && fresh.good > beforeFresh + 5, 'the last one serves');
      await Promise.all([kept.stop(), fresh.stop()]);
      t.diagnostic(`${kept.good} on kept connections (${kept.closed} closed), ${fresh.good} on fresh ones`);
      assert.deepEqual(kept.failures, []);
      assert.deepEqual(fresh.failures, []);
      assert.ok(kept.closed > 0, 'nobody was told to go elsewhere: the test tests nothing');
      assert.equal(await old.end(), 0);
    });
  }

  test('a download goes on at the old one to its end, a WebSocket to the deadline', async (t) => {
    const here = await place(t);
    const file = here.write({ upstreams: { app: { origins: await origin(t) } }, timeouts: { drain: '10s' } });
    const old = await here.run(file);
    let begun = false;
    const long = download(`${here.url}/long`, () => (begun = true));
    const socket = new WebSocket(here.url.replace('http', 'ws'));
    t.after(() => socket.terminate());
    const echo = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        socket.once('message', (message: Buffer) => resolve(message.toString()));
        socket.once('close', () => reject(new Error('closed')));
        socket.send(text);
      });
    await new Promise((resolve) => socket.once('open', resolve));
    await eventually(() => begun, 'the download to begin');
    const next = await here.run(file, '--takeover');
    await old.until(/SIGQUIT/);
    const began = performance.now();
    assert.equal((await ask(here.url)).body, 'hello');
    assert.equal(await echo('still there?'), 'still there?');
    assert.equal(await long, 2000);
    assert.equal(await echo('and now?'), 'and now?');
    const closed = new Promise((resolve) => socket.once('close', resolve));
    assert.equal(await old.ended, 0);
    await closed;
    assert.ok(performance.now() - began > 2000, 'it lived until the deadline');
    await eventually(() => here.log().includes('drain-timeout cut 1 connections'), 'the log tells of it');
    assert.equal((await ask(here.url)).body, 'hello');
    assert.equal(await next.end(), 0);
  });

  test('nobody there: a plain start that says so', async (t) => {
    const here = await place(t);
    const program = await here.run(here.write({ routes: [{ respond: { status: 200 } }] }), '--takeover');
    assert.match(program.output(), /nobody to take over from, so this is a plain start/);
    assert.equal((await ask(here.url)).status, 200);
    assert.equal(await program.end(), 0);
  });

  test('a unix socket cannot be shared: 2, and why', async (t) => {
    const here = await place(t);
    const socket = join(here.folder, 'front.sock');
    const file = here.write({ listen: [`unix:${socket}`], routes: [{ respond: { status: 200 } }] });
    const program = startNode(t, [CLI, 'run', file, '--takeover']);
    assert.equal(await program.ended, 2);
    assert.match(
      program.output(),
      /cannot share unix:.*front\.sock: a unix socket has one owner\. Stop the old process/,
    );
  });

  for (const sharing of [true, false]) {
    test(`another program on the port, ${sharing ? 'sharing it' : 'alone'}: it lives, and the error names it`, async (t) => {
      const here = await place(t);
      const other = await stranger(t, here, sharing);
      const file = here.write({ routes: [{ respond: { status: 200 } }] });
      const program = startNode(t, [CLI, 'run', file, '--takeover']);
      assert.equal(await program.ended, 1);
      assert.match(program.output(), new RegExp(`\\(process \\d+\\) on port ${here.port} is no sluice`));
      assert.match(await raw(here), /stranger/);
      other.signal('SIGTERM');
    });
  }

  test('another program beside a sluice: neither is touched', async (t) => {
    const here = await place(t);
    const file = here.write({ routes: [{ respond: { status: 200 } }] });
    const old = await here.run(file);
    await stranger(t, here, true);
    const program = startNode(t, [CLI, 'run', file, '--takeover']);
    assert.equal(await program.ended, 1);
    assert.match(program.output(), /is no sluice that was started by its command; stop it, or listen elsewhere/);
    assert.doesNotMatch(old.output(), /SIGQUIT|SIGTERM/);
    assert.equal(await old.end(), 0);
  });

  test('a sluice on the same port of another address is left alone', async (t) => {
    const here = await place(t);
    const other = await address();
    const routes: TopInput['routes'] = [{ respond: { status: 200 } }];
    const neighbour = await here.run(here.write({ listen: `${other.host}:${here.port}`, routes }, 'neighbour.json'));
    const program = await here.run(here.write({ routes }), '--takeover');
    assert.match(program.output(), /nobody to take over from/);
    assert.doesNotMatch(neighbour.output(), /SIGQUIT/);
    assert.equal((await ask(`http://${other.host}:${here.port}`)).status, 200);
  });

  test('a new one that cannot start changes nothing for the old one', async (t) => {
    const here = await place(t);
    const routes: TopInput['routes'] = [{ respond: { status: 200, body: 'old' } }];
    const old = await here.run(here.write({ routes }));
    const wrong = here.write({ routes, upstream: {} } as TopInput, 'wrong.json');
    const first = startNode(t, [CLI, 'run', wrong, '--takeover']);
    assert.equal(await first.ended, 2);
    assert.match(first.output(), /unknown option "upstream"/);

    const taken = await address();
    await stranger(t, taken, false);
    const two = [`${here.host}:${here.port}`, `${taken.host}:${taken.port}`];
    const second = startNode(t, [CLI, 'run', here.write({ listen: two, routes }, 'taken.json'), '--takeover']);
    assert.equal(await second.ended, 1);
    assert.match(second.output(), new RegExp(`on port ${taken.port} is no sluice`));

    const elsewhere = here.write({ routes, log: { access: join(here.folder, 'no', 'such.log') } }, 'log.json');
    const third = startNode(t, [CLI, 'run', elsewhere, '--takeover']);
    assert.equal(await third.ended, 1);
    assert.match(third.output(), /its folder does not exist/);

    for (let i = 0; i < 10; i++) assert.equal((await ask(here.url)).body, 'old');
    assert.doesNotMatch(old.output(), /SIGQUIT|SIGTERM/);
    assert.equal(await old.end(), 0);
  });

  test('two at once: the old one is not cut off, whoever asks it to leave', async (t) => {
    const here = await place(t);
    const file = here.write({ upstreams: { app: { origins: await origin(t) } } });
    const old = await here.run(file);
    let begun = false;
    const long = download(`${here.url}/long`, () => (begun = true));
    await eventually(() => begun, 'the download to begin');
    old.signal('SIGQUIT');
    await old.until(/SIGQUIT/);
    old.signal('SIGQUIT');
    assert.equal(await long, 2000);
    assert.equal(await old.ended, 0);
  });

  test('the admin socket moves over, and is waited for without a word too many', async (t) => {
    const here = await place(t);
    const admin = join(here.folder, 'admin.sock');
    const file = here.write({ admin: `unix:${admin}`, routes: [{ respond: { status: 200 } }] });
    const old = await here.run(file);
    const pidOf = async (): Promise<number> => {
      const { body } = await ask('http://localhost/v1/status', { socketPath: admin });
      return (JSON.parse(body) as { pid: number }).pid;
    };
    const before = await pidOf();
    const next = await here.run(file, '--takeover');
    assert.equal(await old.ended, 0);
    await eventually(() => here.log().split('listening on unix:').length === 3, 'the new one has the socket');
    assert.notEqual(await pidOf(), before);
    assert.equal(here.log().match(/admin-waits/g)?.length, 1);
    assert.doesNotMatch(here.log(), /admin-failed/);
    assert.equal(await next.end(), 0);
    assert.equal(existsSync(admin), false, 'nothing is left behind');
  });
});

/** What a connection gets that sends nothing of HTTP. */
async function raw({ host, port }: Address): Promise<string> {
  const { connect } = await import('node:net');
  return new Promise((resolve, reject) => {
    let got = '';
    connect(port, host)
      .on('data', (bytes: Buffer) => (got += bytes.toString()))
      .on('end', () => resolve(got))
      .on('error', reject);
  });
}

test('one that a child of the old sluice starts would end with it, and says so', async (t) => {
  const { write } = await place(t);
  const file = write({ upstreams: { app: { origins: '127.0.0.1:9' } } });
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'run', '--takeover', file], {
    env: { ...process.env, SLUICE_CHILD: 'x.1' },
    timeout: 60_000,
  });
  assert.equal(status, 2);
  assert.match(String(stderr), /env -u SLUICE_CHILD sluice run --takeover/);
});
