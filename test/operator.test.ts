/** The commands of operators, as they are typed, against a real admin interface; and against none. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { root } from '../scripts/tools.ts';
import { planView, statusView } from '../src/control/views.ts';
import { admin, folderOf, TOKEN, type Admin } from './support/admin.ts';
import { skipUnless } from './support/peer.ts';
import { startNode } from './support/program.ts';

const CLI = join(root, 'src', 'cli.ts');

interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

/** Runs `sluice words…` in an empty folder, unless there is one. */
async function sluice(
  t: TestContext,
  words: readonly string[],
  env: Record<string, string> = {},
  cwd = folderOf(t),
): Promise<Outcome> {
  const program = startNode(t, [CLI, ...words], { cwd, env: { SLUICE_ADMIN: '', SLUICE_ADMIN_TOKEN: '', ...env } });
  const code = await program.ended;
  const output = program.output();
  assert.doesNotMatch(output, /^ {4}at /m, 'no stack');
  assert.ok(!output.includes(TOKEN), 'the token is never shown');
  return { code, output };
}

function at({ url }: Admin): Record<string, string> {
  return { SLUICE_ADMIN: url, SLUICE_ADMIN_TOKEN: TOKEN };
}

/** The words, what is said, and what reached `Control`. */
const TYPED: readonly (readonly [words: string, says: RegExp, calls?: RegExp])[] = [
  [
    'status',
    /^sluice 0\.1\.0 is running: process \d+ since 2026[^]*^LISTENER .*\n\*:8080 +http:\/\/127\.0\.0\.1:8080 +7 +100 +0\n[^]*^app +1\/2 +2 +1\/1024 +1000 +250ms$/m,
  ],
  [
    'origins',
    /^UPSTREAM +ORIGIN +STATE[^]*^app +unix:\/run\/app\.sock +down +1 of 2 [^]*ECONNREFUSED[^]*^static files +\[::1\]:4000 /m,
  ],
  ['origins list app', /^app +127\.0\.0\.1:3000 +up +1 +2 +1000 +4 +250ms\napp +unix:[^\n]*\n$/m],
  [
    'origins add app 127.0.0.1:3002 --weight 2 --backup --max-connections 5 --ttl 10m',
    /^app: added 127\.0\.0\.1:3002, until the next reload\n$/,
    /^add app \{"url":"127\.0\.0\.1:3002","weight":2,"backup":true,"maxConnections":5\} 600000 token 127\.0\.0\.1$/,
  ],
  [
    'origins drain app unix:/run/app.sock --ttl 1h',
    /^app: unix:\/run\/app\.sock is draining, until 2026/,
    /^change app unix:\/run\/app\.sock \{"state":"draining"\} 3600000 /,
  ],
  [
    'origins enable app 127.0.0.1:3000',
    /^app: 127\.0\.0\.1:3000 is up, until the next reload\n$/,
    /\{"state":"up"\} undefined/,
  ],
  ['origins weigh app 127.0.0.1:3000 0.5', /has weight 0\.5/, /\{"weight":0\.5\}/],
  [
    'origins remove app 127.0.0.1:3000',
    /^app: 127\.0\.0\.1:3000 takes nothing new/,
    /^remove app 127\.0\.0\.1:3000 undefined/,
  ],
  [
    'queue app --most 1',
    /^WAITED +LEFT +METHOD[^\n]*\n +1\.5s +28\.5s +GET +example\.org +\/a\ufffd\[2J +192\.0\.2\.7 +abc123-9\n$/,
  ],
  ['requests', /^TIME[^]*connect-refused +502 +32ms [^\n]*example\.org\/slow\?x=1[^]*slow/],
  [
    'requests abc123-7',
    /^GET example\.org\/slow\?x=1\n[^]*result +502 connect-refused \(ECONNREFUSED\)[^]* {2}127\.0\.0\.1:3001 connect-refused ECONNREFUSED\n$/,
  ],
  [
    'reload',
    /^add origin app 127\.0\.0\.1:3002\nremove listener inside \(3 connections will end\)\nchange upstream app: queue, timeouts\n$/,
    /^reload undefined token/,
  ],
  [
    'explain --live PUT /x -H A:b',
    /^PUT \/x, on listener \*:8080 from 127\.0\.0\.1\n[^]*route old: no, path is[^]*> 127\.0\.0\.1:3000 +up +1 +2 +yes[^]*because|only usable/,
    /^explain PUT \/x \[\["A","b"\]\]/,
  ],
  ['top --once', /^sluice 0\.1\.0 +running[^]*^app +0 +0 +2 +1 +250ms/m],
];

describe('typed', { concurrency: 3 }, () => {
  for (const [words, says, calls] of TYPED) {
    test(`sluice ${words}`, async (t) => {
      const there = await admin(t);
      const { code, output } = await sluice(t, words.split(' '), at(there));
      assert.equal(code, 0, output);
      assert.match(output, says);
      if (calls === undefined) assert.deepEqual(there.control.calls, []);
      else assert.match(there.control.calls.join('\n'), calls);
      assert.doesNotMatch(output, /\x1b/, 'nothing for a terminal where there is none');
    });
  }
});

test('--json is the answer itself', async (t) => {
  const there = await admin(t);
  const status = await sluice(t, ['status', '--json'], at(there));
  assert.equal(statusView.parse(JSON.parse(status.output)).version, '0.1.0');
  for (const words of [
    ['origins', '--json'],
    ['queue', 'app', '--json'],
    ['requests', '--json'],
    ['origins', 'drain', 'app', '127.0.0.1:3000', '--json'],
  ]) {
    const { output, code } = await sluice(t, words, at(there));
    assert.equal(code, 0, output);
    JSON.parse(output);
  }
});

const CONFIG = 'upstreams: { app: { origins: [3000] } }\n';

describe('where sluice is', { concurrency: 3 }, () => {
  test('on a unix socket, as the config of the folder says', async (t) => {
    const folder = folderOf(t);
    const path = join(folder, 'admin.sock');
    await admin(t, { address: { kind: 'unix', path, mode: 0o600 }, token: null });
    writeFileSync(join(folder, 'sluice.config.yaml'), `${CONFIG}admin: unix:${path}\n`);
    assert.match((await sluice(t, ['status'], {}, folder)).output, /^sluice 0\.1\.0 is running/);
    assert.match((await sluice(t, ['status', '--admin', `unix:${path}`])).output, /^sluice 0\.1\.0 is running/);
  });

  test('on a port, with the token file that the config names, or the words', async (t) => {
    const folder = folderOf(t);
    const there = await admin(t);
    writeFileSync(join(folder, 'token'), `${TOKEN}\n`);
    writeFileSync(
      join(folder, 'mine.json'),
      JSON.stringify({ upstreams: { app: { origins: [3000] } }, admin: { address: there.port, tokenFile: 'token' } }),
    );
    for (const words of [
      ['--config', 'mine.json'],
      ['--admin', String(there.port), '--token-file', 'token'],
      ['--admin', `127.0.0.1:${there.port}`, '--token-file', 'token'],
    ]) {
      const { code, output } = await sluice(t, ['origins', ...words], {}, folder);
      assert.equal(code, 0, output);
    }
  });

  const nowhere: readonly (readonly [words: string, code: number, says: RegExp, env?: Record<string, string>])[] = [
    [
      'status',
      2,
      /^sluice: there is no config in this folder to say where sluice is: give --admin ADDRESS[^]*admin: unix:/,
    ],
    ['status --admin 99999', 2, /^sluice: --admin 99999: expected a port/],
    ['status --admin https://x/y', 2, /^sluice: --admin https:\/\/x\/y: a listener has no URL|^sluice: --admin/],
    [
      'status',
      2,
      /^sluice: SLUICE_ADMIN \/run\/x: to listen on a unix socket write unix:\/run\/x/,
      { SLUICE_ADMIN: '/run/x' },
    ],
    [
      'status --admin unix:/nosuch/admin.sock',
      1,
      /^sluice: unix:\/nosuch\/admin\.sock: there is no such socket: is sluice running/,
    ],
    ['status --admin 1', 1, /^sluice: 127\.0\.0\.1:1: nobody listens there/],
    ['status --admin 1 --token-file nosuch', 2, /^sluice: --token-file nosuch: there is no such file/],
    ['plan', 1, /^sluice: no config in this folder/],
    ['plan --nosuch', 1, /unknown option/],
    ['explain /', 2, /^sluice: no config in this folder/],
    ['explain GET', 2, /^sluice: the URL is missing/],
    ['explain GET / x', 2, /^sluice: "x" is too much/],
    ['explain / -H x', 2, /^sluice: -H "x": expected 'Name: value'/],
    ['explain / --client nobody', 2, /^sluice: --client nobody: expected an IP address/],
    ['origins weigh app a x', 2, /'x' is invalid for argument 'weight'\. a number/],
    ['origins drian app a', 2, /too many arguments|unknown command|did you mean/i],
    ['queue', 2, /missing required argument 'upstream'/],
    ['requests --most none', 2, /a whole number/],
    ['statsu', 2, /did you mean sluice status\?/],
    ['drain app 127.0.0.1:3000', 2, /did you mean sluice origins drain\?/],
  ];
  for (const [words, code, says, env = {}] of nowhere) {
    test(`sluice ${words}`, async (t) => {
      const got = await sluice(t, words.split(' '), env);
      assert.match(got.output, says);
      assert.equal(got.code, code, got.output);
    });
  }

  test('a config without admin, and a wrong one', async (t) => {
    const folder = folderOf(t);
    writeFileSync(join(folder, 'sluice.config.yaml'), CONFIG);
    const without = await sluice(t, ['status'], {}, folder);
    assert.match(without.output, /^sluice: sluice\.config\.yaml has no `admin`: give --admin/);
    assert.equal(without.code, 2);
    writeFileSync(
      join(folder, 'sluice.config.yaml'),
      `${CONFIG}admin: { address: 9000, token: short-and-secret }\nlimts: 1\n`,
    );
    const wrong = await sluice(t, ['status'], {}, folder);
    assert.match(wrong.output, /it is wrong \(unknown option "limts"/);
    assert.ok(!wrong.output.includes('short-and-secret'));
  });

  test('no token, a wrong one, and something that is not sluice', async (t) => {
    const there = await admin(t);
    const none = await sluice(t, ['status', '--admin', there.url]);
    assert.match(none.output, /wants a token: set SLUICE_ADMIN_TOKEN, or give --token-file FILE/);
    const wrong = await sluice(t, ['status', '--admin', there.url], { SLUICE_ADMIN_TOKEN: 'hunter2-hunter2-hunter2' });
    assert.match(wrong.output, /has another token than the one given/);
    assert.doesNotMatch(wrong.output, /hunter2/);
    assert.deepEqual([none.code, wrong.code], [1, 1]);
  });
});

test('what is refused says what and why, with exit code 1', async (t) => {
  const there = await admin(t);
  const cases: [string[], RegExp][] = [
    [['origins', 'drain', 'app', 'nosuch:1'], /^sluice: app has no origin "nosuch:1"\n$/],
    [['origins', 'list', 'ap'], /^sluice: no upstream is named ap; did you mean app\?\n$/],
    [['origins', 'add', 'app', '127.0.0.1:3000'], /^sluice: 127\.0\.0\.1:3000 is in app already\n$/],
    [['origins', 'drain', 'app', '127.0.0.1:3000', '--ttl', 'soon'], /^sluice: ttl: expected a duration/],
    [['origins', 'weigh', 'app', '127.0.0.1:3000', '1001'], /^sluice: weight: expected at most 1000/],
    [['requests', 'nosuch'], /^sluice: no request "nosuch" is remembered\n$/],
  ];
  for (const [words, says] of cases) {
    const { code, output } = await sluice(t, words, at(there));
    assert.match(output, says);
    assert.equal(code, 1);
  }
});

test('plan: 0 for nothing, 2 for changes, 1 for errors; reload takes a file', async (t) => {
  const folder = folderOf(t);
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
  write('sluice.config.yaml', CONFIG);
  write('more.yaml', 'upstreams: { app: { origins: [3000, 3001] } }\n');
  write('wrong.yaml', 'upstream: wrong\n');
  write('script.ts', 'export default { upstreams: { app: { origins: [3000] } } };\n');
  const there = await admin(t);
  const run = (...words: string[]): Promise<Outcome> => sluice(t, words, at(there), folder);

  const changes = await run('plan', 'more.yaml');
  assert.equal(changes.code, 2);
  assert.match(changes.output, /^add origin app 127\.0\.0\.1:3002\n/);
  there.control.plans = { changes: [] };
  assert.deepEqual(await run('plan'), { code: 0, output: 'nothing would change\n' });
  const refused = await run('plan', 'wrong.yaml');
  assert.equal(refused.code, 1);
  assert.match(refused.output, /^sluice: the config is wrong\n1:1: first\n$/);
  for (const words of [
    ['plan', 'nosuch.yaml'],
    ['plan', 'script.ts'],
    ['plan', 'wrong.yaml', '--against', 'more.yaml'],
  ]) {
    assert.equal((await run(...words)).code, 1, words.join(' '));
  }
  assert.match((await run('plan', 'script.ts')).output, /scripts cannot/);
  assert.deepEqual(there.control.calls, [], 'nothing was changed');

  const offline = await sluice(t, ['plan', 'more.yaml', '--against', 'script.ts', '--json'], {}, folder);
  assert.equal(offline.code, 2, offline.output);
  assert.deepEqual(planView.parse(JSON.parse(offline.output)).changes, [
    { action: 'add', what: 'origin', name: 'app 127.0.0.1:3001', options: '', connections: null },
  ]);
  assert.equal((await sluice(t, ['plan', '--against', 'script.ts'], {}, folder)).code, 0);

  const reloaded = await run('reload', 'more.yaml');
  assert.deepEqual(reloaded, { code: 0, output: 'nothing has changed\n' });
  assert.match(
    there.control.calls.join('\n'),
    /^reload "upstreams: \{ app: \{ origins: \[3000, 3001\] \} \}\\n" token/,
  );
  const wrong = await run('reload', 'wrong.yaml');
  assert.equal(wrong.code, 1);
  assert.match(wrong.output, /nothing was changed\n1:1: first\n2:1: second\n$/);
});

test('explain, from a config alone', async (t) => {
  const folder = folderOf(t);
  writeFileSync(
    join(folder, 'mine.yaml'),
    'upstreams: { app: { origins: [3000], balance: first } }\nroutes: [{ match: { path: /a/* }, to: app }]\n',
  );
  const run = (...words: string[]): Promise<Outcome> =>
    sluice(t, ['explain', '--config', 'mine.yaml', ...words], {}, folder);
  const goes = await run('POST', 'http://example.org/a/b', '-H', 'Connection: close');
  assert.equal(goes.code, 0);
  assert.match(
    goes.output,
    /^POST http:\/\/example\.org\/a\/b, on listener \*:8080 from 127\.0\.0\.1\n\nroute #1: matches\nupstream app, balanced by first\n/,
  );
  assert.match(goes.output, /^> 127\.0\.0\.1:3000 +up +1 +0 +yes$/m);
  assert.match(goes.output, /^origin 127\.0\.0\.1:3000: it is the only usable one$/m);
  assert.match(goes.output, /^ {2}- Connection: close\n {2}\+ X-Forwarded-For: 127\.0\.0\.1$/m);
  const refused = await run('/b', '--json');
  assert.equal(refused.code, 0);
  assert.equal((JSON.parse(refused.output) as { error: string }).error, 'no-route');
});

test('every command has help with an example', async (t) => {
  for (const words of [
    'status',
    'origins',
    'origins add',
    'origins drain',
    'queue',
    'requests',
    'reload',
    'top',
    'plan',
    'explain',
  ]) {
    const { code, output } = await sluice(t, [...words.split(' '), '--help']);
    assert.equal(code, 0);
    assert.match(output, new RegExp(`Examples?:\n  sluice ${words}`), words);
  }
});

test('top on a terminal: the other screen, a frame that fits, q ends it and gives the terminal back', async (t) => {
  const script = skipUnless(t, 'script');
  if (script === undefined) return;
  const folder = folderOf(t);
  const path = join(folder, 'admin.sock');
  const there = await admin(t, { address: { kind: 'unix', path, mode: 0o600 }, token: null });
  for (const [columns, key] of [
    [60, 'q'],
    [120, '\\003'],
  ] as const) {
    const seen = await onTerminal(
      t,
      `stty cols ${columns} rows 20; NO_COLOR= ${process.execPath} --disable-warning=ExperimentalWarning ${CLI} top --admin unix:${path}; stty -a | grep -o ' -\\?echo ' `,
      key,
    );
    assert.match(seen, /\x1b\[\?1049h\x1b\[\?25l/, 'the other screen, without a cursor');
    assert.match(seen, /\x1b\[\?25h\x1b\[\?1049l(?:\r?\n)? *echo/, 'the screen and the echo are back');
    const [, drawn = ''] = /\x1b\[H([^]*?)\x1b\[J/.exec(seen) ?? [];
    const lines = drawn.replaceAll(/\x1b\[[0-9;]*[a-zA-Z]/g, '').split(/\r+\n/);
    for (const line of lines) assert.ok(line.length <= columns, `${line.length} columns: ${line}`);
    assert.ok(lines.length <= 20);
    assert.match(drawn, /app/);
    assert.match(drawn, /\x1b\[7mNAME +STATE +REQ\/S +ERR\/S +BUSY +QUEUE +P99/);
    assert.match(drawn, columns === 60 ? /P99\x1b/ : /REQUESTS/);
    assert.match(drawn, /\x1b\[31m {2}unix:\/run/, 'what is down is red');
  }
  assert.deepEqual(there.control.calls, []);
});

/** Runs a command line in a pseudo terminal, presses a key once it has drawn twice, and answers all that it wrote. */
function onTerminal(t: TestContext, line: string, key: string): Promise<string> {
  // `script` passes its input on to the terminal; the key comes after the second frame.
  const program = startNode(t, [
    '-e',
    `const { spawn } = require('node:child_process');
     const child = spawn('script', ['-qec', ${JSON.stringify(line)}, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
     let text = ''; let pressed = false;
     child.stdout.on('data', (chunk) => {
       text += chunk; process.stdout.write(chunk);
       if (!pressed && text.split('\\x1b[J').length > 2) { pressed = true; child.stdin.write(${JSON.stringify(key)}.replace('\\\\003', '\\x03')); }
     });
     child.on('close', () => process.exit(0));
     setTimeout(() => process.exit(3), 100000).unref();`,
  ]);
  return program.ended.then((code) => {
    assert.equal(code, 0, program.output());
    return program.output();
  });
}
