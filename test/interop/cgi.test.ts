/** CGI programs nobody here wrote for sluice, run by it, and by fcgiwrap behind it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skipUnless } from '../support/peer.ts';
import { type Application, ask } from './applications.ts';
import { exercise } from './exercise.ts';
import { address, folder, listening, run, startSluice, until } from './stage.ts';

const servers = fileURLToPath(new URL('servers/', import.meta.url));
const GIT_CORE = '/usr/lib/git-core';

/** The Python application of the other tests as a CGI program. */
function python(path: string, program: string, name: string): string {
  const file = join(path, `${name === '' ? 'app' : name}-cgi.py`);
  const named = name === '' ? '' : `os.environ['NAME'] = ${JSON.stringify(name)}\n`;
  writeFileSync(
    file,
    `#!${program}\nimport os, sys\n${named}sys.dont_write_bytecode = True\nsys.path.insert(0, ${JSON.stringify(servers)})\n` +
      'from app import application\nfrom wsgiref.handlers import CGIHandler\nCGIHandler().run(application)\n',
  );
  chmodSync(file, 0o755);
  return file;
}

test('a Python program, run by sluice', async (t) => {
  const program = skipUnless(t, 'python3');
  if (program === undefined) return;
  const path = folder(t);
  const launch = async (name: string): Promise<Application> => {
    const file = python(path, program, name);
    // There is no server to be ended: it is the program that is taken away.
    const process = { pid: 0, output: () => '', ended: Promise.resolve(), signal: () => rmSync(file) };
    return Promise.resolve({ url: `cgi:${file}`, process });
  };
  await exercise(t, '/some/path', launch, { process: { pass: ['HOME'] } });
});

/**
 * fcgiwrap with two processes, all in a group of their own: they do not end with their master.
 *
 * @param env what its programs find in their environment beside the request
 */
async function fcgiwrap(t: TestContext, program: string, env: Record<string, string> = {}): Promise<Application> {
  const at = await address();
  const where = `${at.host}:${at.port}`;
  const child = spawn(program, ['-f', '-c', '2', '-s', `tcp:${where}`], {
    env: { PATH: process.env['PATH'], ...env },
    detached: true,
    stdio: 'ignore',
  });
  const ended = once(child, 'exit').then(() => {});
  const signal = (): void => {
    try {
      process.kill(-(child.pid as number), 'SIGKILL');
    } catch {
      // All of them are gone.
    }
  };
  t.after(async () => {
    signal();
    await ended;
  });
  await listening(at);
  return { url: `fastcgi://${where}`, process: { pid: child.pid ?? 0, output: () => '', ended, signal } };
}

test('a Python program, run by fcgiwrap', async (t) => {
  const program = skipUnless(t, 'python3');
  const wrap = skipUnless(t, 'fcgiwrap');
  if (program === undefined || wrap === undefined) return;
  const file = python(folder(t), program, '');
  await exercise(t, '/some/path', (name) => fcgiwrap(t, wrap, { NAME: name }), {
    cgi: { env: { SCRIPT_FILENAME: file } },
  });
});

const PERL = (program: string): string => `#!${program} -w
use strict;
use CGI;
my $q = CGI->new;
my $upload = $q->upload('file');
if (defined $upload) {
  my ($size, $sum) = (0, 0);
  binmode $upload;
  while (read($upload, my $piece, 65536)) { $size += length $piece; $sum = ($sum + unpack('%32C*', $piece)) % 4294967296; }
  print $q->header('text/plain'), "$size $sum ", $q->param('note');
} elsif ($q->path_info eq '/away') {
  print $q->redirect('http://elsewhere.example/');
} elsif ($q->path_info eq '/warn') {
  warn "deliberate warning\n";
  die "deliberate end\n";
} else {
  print $q->header(-type => 'text/plain', -status => '203 Hearsay', -cookie => [$q->cookie('a', '1'), $q->cookie('b', '2')]);
  print join('|', $q->request_method, $q->script_name, $q->path_info, $q->param('x'), scalar($q->cookie('c')), $q->remote_addr);
}
`;

