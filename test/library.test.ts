/** sluice inside somebody else's program: what `src/index.ts` promises, hooks above all. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { ConfigError, createSluice, type HookFunctions, type RunningSluice, type UpstreamInput } from '../src/index.ts';
import { startNode } from './support/program.ts';
import { client, eventually, get, ok, origin, post, server, sleep, type Peer } from './support/scripted.ts';

interface Running {
  readonly proxy: RunningSluice;
  connect(): Promise<Peer>;
}

/** One upstream that gets everything. Its messages are off: tests look at answers. */
async function start(
  t: TestContext,
  origins: readonly string[],
  hooks: HookFunctions,
  upstream: Omit<UpstreamInput, 'origins'> = {},
): Promise<Running> {
  const proxy = await createSluice(
    { listen: '127.0.0.1:0', upstreams: { app: { ...upstream, origins } }, log: { error: 'off' } },
    hooks,
  );
  t.after(() => proxy.close(0));
  return { proxy, connect: () => client(t, Number(new URL(proxy.addresses[0] ?? '').port)) };
}

/** The same as an asynchronous function. */
function later<Argument>(run: (argument: Argument) => void): (argument: Argument) => Promise<void> {
  return async (argument) => {
    await sleep(20);
    run(argument);
  };
}

describe('the library', () => {
  test('starts, says where, serves, and closes; twice is once', async (t) => {
    const app = await server(t, () => ok('hello'));
    const { proxy, connect } = await start(t, [app.url], {});
    assert.match(proxy.addresses.join(), /^http:\/\/127\.0\.0\.1:\d+$/);
    const peer = await connect();
    peer.send(get());
    assert.equal((await peer.answer()).body, 'hello');
    await Promise.all([proxy.close(), proxy.close()]);
    await proxy.close();
    await assert.rejects(connect(), { code: 'ECONNREFUSED' });
  });

  test('a wrong config is one error with all problems', async () => {
    const wrong = { listen: 'nowhere', upstreams: { app: { origins: [] } }, roots: [] };
    await assert.rejects(createSluice(wrong as never), (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.name, 'ConfigError');
      assert.ok(error.problems.length >= 3, error.message);
      for (const { message } of error.problems) assert.ok(error.message.includes(message), message);
      return true;
    });
  });

  test('a port that is taken is the system’s error, and nothing stays open', async (t) => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    t.after(() => void taken.close());
    const { port } = taken.address() as { port: number };
    const config = { listen: ['127.0.0.1:0', `127.0.0.1:${port}`], upstreams: { app: { origins: [1] } } };
    await assert.rejects(createSluice(config), { code: 'EADDRINUSE' });
  });

  test('disposing of it is closing it', async (t) => {
    const app = await server(t, () => ok());
    const { proxy, connect } = await start(t, [app.url], {});
    await proxy[Symbol.asyncDispose]();
    await assert.rejects(connect(), { code: 'ECONNREFUSED' });
  });

  test('several in one process keep to themselves', async (t) => {
    const apps = await Promise.all(['a', 'b', 'c'].map((name) => server(t, () => ok(name))));
    const all = await Promise.all(
      apps.map(({ url }, i) => start(t, [url], { onResponse: ({ headers }) => headers.set('X-Number', String(i)) })),
    );
    for (const [i, { connect }] of all.entries()) {
      const peer = await connect();
      peer.send(get());
      const answer = await peer.answer();
      assert.deepEqual([answer.body, answer.field('x-number')], ['abc'[i], String(i)]);
    }
    await all[0].proxy.close();
    const peer = await all[1].connect();
    peer.send(get());
    assert.equal((await peer.answer()).body, 'b');
  });

  test('no signal handlers, no globals, nothing on stdout; and the process ends by itself', async (t) => {
    const script = `
      import { createSluice } from './src/index.ts';
      const before = [Object.keys(globalThis), process.eventNames()].toString();
      const proxy = await createSluice({ listen: '127.0.0.1:0', upstreams: { app: { origins: ['127.0.0.1:1'], queue: { timeout: 50 } } }, log: { error: 'off' } });
      const answer = await fetch(proxy.addresses[0]);
      await answer.text();
      const after = [Object.keys(globalThis), process.eventNames()].toString();
      if (before !== after) throw new Error(before + ' became ' + after);
      if (answer.status !== 504) throw new Error(String(answer.status));
      await proxy.close();`;
    const program = startNode(t, ['--input-type=module', '--eval', script]);
    assert.equal(await program.ended, 0, program.output());
    assert.equal(program.output(), '');
  });

  test('process.exit is not held up by one that runs', async (t) => {
    const script = `
      import { createSluice } from './src/index.ts';
      await createSluice({ listen: '127.0.0.1:0', upstreams: { app: { origins: [1] } } });
      process.exit(7);`;
    const program = startNode(t, ['--input-type=module', '--eval', script]);
    assert.equal(await program.ended, 7, program.output());
  });
});

