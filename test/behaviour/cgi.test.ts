/** CGI programs behind a whole sluice: what they are told, what their answers become, and how they end. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { start } from '../support/line.ts';
import { fetchOnce, running } from '../support/running.ts';
import { startNode } from '../support/program.ts';
import { eventually, type Peer } from '../support/scripted.ts';
import { children, openFiles, runs, scripts } from '../support/scripts.ts';

// Processes are looked at in /proc.
const linux = process.platform === 'linux' ? {} : { skip: 'not Linux' };

const HELLO = "printf 'Content-Type: text/plain\\n\\nhello'";
const get = (target: string, ...fields: string[]): string =>
  [`GET ${target} HTTP/1.1`, 'Host: a', ...fields, '', ''].join('\r\n');
const post = (target: string, body: string): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('what a program is told', linux, () => {
  test('its environment is the request, PATH and what the config hands on; and it has no arguments', async (t) => {
    const { add, folder } = scripts(t);
    process.env['SLUICE_TEST_PASSED'] = 'passed';
    process.env['SLUICE_TEST_SECRET'] = 'secret';
    t.after(() => {
      delete process.env['SLUICE_TEST_PASSED'];
      delete process.env['SLUICE_TEST_SECRET'];
    });
    const file = add('env', 'printf "Content-Type: text/plain\\n\\n"', 'echo "$#" "$(pwd)"', 'exec env');
    const line = await start(t, `cgi:${file}`, {
      cgi: { prefix: '/app', env: { MORE: 'm\u00f6re' } },
      process: { pass: ['SLUICE_TEST_PASSED', 'SLUICE_TEST_MISSING'] },
    });
    const peer = await line.connect();
    peer.send(
      get(
        '/app/a%20b?-s+-d',
        'Proxy: http://evil',
        'X-Utf: \u00c3\u00bc',
        'X-Odd: a\u00e4b',
        "X-Shell: '$(id)' %s \\0101",
      ),
    );
    const [first, ...rest] = (await peer.answer()).body.trim().split('\n');
    assert.equal(first, `0 ${folder}`);
    const env = Object.fromEntries(
      rest.map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    );
    for (const [name, value] of Object.entries({
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: 'GET',
      SCRIPT_NAME: '/app',
      PATH_INFO: '/a b',
      QUERY_STRING: '-s+-d',
      SCRIPT_FILENAME: file,
      PATH: process.env['PATH'],
      MORE: 'm\u00c3\u00b6re',
      SLUICE_TEST_PASSED: 'passed',
      HTTP_X_UTF: '\u00c3\u00bc',
      HTTP_X_ODD: 'a\u00e4b',
      HTTP_X_SHELL: "'$(id)' %s \\0101",
    }))
      assert.equal(env[name], value, name);
    for (const name of ['HTTP_PROXY', 'SLUICE_TEST_SECRET', 'SLUICE_TEST_MISSING', 'HOME', 'CONTENT_LENGTH'])
      assert.equal(env[name], undefined, name);
  });

  test('bytes that are not UTF-8 arrive as they are, line ends at the end included', async (t) => {
    const { add } = scripts(t);
    const file = add('odd', 'printf "Content-Type: text/plain\\n\\n"', 'printf "%s|" "$PATH_INFO" "$HTTP_X_ALL"');
    const line = await start(t, `cgi:${file}`);
    const peer = await line.connect();
    const all = String.fromCharCode(...Array.from({ length: 222 }, (_, i) => i + 33).filter((one) => one !== 127));
    peer.send(get('/%e4%0a%0A', `X-All: ${all}`));
    assert.equal((await peer.answer()).body, `/\u00e4\n\n|${all}|`);
  });

  test('the body is its input, to the end and no further', async (t) => {
    const { add } = scripts(t);
    const file = add('cat', 'printf "Content-Type: text/plain\\n\\n$CONTENT_LENGTH:"', 'exec cat');
    const line = await start(t, `cgi:${file}`);
    const long = 'abcdefghij'.repeat(150_000);
    for (const body of ['x', long, '']) {
      // The answer begins before the end of the request: sluice closes such a connection.
      const peer = await line.connect();
      peer.send(post('/', body));
      assert.equal((await peer.answer()).body, `${body.length}:${body}`);
    }
    const peer = await line.connect();
    peer.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    assert.equal((await peer.answer()).body, '5:hello', 'gathered first');
    peer.send(get('/'));
    assert.equal((await peer.answer()).body, ':', 'no body is an empty one');
    await line.settled();
  });

  test('limits, umask', async (t) => {
    const { add } = scripts(t);
    const file = add(
      'limits',
      'printf "Content-Type: text/plain\\n\\n"',
      'echo $(ulimit -t) $(ulimit -v) $(ulimit -n) $(ulimit -f) $(umask)',
    );
    const line = await start(t, `cgi:${file}`, {
      process: { cpu: '1500ms', memory: '512MiB', files: 20, fileSize: '1MiB', umask: '027' },
    });
    const peer = await line.connect();
    peer.send(get('/'));
    assert.equal((await peer.answer()).body, '2 524288 20 2048 0027\n');
  });

  test('as somebody else', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('only root may do that');
    const { add } = scripts(t);
    const file = add('id', 'printf "Content-Type: text/plain\\n\\n"', 'echo $(id -u) $(id -G)');
    for (const [own, expected] of [
      [{ user: 'daemon' }, '1 1\n'],
      [{ user: '65534', group: 'sys' }, '65534 3\n'],
    ] as const) {
      const line = await start(t, `cgi:${file}`, { process: own });
      const peer = await line.connect();
      peer.send(get('/'));
      assert.equal((await peer.answer()).body, expected);
    }
  });
});

describe('which script', linux, () => {
  test('below a folder: by the first segment, or by its end', async (t) => {
    const { add, folder } = scripts(t);
    const bin = join(folder, 'cgi-bin');
    mkdirSync(join(bin, 'folder.sh'), { recursive: true });
    const echo = ['printf "Content-Type: text/plain\\n\\n$SCRIPT_NAME|$PATH_INFO|$SCRIPT_FILENAME|$PWD"'];
    const hello = add('cgi-bin/hello.sh', ...echo);
    add('cgi-bin/.hidden.sh', ...echo);
    add('outside.sh', ...echo);
    symlinkSync(join(folder, 'outside.sh'), join(bin, 'out.sh'));
    symlinkSync(hello, join(bin, 'in.sh'));
    writeFileSync(join(bin, 'plain.sh'), 'not executable');
    writeFileSync(join(bin, 'noint.sh'), '#!/no/interpreter');
    chmodSync(join(bin, 'noint.sh'), 0o755);
    const at = (name: string, info = ''): string => `/cgi-bin/${name}|${info}|${bin}/${name}|${bin}`;
    for (const [cgi, asked] of [
      [
        { root: folder, prefix: '/cgi-bin', index: 'hello.sh' },
        {
          '/cgi-bin/hello.sh': at('hello.sh'),
          '/cgi-bin/hello.sh/x/y': at('hello.sh', '/x/y'),
          '/cgi-bin/': at('hello.sh'),
          '/cgi-bin/x/../%68ello.sh': at('hello.sh'),
          '/cgi-bin/in.sh': at('in.sh'),
          '/cgi-bin': 'no-script',
          '/outside.sh': 'no-script',
          '/cgi-bin/.hidden.sh': 'no-script',
          '/cgi-bin/..%2foutside.sh': 'no-script',
          '/cgi-bin/missing.sh': 'script-missing',
          '/cgi-bin/%e4.sh': 'script-missing',
          '/cgi-bin/folder.sh': 'script-missing',
          '/cgi-bin/plain.sh': 'script-forbidden',
          '/cgi-bin/out.sh': at('out.sh'),
        },
      ],
      [
        { root: bin, split: ['.sh'], index: 'index.sh' },
        {
          '/hello.sh/x': `/hello.sh|/x|${bin}/hello.sh|${bin}`,
          '/': 'script-missing',
          '/hello': 'no-script',
          '/out.sh': 'script-forbidden',
          '/noint.sh': 'script-forbidden',
          '/hello.sh%00.sh': 'bad-target',
        },
      ],
    ] as const) {
      const line = await start(t, 'cgi:', { cgi: { ...cgi, split: 'split' in cgi ? [...cgi.split] : [] } });
      const peer = await line.connect();
      for (const [target, expected] of Object.entries(asked)) {
        peer.send(get(target));
        const { status, body } = await peer.answer();
        if (expected.includes('|')) assert.equal(body, expected, target);
        else assert.match(`${status} ${body}`, new RegExp(`^40[034] .*${expected}`), target);
      }
      await line.settled();
    }
  });
});

describe('what answers become', linux, () => {
  /** Lines of a script, the status, what the log says, and the body where it is complete. */
  const cases: Readonly<
    Record<
      string,
      [lines: string[], status: number, error: string | undefined, detail: RegExp | undefined, body?: string]
    >
  > = {
    document: [[HELLO], 200, undefined, undefined, 'hello'],
    'status and a long way round': [
      ['printf "Status: 404 Nope\\r\\nX: y\\r\\n\\r\\nno"'],
      404,
      undefined,
      undefined,
      'no',
    ],
    'a redirect': [['printf "Location: http://else/\\n\\n"'], 302, undefined, undefined, ''],
    'more than it said': [['printf "Content-Length: 2\\n\\nhi, and more"'], 200, undefined, undefined, 'hi'],
    'a bad end after a good answer': [[HELLO, 'exit 5'], 200, undefined, undefined, 'hello'],
    'less than it said': [['printf "Content-Length: 5\\n\\nhi"'], 200, 'answer-incomplete', /exit status 0/],
    'killed after its head': [[HELLO, 'kill -KILL $$'], 200, 'answer-incomplete', /killed by SIGKILL/],
    nothing: [['exit 0'], 502, 'program-ended', /^exit status 0, no output$/],
    'a status': [['exit 3'], 502, 'program-ended', /^exit status 3, no output$/],
    'a signal': [['kill -SEGV $$'], 502, 'program-ended', /^killed by SIGSEGV, no output$/],
    'half a head': [['printf "Content-Type: te"'], 502, 'program-ended', /^exit status 0, its head is not complete$/],
    'no head': [['printf "hello\\n\\n"'], 502, 'bad-answer', /./],
    'a large head': [['yes X: y | head -c 100000'], 502, 'answer-head-too-large', /./],
    'closed output': [['exec >&-', 'exec sleep 60'], 502, 'program-ended', /^it closed its output, no output$/],
    'no time': [['exec sleep 60'], 504, 'answer-timeout', undefined],
  };
  for (const [name, [lines, status, error, detail, body]] of Object.entries(cases)) {
    test(name, async (t) => {
      const { add, folder, read } = scripts(t);
      const file = add('x', `echo $$ > ${folder}/pid`, ...lines);
      const line = await start(t, `cgi:${file}`, { timeouts: { firstByte: name === 'no time' ? '200ms' : '30s' } });
      const peer = await line.connect();
      peer.send(get('/'));
      if (body === undefined && error === 'answer-incomplete') await peer.end();
      else {
        const answer = await peer.answer();
        assert.equal(answer.status, status);
        if (body !== undefined) assert.equal(answer.body, body);
      }
      const [logged] = await line.logged(1);
      assert.deepEqual([logged.status, logged.error], [status, error]);
      if (detail !== undefined) assert.match(logged.detail ?? '', detail);
      await eventually(() => !runs(Number(read('pid'))), 'it has ended');
      if (name === 'a bad end after a good answer')
        await eventually(() => line.said.some((one) => one.endsWith(': exit status 5 after its answer')), 'a note');
    });
  }

  test('HEAD has a head only', async (t) => {
    const line = await start(t, `cgi:${scripts(t).add('x', HELLO)}`);
    const peer = await line.connect();
    peer.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal((await peer.until('\r\n\r\n')).split('\r\n')[0], 'HTTP/1.1 200 OK');
    await line.logged(1);
  });

  test('what it complains about is in the log before what becomes of it, line by line and within bounds', async (t) => {
    const { add } = scripts(t);
    const file = add('x', 'printf "one\\ntwo" >&2', 'yes three | head -n 500 >&2', 'exit 1');
    const line = await start(t, `cgi:${file}`);
    const peer = await line.connect();
    peer.send(get('/'));
    assert.equal((await peer.answer()).status, 502);
    const [logged] = await line.logged(1);
    const says = line.said.filter((one) => one.includes('origin-says'));
    assert.match(says[0] ?? '', new RegExp(`^warn origin-says app cgi:${file} ${logged.id}: one$`));
    assert.match(says[1] ?? '', /: twothree$/);
    assert.equal(says.length, 101);
    assert.match(says[100] ?? '', /the rest is left out$/);
  });

  test('a background job that keeps the output open holds up no answer, and lives on', async (t) => {
    const { add, read } = scripts(t);
    const file = add('x', HELLO, 'sleep 60 &', 'echo $! > "$(dirname "$0")/job"');
    const line = await start(t, `cgi:${file}`);
    const peer = await line.connect();
    peer.send(get('/'));
    assert.equal((await peer.answer()).body, 'hello');
    const job = Number(read('job'));
    t.after(() => process.kill(job, 'SIGKILL'));
    await line.settled();
    assert.equal(runs(job), true);
  });
});

