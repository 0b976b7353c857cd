import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { asker, feed, Heard, Sent, TARGET } from '../../../test/support/session.ts';
import type { Exit } from '../../core/program.ts';
import type { RequestTarget } from '../codec.ts';
import { cgiSchema } from './options.ts';
import { ProgramSession } from './program.ts';

const LIMITS = { head: 4096, fields: 50 };
const PROGRAM: RequestTarget = { ...TARGET, program: '/usr/lib/app' };

function target(cgi: object, program = ''): RequestTarget {
  return { ...TARGET, program, cgi: cgiSchema.parse(cgi) };
}

/** What is to be run, or why not. */
function command(line: string, where: RequestTarget): unknown {
  const session = new ProgramSession(new Sent(), LIMITS);
  const opened = session.open(requestOf(`GET ${line} HTTP/1.1`, 'Host: a'), where, new Heard(), asker());
  if (typeof opened === 'string') return opened;
  const { program, below, env } = session.running.command;
  const all = Object.fromEntries(env);
  assert.equal(Object.keys(all).length, env.length, 'no name comes twice');
  return [program, below, all['SCRIPT_NAME'], all['PATH_INFO'], all['SCRIPT_FILENAME']];
}

test('what is run: one program, or the file that the path names', () => {
  assert.deepEqual(command('/a/b', PROGRAM), ['/usr/lib/app', '', '', '/a/b', '/usr/lib/app']);
  assert.deepEqual(command('/app/x', target({ prefix: '/app' }, '/b/\u00fc')), [
    '/b/\u00c3\u00bc',
    '',
    '/app',
    '/x',
    '/b/\u00c3\u00bc',
  ]);
  assert.deepEqual(command('/a.php/x', target({ root: '/r', split: ['.php'] }, '/bin/php')), [
    ...['/bin/php', '', '/a.php', '/x', '/r/a.php'],
  ]);
  const scripts = target({ root: '/r', prefix: '/cgi-bin' });
  assert.deepEqual(command('/cgi-bin/a/b/c', scripts), ['/r/cgi-bin/a', '/r', '/cgi-bin/a', '/b/c', '/r/cgi-bin/a']);
  assert.deepEqual(command('/a', target({ root: '/r', env: { SCRIPT_FILENAME: '/x' } })), [
    '/r/a',
    '/r',
    '/a',
    '',
    '/x',
  ]);
  assert.deepEqual(command('/', target({ root: '/r', front: '/f' })), ['/r/f', '/r', '/f', '/', '/r/f']);
  for (const path of ['/cgi-bin', '/cgi-bin/', '/cgi-binx/a', '/', '/cgi-bin/.a', '/cgi-bin/%2ea'])
    assert.equal(command(path, scripts), 'no-script', path);
  assert.equal(command('/a%00', scripts), 'bad-target');
  assert.equal(command('/.git/hook.sh', target({ root: '/r', split: ['.sh'] })), 'no-script');
});

/** A GET that is answered so, and what is heard of it. */
function answered(
  pieces: readonly string[],
  exit: Exit | null,
  complaints = '',
  { method = 'GET', authorizes = false } = {},
): Heard {
  const heard = new Heard();
  const session = new ProgramSession(new Sent(), LIMITS);
  session.open(requestOf(`${method} / HTTP/1.1`, 'Host: a'), PROGRAM, heard, { ...asker(), authorizes });
  for (const piece of pieces) feed(session, Buffer.from(piece, 'latin1'));
  session.complained(Buffer.from(complaints));
  session.silent();
  if (exit !== null) session.exited(exit);
  session.eof();
  assert.equal(session.reusable, false);
  return heard;
}

const GOOD = 'Content-Type: a/b\n\nhi';
const ok = { code: 0, signal: null };
const killed = { code: null, signal: 'SIGKILL' };

test('the end of the output, and how the program came to its own', () => {
  const cases: [string, Exit | null, string[], string][] = [
    [GOOD, ok, ['answer 200 OK (close)', 'end'], ''],
    [GOOD, { code: 1, signal: null }, ['answer 200 OK (close)', 'end'], ''],
    [GOOD, null, ['answer 200 OK (close)', 'end'], ''],
    [GOOD, killed, ['answer 200 OK (close)', 'error answer-incomplete'], 'killed by SIGKILL'],
    ['Content-Length: 2\n\nhi', killed, ['answer 200 OK (length=2)', 'end'], ''],
    ['Content-Length: 3\n\nhi', ok, ['answer 200 OK (length=3)', 'error answer-incomplete'], 'exit status 0'],
    ['Content-Length: 3\n\nhi', null, ['answer 200 OK (length=3)', 'error answer-incomplete'], 'it closed its output'],
    ['', ok, ['error program-ended'], 'exit status 0, no output'],
    ['', killed, ['error program-ended'], 'killed by SIGKILL, no output'],
    ['X: y', { code: 7, signal: null }, ['error program-ended'], 'exit status 7, its head is not complete'],
    ['', null, ['error program-ended'], 'it closed its output, no output'],
  ];
  for (const [text, exit, events, detail] of cases) {
    for (const pieces of [[text], text.split('')]) {
      const heard = answered(pieces, exit);
      assert.deepEqual([heard.events, heard.detail], [events, detail], JSON.stringify([text, exit]));
    }
  }
});