for (const mode of ['sync', 'async'] as const) {
  const as = <Argument>(run: (argument: Argument) => void): ((argument: Argument) => void | Promise<void>) =>
    mode === 'sync' ? run : later(run);

  describe(`hooks, ${mode}`, () => {
    test('the request’s facts, and changes of its fields', async (t) => {
      const app = await server(t, (request) => ok(request.fields.filter((line) => /^[abc]:/i.test(line)).join()));
      const seen: unknown[] = [];
      const { connect } = await start(t, [app.url], {
        onRequest: as(({ method, target, path, query, host, remoteAddress, id, headers }) => {
          seen.push([method, target, path, query, host, remoteAddress, id !== '']);
          assert.deepEqual(headers.getAll('a'), ['1', '2']);
          headers.set('A', '3');
          headers.delete('b');
          headers.append('C', '4');
          headers.append('C', '5');
          assert.deepEqual(
            headers.entries().filter(([name]) => name === 'C'),
            [
              ['C', '4'],
              ['C', '5'],
            ],
          );
        }),
      });
      const peer = await connect();
      peer.send(get('/x/../%61?q=1', 'a: 1\r\nA: 2\r\nB: 9\r\n'));
      assert.equal((await peer.answer()).body, 'A: 3,C: 4,C: 5');
      assert.deepEqual(seen, [['GET', '/x/../%61?q=1', '/a', 'q=1', 'example.org', '127.0.0.1', true]]);
    });

    test('the answer’s facts, and changes of its fields', async (t) => {
      const app = await server(t, () => ok('body', 'A: 1\r\na: 2\r\nB: 9\r\n'));
      const seen: unknown[] = [];
      const { connect } = await start(t, [app.url], {
        onResponse: as(({ status, request, origin: by, headers }) => {
          seen.push([status, request.method, by, headers.get('content-length')]);
          headers.set('a', '3');
          headers.delete('b');
        }),
      });
      const peer = await connect();
      for (let i = 0; i < 2; i++) {
        peer.send(get());
        const answer = await peer.answer();
        assert.deepEqual([answer.field('a'), answer.field('b'), answer.body], ['3', undefined, 'body']);
      }
      assert.deepEqual(seen, Array(2).fill([200, 'GET', `127.0.0.1:${app.port}`, '4']));
      assert.equal(app.connections.length, 1, 'the channel is used again');
    });

    test('a Host and a Date of the hook’s own are the only ones', async (t) => {
      const app = await server(t, (request) => ok(String(request.field('host'))));
      const { connect } = await start(t, [app.url], {
        onRequest: as(({ headers }) => headers.set('Host', 'other.example')),
        onResponse: as(({ headers }) => headers.set('Date', 'today')),
      });
      const peer = await connect();
      peer.send(get());
      const answer = await peer.answer();
      assert.equal(answer.body, 'other.example');
      assert.equal(answer.field('date'), 'today');
      peer.send(get('http://absolute.example/'));
      assert.equal((await peer.answer()).body, 'other.example');
    });

    test('what throws is a 500, and the next request is served', async (t) => {
      const app = await server(t, () => ok());
      let throwing: 'request' | 'response' | '' = 'request';
      const { connect } = await start(t, [app.url], {
        onRequest: as(() => {
          if (throwing === 'request') throw new Error('secret of the program');
        }),
        onResponse: as(() => {
          // Not an Error, as old programs do.
          // oxlint-disable-next-line no-throw-literal, typescript/only-throw-error
          if (throwing === 'response') throw undefined;
        }),
      });
      for (const one of ['request', 'response'] as const) {
        throwing = one;
        const peer = await connect();
        peer.send(post('body'));
        const failed = await peer.answer();
        assert.equal(failed.status, 500, one);
        assert.match(failed.body, /hook-failed/);
        assert.ok(!failed.head.includes('secret') && !failed.body.includes('secret'));
        throwing = '';
        peer.send(get());
        assert.equal((await peer.answer()).status, 200, one);
      }
    });

    test('framing and connection are not theirs to change', async (t) => {
      const app = await server(t, () => ok());
      const refused: string[] = [];
      const attempt = (run: () => void): void => {
        try {
          run();
        } catch (error) {
          assert.ok(error instanceof TypeError);
          refused.push(error.message);
        }
      };
      const framing = ['Content-Length', 'transfer-encoding', 'Connection', 'upgrade', 'keep-alive', 'TE', 'trailer'];
      const bad: [string, string][] = [
        ['a b', '1'],
        ['', '1'],
        ['a', '1\r\nx: 2'],
        ['a', '\u010a'],
        ['a:', '1'],
      ];
      const all = ({
        headers,
      }: {
        headers: Parameters<NonNullable<HookFunctions['onRequest']>>[0]['headers'];
      }): void => {
        for (const name of framing) {
          attempt(() => headers.set(name, '1'));
          attempt(() => headers.append(name, '1'));
          attempt(() => headers.delete(name));
        }
        for (const [name, value] of bad) attempt(() => headers.set(name, value));
      };
      const { connect } = await start(t, [app.url], { onRequest: as(all), onResponse: as(all) });
      const peer = await connect();
      peer.send(get());
      assert.equal((await peer.answer()).status, 200);
      assert.equal(refused.length, 2 * (3 * framing.length + bad.length));
    });
  });
}