describe('input that is not read', linux, () => {
  // More than pipes hold.
  const body = 'x'.repeat(3_000_000);

  for (const [name, lines] of Object.entries({
    'at all': [HELLO],
    'to its end': ['head -c 70000 > /dev/null', HELLO],
  })) {
    test(name, async (t) => {
      const line = await start(t, `cgi:${scripts(t).add('x', ...lines)}`);
      for (let i = 0; i < 5; i++) {
        const peer = await line.connect();
        peer.send(post('/', body));
        const answer = await peer.answer();
        assert.deepEqual([answer.status, answer.body], [200, 'hello']);
        peer.close();
      }
      const logged = await line.logged(5);
      assert.deepEqual(
        logged.map(({ error }) => error),
        [undefined, undefined, undefined, undefined, undefined],
      );
    });
  }

  test('and a large answer to a client who reads it late', async (t) => {
    const file = scripts(t).add('x', 'printf "Content-Type: a/b\\n\\n"', 'yes 123456789 | head -c 8000000');
    const line = await start(t, `cgi:${file}`);
    const peer = await line.connect();
    // HTTP/1.0, so that the body comes as it is.
    peer.send(post('/', body).replace('HTTP/1.1', 'HTTP/1.0'));
    peer.pause();
    // Longer than a program is waited for that has ended while somebody keeps its output open.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    peer.resume();
    const answer = await peer.end();
    const text = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    assert.equal(text.length, 8_000_000);
    assert.ok(text === '123456789\n'.repeat(800_000));
  });
});