test("Perl's CGI.pm", async (t) => {
  const program = skipUnless(t, 'perl');
  if (program === undefined) return;
  if ((await run(t, program, ['-MCGI', '-e', '1'])).code !== 0)
    return t.skip('missing peer: CGI.pm; bash .ci/peers installs it');
  const root = folder(t);
  const file = join(root, 'form.pl');
  writeFileSync(file, PERL(program));
  chmodSync(file, 0o755);
  const { url, errors, failures } = await startSluice(t, {
    upstreams: { perl: { origins: 'cgi:', cgi: { root, split: ['.pl'] } } },
  });
  const got = await ask(`${url}/form.pl/in%20fo?x=%C3%BC+y`, 'GET', null, { Cookie: 'c=d' });
  assert.deepEqual([got.status, got.message], [203, 'Hearsay']);
  assert.equal(got.body.toString(), 'GET|/form.pl|/in fo|\u00fc y|d|127.0.0.1');
  assert.equal(got.fields.filter((one) => one.toLowerCase() === 'set-cookie').length, 2);

  const bytes = randomBytes(3_000_000);
  // Long: CGI.pm looks for it anywhere, and three bytes are found by chance in every sixth of such files.
  const boundary = 'a-boundary-that-no-file-has';
  const part = (head: string, body: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n`),
      body,
      Buffer.from('\r\n'),
    ]);
  const form = Buffer.concat([
    part('name="note"', Buffer.from('noted')),
    part('name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream', bytes),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
  const sum = bytes.reduce((all, one) => (all + one) % 2 ** 32, 0);
  for (const framing of [{ 'Content-Length': String(form.length) }, { 'Transfer-Encoding': 'chunked' }] as Record<
    string,
    string
  >[]) {
    const sent = await ask(`${url}/form.pl`, 'POST', form, {
      'Content-Type': `multipart/form-data; boundary=${boundary}`,
      ...framing,
    });
    assert.equal(sent.body.toString(), `${bytes.length} ${sum} noted`);
  }

  const away = await ask(`${url}/form.pl/away`);
  assert.deepEqual([away.status, away.fields[away.fields.indexOf('Location') + 1]], [302, 'http://elsewhere.example/']);
  assert.equal((await ask(`${url}/form.pl/warn`)).status, 502);
  await until('the log', () => failures().length === 1);
  assert.match(failures()[0]?.detail ?? '', /^exit status \d+, no output$/);
  assert.match(errors(), /warn origin-says perl cgi: \S+: deliberate warning\n.*: deliberate end\n/);
});

/** Clones, commits, pushes and clones again; `more` is what the upstream needs to reach git-http-backend. */
async function gitOver(t: TestContext, git: string, upstream: (root: string) => object): Promise<void> {
  const root = folder(t);
  const work = folder(t);
  const does = async (...args: string[]): Promise<string> => {
    const { code, text, stderr } = await run(t, git, [
      '-c',
      'user.name=a',
      '-c',
      'user.email=a@b',
      '-c',
      'safe.directory=*',
      ...args,
    ]);
    assert.equal(code, 0, `git ${args.join(' ')}: ${stderr}`);
    return text;
  };
  await does('init', '-q', '--bare', '-b', 'main', join(root, 'r.git'));
  await does('-C', join(root, 'r.git'), 'config', 'http.receivepack', 'true');
  const sluice = await startSluice(t, { upstreams: { git: upstream(root) as never } });
  const [one, two] = [join(work, 'one'), join(work, 'two')];
  await does('clone', '-q', `${sluice.url}/git/r.git`, one);
  // Longer than http.postBuffer: git sends it in chunks.
  const bytes = randomBytes(3_000_000);
  writeFileSync(join(one, 'file'), bytes);
  await does('-C', one, 'add', 'file');
  await does('-C', one, 'commit', '-q', '-m', 'one');
  await does('-C', one, 'push', '-q', 'origin', 'HEAD:main');
  await does('clone', '-q', `${sluice.url}/git/r.git`, two);
  assert.ok(readFileSync(join(two, 'file')).equals(bytes));
  writeFileSync(join(two, 'more'), 'more');
  await does('-C', two, 'add', 'more');
  await does('-C', two, 'commit', '-q', '-m', 'two');
  await does('-C', two, 'push', '-q', 'origin', 'HEAD:main');
  await does('-C', one, 'pull', '-q', 'origin', 'main');
  assert.equal(readFileSync(join(one, 'more'), 'utf8'), 'more');
  assert.deepEqual(sluice.failures(), []);
  assert.ok(sluice.access().some(({ method, bytesIn }) => method === 'POST' && bytesIn > 3_000_000));
}

const gitEnv = (root: string): Record<string, string> => ({
  GIT_PROJECT_ROOT: root,
  GIT_HTTP_EXPORT_ALL: '1',
  // Repositories of another user than the one who asks are refused by newer gits.
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'safe.directory',
  GIT_CONFIG_VALUE_0: '*',
});

function gitBackend(t: TestContext): { git: string; backend: string } | undefined {
  const git = skipUnless(t, 'git');
  const backend = git === undefined ? undefined : skipUnless(t, 'git-http-backend', GIT_CORE);
  return git === undefined || backend === undefined ? undefined : { git, backend };
}

test('git-http-backend, run by sluice', async (t) => {
  const found = gitBackend(t);
  if (found === undefined) return;
  await gitOver(t, found.git, (root) => ({
    origins: `cgi:${found.backend}`,
    cgi: { prefix: '/git', env: gitEnv(root) },
  }));
});

test('git-http-backend, run by fcgiwrap', async (t) => {
  const found = gitBackend(t);
  const wrap = skipUnless(t, 'fcgiwrap');
  if (found === undefined || wrap === undefined) return;
  const { url } = await fcgiwrap(t, wrap);
  await gitOver(t, found.git, (root) => ({
    origins: url,
    cgi: { prefix: '/git', env: { ...gitEnv(root), SCRIPT_FILENAME: found.backend } },
  }));
});

test('php-cgi, run by sluice, finds the script by SCRIPT_FILENAME and takes no arguments from the query', async (t) => {
  const program = skipUnless(t, 'php-cgi');
  if (program === undefined) return;
  const root = folder(t);
  writeFileSync(
    join(root, 'a.php'),
    '<?php echo $_SERVER["SCRIPT_NAME"], "|", $_GET["x"] ?? "none", "|", $_SERVER["argc"] ?? 0;',
  );
  const { url } = await startSluice(t, {
    upstreams: { php: { origins: `cgi:${program}`, cgi: { root, split: ['.php'] } } },
  });
  assert.equal((await ask(`${url}/a.php?x=1`)).body.toString(), '/a.php|1|0');
  // CVE-2012-1823: `-s` would show the source.
  assert.match((await ask(`${url}/a.php?-s`)).body.toString(), /^\/a\.php\|none\|0$/);
});