describe('hooks that answer themselves', () => {
  const answering = (t: TestContext, own: unknown): Promise<Running> =>
    start(t, ['127.0.0.1:1'], { onRequest: (async () => own) as never });

  test('with status, fields and body; HEAD has no body, and the connection stays', async (t) => {
    const { connect } = await answering(t, {
      status: 403,
      headers: { 'X-Why': 'so', 'content-type': 'text/plain' },
      body: 'né',
    });
    const peer = await connect();
    peer.send(post('a body nobody reads'));
    const answer = await peer.answer();
    assert.deepEqual([answer.status, answer.field('x-why'), answer.body], [403, 'so', 'n\u00c3\u00a9']);
    peer.send(get().replace('GET', 'HEAD'));
    assert.equal((await peer.answer('head')).field('content-length'), '3');
    peer.send(get());
    assert.equal((await peer.answer()).status, 403);
  });

  test('only with what can be sent: else 500', async (t) => {
    for (const own of [
      { status: 101 },
      { status: 600 },
      { status: '200' },
      {},
      null,
      'text',
      { status: 200, headers: { 'a b': '1' } },
      { status: 200, headers: { a: 'x\r\nSet-Cookie: y' } },
      { status: 200, headers: { 'content-length': '3' } },
      { status: 200, headers: { 'Transfer-Encoding': 'chunked' } },
    ]) {
      const { connect } = await answering(t, own);
      const peer = await connect();
      peer.send(get());
      const answer = await peer.answer();
      assert.equal(answer.status, 500, JSON.stringify(own));
      assert.equal(answer.field('set-cookie'), undefined);
    }
  });
});