describe('how programs end', linux, () => {
  /** Ignores SIGTERM, and has a child that does so, too. */
  const STUBBORN = [
    'cd "$(dirname "$0")"',
    "trap '' TERM",
    '(sleep 120; :) &',
    'echo $! > child',
    'echo $$ > pid',
    'printf "Content-Type: a/b\\n\\nbegun"',
    'while :; do sleep 1; done',
  ];

  async function begun(t: TestContext, lines: readonly string[], kill: '100ms' | '30s' = '100ms') {
    const found = scripts(t);
    const file = found.add('x', ...lines);
    const line = await start(t, `cgi:${file}`, { process: { kill } });
    const peer = await line.connect();
    peer.send(get('/'));
    await peer.until('begun');
    const pids = [found.read('pid'), found.read('child')].filter(Boolean).map(Number);
    t.after(() => {
      for (const pid of pids) if (runs(pid)) process.kill(pid, 'SIGKILL');
    });
    for (const pid of pids) assert.equal(runs(pid), true);
    const gone = (): Promise<void> => eventually(() => !pids.some(runs), 'all have ended');
    return { line, peer, gone, found };
  }

  test('the client leaves: it and all that it has started are ended, the unwilling too', async (t) => {
    const { line, peer, gone } = await begun(t, STUBBORN);
    peer.close();
    await gone();
    await line.settled();
    await eventually(
      () => children().length === 0,
      () => `children ${children().join()}`,
    );
  });

  test('it may clean up when it is told to end', async (t) => {
    const script = [
      'cd "$(dirname "$0")"',
      "trap 'echo clean > done; exit' TERM",
      'echo $$ > pid',
      'printf "Content-Type: a/b\\n\\nbegun"',
      'while :; do sleep 0.01; done',
    ];
    const { peer, gone, found } = await begun(t, script, '30s');
    peer.close();
    await gone();
    assert.equal(found.read('done'), 'clean\n');
  });

  test('sluice ends: nobody stays behind', async (t) => {
    const { line, gone } = await begun(t, STUBBORN);
    await line.sluice.close(0);
    await gone();
  });

  test('after its answer it may go on for a while', async (t) => {
    const { add, read } = scripts(t);
    const lines = ['cd "$(dirname "$0")"', 'echo $$ > pid', 'printf "Content-Length: 2\\n\\nhi"', 'exec sleep 60'];
    const line = await start(t, `cgi:${add('x', ...lines)}`, { process: { finish: '300ms' } });
    const peer = await line.connect();
    peer.send(get('/'));
    assert.equal((await peer.answer()).body, 'hi');
    await line.settled();
    await eventually(() => !runs(Number(read('pid'))), 'it was told to end');
  });

  test('no process and no file is left over', async (t) => {
    const { add } = scripts(t);
    const good = add('good', HELLO);
    const bad = add('bad', 'exit 1');
    const line = await start(t, [`cgi:${good}`, `cgi:${bad}`], { balance: 'round-robin', eject: { on: [] } });
    const round = async (): Promise<void> => {
      const peer = await line.connect();
      for (let i = 0; i < 10; i++) {
        peer.send(get('/'));
        assert.equal((await peer.answer()).status, 200);
      }
      peer.close();
      await eventually(() => peer.ending !== 'open' || peer.socket.destroyed, 'the client is gone');
    };
    await round();
    await eventually(() => children().length === 0, 'no children');
    const before = openFiles();
    for (let i = 0; i < 3; i++) await round();
    await eventually(
      () => children().length === 0 && openFiles() <= before + 1,
      () => `children ${children().join()}, ${openFiles()} files, there were ${before}`,
    );
  });
});