test("an authorizer's yes is whole when the program has ended with 0, whatever it says of its length", () => {
  const yes = {
    'no length': 'Content-Type: a/b\n\nhi',
    'a length': 'Content-Length: 2\n\nhi',
    'a length of 0': 'Content-Length: 0\n\n',
    'more than its length': 'Content-Length: 1\n\nhi',
    chunks: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n',
    'no content': 'Status: 204 No Content\n\n',
  };
  const ways: [Exit | null, string, string][] = [
    [ok, 'end', ''],
    [{ code: 1, signal: null }, 'error answer-incomplete', 'exit status 1'],
    [killed, 'error answer-incomplete', 'killed by SIGKILL'],
    [null, 'error answer-incomplete', 'it closed its output'],
  ];
  for (const [name, text] of Object.entries(yes)) {
    for (const method of ['GET', 'HEAD']) {
      for (const [exit, last, detail] of ways) {
        for (const pieces of [[text], text.split('')]) {
          const { events, notes, ...heard } = answered(pieces, exit, '', { method, authorizes: true });
          assert.deepEqual([events.slice(1), heard.detail, notes], [[last], detail, []], `${method} ${name} ${detail}`);
        }
      }
    }
  }
});

test("an authorizer's yes does not end before its program has", () => {
  const heard = new Heard();
  const session = new ProgramSession(new Sent(), LIMITS);
  session.open(requestOf('GET / HTTP/1.1', 'Host: a'), PROGRAM, heard, { ...asker(), authorizes: true });
  feed(session, Buffer.from('Status: 204 No Content\n\n'));
  assert.deepEqual(heard.events, ['answer 204 No Content (none)']);
  session.exited(ok);
  session.eof();
  assert.deepEqual(heard.events, ['answer 204 No Content (none)', 'end']);
});

test("an authorizer's no is out as it comes, and how its program ends is only noted", () => {
  const failed = { code: 1, signal: null };
  for (const [length, shown] of [
    ['', '(close)'],
    ['Content-Length: 2\n', '(length=2)'],
  ]) {
    const heard = answered([`Status: 403 No\n${length}\nno`], failed, '', { authorizes: true });
    assert.deepEqual([heard.events, heard.content], [[`answer 403 No ${shown}`, 'end'], 'no']);
    assert.deepEqual(heard.notes, ['exit status 1 after its answer']);
  }
});

test('notes: what it complains about, and a bad end after a good answer only', () => {
  assert.deepEqual(answered([GOOD], { code: 3, signal: null }, 'one\ntw').notes, [
    'one',
    'tw',
    'exit status 3 after its answer',
  ]);
  assert.deepEqual(answered([''], { code: 3, signal: null }, 'one').notes, ['one']);
  assert.deepEqual(answered([GOOD], ok).notes, []);
});

test('a bad end that is heard of before the output is read', () => {
  for (const output of [GOOD, 'Content-Length: 2\n\nhi']) {
    for (const pieces of [[output], output.split('')]) {
      const heard = new Heard();
      const session = new ProgramSession(new Sent(), LIMITS);
      session.open(requestOf('GET / HTTP/1.1', 'Host: a'), PROGRAM, heard, asker());
      session.exited({ code: 3, signal: null });
      for (const piece of pieces) feed(session, Buffer.from(piece, 'latin1'));
      session.eof();
      assert.deepEqual([heard.events.at(-1), heard.notes], ['end', ['exit status 3 after its answer']]);
    }
  }
});

test('the input ends with the request: at once, or with its body', () => {
  const ends: string[] = [];
  const out = Object.assign(new Sent(), { end: () => void ends.push('end') });
  new ProgramSession(out, LIMITS).open(requestOf('GET / HTTP/1.1', 'Host: a'), PROGRAM, new Heard(), asker());
  assert.deepEqual([out.take().length, ends.splice(0)], [0, ['end']]);
  const request = requestOf('POST / HTTP/1.1', 'Host: a');
  Object.assign(request, { framing: 'length', length: 2 });
  const session = new ProgramSession(out, LIMITS);
  session.open(request, PROGRAM, new Heard(), asker());
  session.body(0, Buffer.from('hi'), 0, 2);
  assert.deepEqual([out.take().toString(), ends], ['hi', []]);
  session.end();
  assert.deepEqual(ends, ['end']);
});

test('after an abort nobody hears what it complains about', () => {
  const heard = new Heard();
  const session = new ProgramSession(new Sent(), LIMITS);
  session.open(requestOf('GET / HTTP/1.1', 'Host: a'), PROGRAM, heard, asker());
  session.abort();
  session.complained(Buffer.from('x\n'));
  session.exited(killed);
  session.eof();
  assert.deepEqual([heard.events, heard.notes], [[], []]);
});

test('after an abort nobody hears the end of a yes', () => {
  const heard = new Heard();
  const session = new ProgramSession(new Sent(), LIMITS);
  session.open(requestOf('GET / HTTP/1.1', 'Host: a'), PROGRAM, heard, { ...asker(), authorizes: true });
  feed(session, Buffer.from('Content-Length: 0\n\n'));
  session.abort();
  session.exited(ok);
  session.eof();
  assert.deepEqual(heard.events, ['answer 200 OK (none)']);
});