describe('a slow onResponse', () => {
  const slow: HookFunctions = { onResponse: () => sleep(50) };

  test('head and whole body came in one read', async (t) => {
    const app = await server(t, () => ok('x'.repeat(20_000)));
    const { connect } = await start(t, [app.url], slow);
    const peer = await connect();
    for (let i = 0; i < 3; i++) {
      peer.send(get());
      assert.equal((await peer.answer()).body.length, 20_000);
    }
    assert.equal(app.connections.length, 1);
  });

  test('the channel it gives back serves whoever waits for it', async (t) => {
    const app = await server(t, () => ok());
    const { connect } = await start(t, [app.url], slow, { maxConnections: 1, timeouts: { firstByte: '5s' } });
    const peers = await Promise.all(Array.from({ length: 5 }, connect));
    for (const peer of peers) peer.send(get());
    for (const peer of peers) assert.equal((await peer.answer()).status, 200);
    assert.equal(app.mostBusy, 1);
  });

  test('a chunked body with trailers, complete or in pieces', async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.request();
      peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n');
      await sleep(100);
      peer.send('3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n');
      await peer.request();
      peer.send('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 3\r\n\r\n');
    });
    const { connect } = await start(t, [app.url], slow);
    const peer = await connect();
    for (const [body, sum] of [
      ['abcdef', '6'],
      ['abc', '3'],
    ]) {
      peer.send(get('/', 'TE: trailers\r\nConnection: TE\r\n'));
      const answer = await peer.answer();
      assert.deepEqual([answer.body, answer.trailers], [body, [`X-Sum: ${sum}`]]);
    }
  });

  test('a large body keeps its order, and what does not fit waits at the origin', async (t) => {
    const body = Array.from({ length: 400_000 }, (_, i) => String(i).padStart(9, '0')).join('\n');
    const app = await server(t, () => ok(body));
    const { connect } = await start(t, [app.url], slow);
    const peer = await connect();
    peer.send(get());
    const answer = await peer.answer();
    assert.ok(answer.body === body, 'the body arrived intact');
  });

  test('the origin ends in the middle: a cut answer looks cut', async (t) => {
    for (const how of ['fin', 'reset'] as const) {
      const app = await origin(t, async (peer) => {
        await peer.request();
        peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc');
        await sleep(10);
        peer[how]();
      });
      const { connect } = await start(t, [app.url], slow);
      const peer = await connect();
      peer.send(get());
      const all = await peer.end();
      assert.ok(!all.includes('200 OK') || all.endsWith('\r\n\r\nabc') || all.endsWith('\r\n\r\n'), `${how}: ${all}`);
    }
  });

  test('a complete answer arrives whole though its origin has left meanwhile', async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.request();
      peer.send(ok('whole'));
      peer.fin();
    });
    const { connect } = await start(t, [app.url], slow);
    const peer = await connect();
    peer.send(get());
    assert.equal((await peer.answer()).body, 'whole');
    peer.send(get());
    assert.equal((await peer.answer()).body, 'whole');
  });

  test('a body that ends with the connection', async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.request();
      peer.send('HTTP/1.1 200 OK\r\n\r\nabc');
      await sleep(10);
      peer.send('def');
      peer.fin();
    });
    const { connect } = await start(t, [app.url], slow);
    const peer = await connect();
    peer.send(get());
    assert.equal((await peer.answer()).body, 'abcdef');
  });

  test('an upgrade, and the first bytes behind it', async (t) => {
    const app = await origin(t, async (peer) => {
      await peer.requestHead();
      peer.send('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nfirst');
      peer.send((await peer.bytes(4)).toUpperCase());
    });
    const { connect } = await start(t, [app.url], slow);
    const peer = await connect();
    peer.send(get('/', 'Connection: Upgrade\r\nUpgrade: echo\r\n'));
    assert.equal((await peer.answer()).status, 101);
    assert.equal(await peer.bytes(5), 'first');
    peer.send('ping');
    assert.equal(await peer.bytes(4), 'PING');
  });
});

describe('a hook that outlives its request', () => {
  for (const where of ['onRequest', 'onResponse'] as const) {
    test(`${where}: what it still touches throws, and nobody else is disturbed`, async (t) => {
      const app = await server(t, () => ok());
      let goOn = (): void => {};
      let begun = false;
      let outcome: unknown;
      const wait = new Promise<void>((resolve) => (goOn = resolve));
      let first = true;
      const hook = async (view: { headers: { get(name: string): unknown } }): Promise<void> => {
        if (!first) return;
        first = false;
        begun = true;
        await wait;
        try {
          outcome = view.headers.get('host');
        } catch (error) {
          outcome = error;
          throw error;
        }
      };
      const { connect } = await start(t, [app.url], { [where]: hook });
      const leaving = await connect();
      leaving.send(get());
      await eventually(() => begun, 'the hook begins');
      leaving.reset();
      await sleep(50);
      // The memory of the first request may serve this one.
      const peer = await connect();
      peer.send(get('/second'));
      assert.equal((await peer.answer()).status, 200);
      goOn();
      await eventually(() => outcome !== undefined, 'the hook ends');
      assert.match(String(outcome), /this request is over/);
      peer.send(get('/third'));
      assert.equal((await peer.answer()).status, 200);
    });
  }
});