describe('programs are origins as others are', linux, () => {
  test('one that is not there costs a request nothing, even one that may not be repeated', async (t) => {
    const { add, folder } = scripts(t);
    const plain = join(folder, 'plain');
    writeFileSync(plain, '');
    const origins = [
      `cgi:${folder}/missing`,
      `cgi:${plain}`,
      `cgi:${folder}`,
      `cgi:${add('x', 'printf "A: b\\n\\n"; cat')}`,
    ];
    const line = await start(t, origins);
    const peer = await line.connect();
    peer.send(post('/', 'y'.repeat(200_000)));
    const answer = await peer.answer();
    assert.deepEqual([answer.status, answer.body.length], [200, 200_000]);
    assert.equal((await line.logged(1))[0].attempts, 4);
    assert.deepEqual(
      line.app.origins.map(({ state }) => state),
      ['down', 'down', 'down', 'up'],
    );
    chmodSync(plain, 0o755);
    await eventually(() => line.app.origins[1]?.state === 'up', 'it is tried again');
  });

  test('one that fails is asked again elsewhere, where that is safe', async (t) => {
    const { add } = scripts(t);
    const line = await start(t, [`cgi:${add('bad', 'exit 1')}`, `cgi:${add('good', HELLO)}`]);
    const peer = await line.connect();
    peer.send(get('/'));
    assert.equal((await peer.answer()).body, 'hello');
    peer.send(post('/', 'x'));
    assert.equal((await peer.answer()).status, 502);
    const logged = await line.logged(2);
    assert.deepEqual(
      logged.map(({ attempts, error }) => [attempts, error]),
      [
        [2, undefined],
        [1, 'program-ended'],
      ],
    );
  });

  test('no more than may run at once; the others wait', async (t) => {
    const { add, read } = scripts(t);
    const lines = ['cd "$(dirname "$0")"', 'echo + >> log', 'sleep 0.1', 'echo - >> log', HELLO];
    const line = await start(t, `cgi:${add('x', ...lines)}`, { maxConnections: 1 });
    const peers: Peer[] = [];
    for (let i = 0; i < 3; i++) peers.push(await line.connect());
    for (const peer of peers) peer.send(get('/'));
    for (const peer of peers) assert.equal((await peer.answer()).body, 'hello');
    assert.equal(read('log'), '+\n-\n+\n-\n+\n-\n');
  });

  test('how many that are by default goes by the cores', async (t) => {
    const file = scripts(t).add('x', HELLO);
    const four = 4 * availableParallelism();
    assert.equal((await start(t, `cgi:${file}`)).first.maxConnections, four);
    assert.equal((await start(t, `cgi:${file}`, { maxConnections: 'off' })).first.maxConnections, four);
    assert.equal((await start(t, { url: `cgi:${file}`, maxConnections: 'off' })).first.maxConnections, Infinity);
    assert.equal((await start(t, `cgi:${file}`, { maxConnections: 2 })).first.maxConnections, 2);
    assert.equal((await start(t, '127.0.0.1:1')).first.maxConnections, Infinity);
  });

  test('several threads start programs', async (t) => {
    const { base } = await running(t, {
      listen: '127.0.0.1:0',
      threads: 2,
      upstreams: { app: { origins: `cgi:${scripts(t).add('x', HELLO)}` } },
    });
    const all = await Promise.all(Array.from({ length: 30 }, () => fetchOnce(base)));
    assert.deepEqual([...new Set(all.map(({ status, body }) => `${status} ${body}`))], ['200 hello']);
    await eventually(
      () => children().length === 0,
      () => `children ${children().join()}`,
    );
  });

  for (const threads of [1, 2]) {
    test(`sluice is killed: no program is left (threads: ${threads})`, async (t) => {
      const { add, folder, read } = scripts(t);
      // Sluice has a moment to tell the keeper: a program that is begun in the instant of the kill may be missed.
      const lines = ["trap '' TERM PIPE", 'sleep 0.3', `echo $$ > ${folder}/pid`, 'while :; do sleep 0.1; done'];
      const file = add('x', ...lines);
      const config = join(folder, 'sluice.json');
      const upstreams = { app: { origins: `cgi:${file}` } };
      writeFileSync(config, JSON.stringify({ listen: '127.0.0.1:0', threads, upstreams, log: { access: 'off' } }));
      const sluice = startNode(t, ['src/cli.ts', 'run', config]);
      const [, base = ''] = await sluice.until(/listening on (http:[^\s,]+)/);
      void fetchOnce(base);
      await eventually(() => read('pid').endsWith('\n'), 'it has begun');
      const pid = Number(read('pid'));
      t.after(() => runs(pid) && process.kill(-pid, 'SIGKILL'));
      sluice.signal('SIGKILL');
      await sluice.ended;
      await eventually(() => !runs(pid), 'it is ended');
    });
  }

  test('a thread that dies takes its programs along', async (t) => {
    const { add, folder, read } = scripts(t);
    const file = add('x', `echo $$ > ${folder}/pid`, "printf 'Content-Type: text/plain\\n\\nbegun'", 'sleep 60 & wait');
    const { base, sluice } = await running(t, {
      listen: '127.0.0.1:0',
      threads: 2,
      upstreams: { app: { origins: `cgi:${file}` } },
    });
    // Some of its answer is here: so the thread is through with starting it, and has told whoever ends it.
    const answer = await fetch(base);
    const asked = answer.text().catch(() => null);
    const pid = Number(read('pid'));
    t.after(() => runs(pid) && process.kill(-pid, 'SIGKILL'));
    await Promise.all([sluice.fleet?.kill(0), sluice.fleet?.kill(1)]);
    await asked;
    // What is left of it is a zombie: Node waits only for what the same thread has started, and that is gone.
    await eventually(() => !runs(pid), 'it is ended');
  });

  test('a thread of several ends in time, whatever its programs ignore', async (t) => {
    const { add, folder, read } = scripts(t);
    const file = add('x', "trap '' TERM PIPE", `echo $$ > ${folder}/pid`, 'while :; do sleep 0.1; done');
    const upstreams = { app: { origins: `cgi:${file}`, process: { kill: '10m' } } };
    const line = await running(t, { listen: '127.0.0.1:0', threads: 2, upstreams });
    void fetchOnce(line.base);
    await eventually(() => read('pid').endsWith('\n'), 'it has begun');
    const pid = Number(read('pid'));
    t.after(() => runs(pid) && process.kill(-pid, 'SIGKILL'));
    await line.sluice.close(100);
    assert.equal(runs(pid), false);
  });

  test('what cannot be started is said', async (t) => {
    const { add } = scripts(t);
    const file = add('x', HELLO);
    for (const [upstream, status, error, detail] of [
      [{ process: { user: 'nobody.of.this.name' } }, 504, 'backlog-timeout', /program-not-started no user nobody\.of/],
      [{ cgi: { env: { LONG: 'x'.repeat(200_000) } } }, 431, 'head-too-large-for-origin', /E2BIG/],
    ] as const) {
      const line = await start(t, `cgi:${file}`, { ...upstream, queue: { timeout: '300ms' } });
      const peer = await line.connect();
      peer.send(get('/'));
      assert.equal((await peer.answer()).status, status);
      const [logged] = await line.logged(1);
      assert.equal(logged.error, error);
      assert.match(logged.detail ?? '', detail);
    }
  });
});
