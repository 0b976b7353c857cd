/** Wrong requests to the admin interface, as bytes, and the answer that each has to get; for a fake `Control` and a real one. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { problemView, type ProblemView } from '../../src/admin/problem.ts';
import { TOKEN } from './admin.ts';
import { eventually } from './scripted.ts';

const AUTH = `Authorization: Bearer ${TOKEN}\r\n`;
export const JSON_TYPE = 'Content-Type: application/json\r\n';
export const ORIGINS = '/v1/upstreams/app/origins';
export const ONE = `${ORIGINS}/127.0.0.1:3000`;

interface Given {
  readonly host?: string;
  readonly auth?: string;
  readonly lines?: string;
  readonly body?: string | Buffer;
}

/** A request as bytes; with a body it has a length, unless `lines` say otherwise. */
export function message(line: string, { host = '127.0.0.1', auth = AUTH, lines = '', body = '' }: Given = {}): Buffer {
  const bytes = Buffer.from(body);
  const length =
    bytes.length === 0 || /^(content-length|transfer-encoding):/im.test(lines)
      ? ''
      : `Content-Length: ${bytes.length}\r\n`;
  return Buffer.concat([
    Buffer.from(`${line} HTTP/1.1\r\nHost: ${host}\r\n${auth}${lines}${length}\r\n`, 'latin1'),
    bytes,
  ]);
}

export const json = (line: string, body: string, lines = ''): Buffer =>
  message(line, { lines: JSON_TYPE + lines, body });

/** What it is · the bytes · status · code · what the detail says. */
export type Row = readonly [what: string, bytes: Buffer, status: number, code: string, says?: RegExp];

export const ROWS: readonly Row[] = [
  ['no token', message('GET /v1/status', { auth: '' }), 401, 'no-token'],
  [
    'a wrong token',
    message('GET /v1/status', { auth: 'Authorization: Bearer correct-horse-battery-stapler\r\n' }),
    401,
    'wrong-token',
  ],
  [
    'a token of the right length',
    message('GET /v1/status', { auth: `Authorization: Bearer ${TOKEN.slice(0, -1)}X\r\n` }),
    401,
    'wrong-token',
  ],
  ['an empty token', message('GET /v1/status', { auth: 'Authorization: Bearer \r\n' }), 401, 'wrong-token'],
  ['another scheme', message('GET /v1/status', { auth: `Authorization: Basic ${TOKEN}\r\n` }), 401, 'wrong-token'],
  ['the token in the query', message(`GET /v1/status?token=${TOKEN}`, { auth: '' }), 401, 'no-token'],
  [
    'a change without a token',
    message(`POST ${ORIGINS}`, { auth: '', lines: JSON_TYPE, body: '{"url":"127.0.0.1:1"}' }),
    401,
    'no-token',
  ],
  [
    'an unknown path without a token says nothing about paths',
    message('GET /v1/nosuch', { auth: '' }),
    401,
    'no-token',
  ],
  ['metrics without a token', message('GET /metrics', { auth: '' }), 401, 'no-token'],

  [
    'a host name (DNS rebinding)',
    message('GET /v1/status', { host: 'evil.example' }),
    403,
    'host-refused',
    /evil\.example/,
  ],
  [
    'a host name that starts like an address',
    message('GET /v1/status', { host: '127.0.0.1.evil.example' }),
    403,
    'host-refused',
  ],
  ['localhost of somebody else', message('GET /v1/status', { host: 'localhost.evil.example:80' }), 403, 'host-refused'],
  ['no Host', Buffer.from(`GET /v1/status HTTP/1.1\r\n${AUTH}\r\n`), 403, 'host-refused'],
  ['a broken Host', message('GET /v1/status', { host: '[::1' }), 403, 'host-refused'],
  ['a web page', message('GET /v1/status', { lines: 'Origin: http://127.0.0.1\r\n' }), 403, 'origin-refused'],
  ['a sandboxed web page', message(`DELETE ${ONE}`, { lines: 'Origin: null\r\n' }), 403, 'origin-refused'],
  [
    'a preflight',
    message(`OPTIONS ${ONE}`, { auth: '', lines: 'Origin: http://evil.example\r\n' }),
    403,
    'origin-refused',
  ],

  ['an unknown path', message('GET /v1/nosuch'), 404, 'unknown-path'],
  ['a mistyped path', message('GET /v1/statsu'), 404, 'unknown-path', /did you mean \/v1\/status\?/],
  ['path traversal', message('GET /v1/../../etc/passwd'), 404, 'unknown-path'],
  ['escaped path traversal', message('GET /v1/upstreams/%2e%2e%2f%2e%2e%2fetc'), 404, 'not-found'],
  ['dots for a name', message('GET /v1/upstreams/%2e%2e'), 404, 'unknown-path'],
  ['an empty name', message('GET /v1/upstreams/'), 404, 'unknown-path'],
  ['double slashes', message('GET //v1/status'), 404, 'unknown-path'],
  ['a NUL in the path', message('GET /v1/upstreams/app%00'), 400, 'bad-path'],
  ['a line end in the path', message('DELETE /v1/upstreams/app/origins/a%0d%0aX'), 400, 'bad-path'],
  ['a bad escape', message('GET /v1/upstreams/%zz'), 400, 'bad-path'],
  ['bytes that are not UTF-8', message('GET /v1/upstreams/%ff'), 400, 'bad-path'],
  ['absolute-form', message('GET http://127.0.0.1/v1/status'), 400, 'bad-path'],
  ['an unknown upstream', message('GET /v1/upstreams/ap'), 404, 'not-found', /did you mean "app"\?/],
  ['the queue of an unknown upstream', message('GET /v1/upstreams/nosuch/queue'), 404, 'not-found'],
  ['an unknown request', message('GET /v1/requests/nosuch'), 404, 'not-found'],

  ['a wrong method', message('DELETE /v1/status'), 405, 'wrong-method', /GET, HEAD/],
  ['a method that nobody has', message('PROPFIND /v1/status'), 405, 'wrong-method'],
  ['GET of what changes', message('GET /v1/reload'), 405, 'wrong-method', /POST/],
  ['OPTIONS without a page', message(`OPTIONS ${ONE}`), 405, 'wrong-method', /PATCH, DELETE/],
  ['CONNECT', message('CONNECT 127.0.0.1:22'), 404, 'unknown-path'],

  ['no content type', message(`POST ${ORIGINS}`, { body: '{}' }), 415, 'wrong-type', /no Content-Type/],
  [
    'a form, which a page could send',
    message(`POST ${ORIGINS}`, { lines: 'Content-Type: text/plain\r\n', body: '{"url":"a:1"}' }),
    415,
    'wrong-type',
  ],
  [
    'another charset',
    message(`POST ${ORIGINS}`, { lines: 'Content-Type: application/json; charset=utf-16\r\n', body: '{}' }),
    415,
    'wrong-type',
  ],
  ['a compressed body', json(`POST ${ORIGINS}`, '{}', 'Content-Encoding: gzip\r\n'), 415, 'wrong-type'],
  [
    'a config as a form',
    message('POST /v1/reload', { lines: 'Content-Type: application/x-www-form-urlencoded\r\n', body: 'a=b' }),
    415,
    'wrong-type',
  ],

  ['no JSON', json(`POST ${ORIGINS}`, '{"url": '), 400, 'bad-json', /^line 1, column \d+: /],
  ['an empty body', json(`POST ${ORIGINS}`, '  '), 400, 'bad-json', /empty/],
  ['JSON with a comment', json(`POST ${ORIGINS}`, '{\n // x\n}'), 400, 'bad-json', /^line 2, column 2/],
  [
    'a key twice',
    json(`POST ${ORIGINS}`, '{"url": "a:1",\n "url": "b:1"}'),
    400,
    'bad-json',
    /^line 2, column 2.*twice/,
  ],
  ['JSON that is nested deeply', json(`POST ${ORIGINS}`, '['.repeat(5000)), 400, 'bad-json', /deep/],
  [
    'a body that is not UTF-8',
    message(`POST ${ORIGINS}`, { lines: JSON_TYPE, body: Buffer.from([0x22, 0xff, 0x22]) }),
    400,
    'bad-text',
  ],
  ['a body where none belongs', message('GET /v1/status', { body: 'x' }), 400, 'unexpected-body'],
  ['a body with DELETE', json(`DELETE ${ONE}`, '{"ttl": "1m"}'), 400, 'unexpected-body'],

  ['a list', json(`POST ${ORIGINS}`, '[]'), 422, 'invalid', /expected an object/],
  ['null', json(`PATCH ${ONE}`, 'null'), 422, 'invalid'],
  [
    'a field too many',
    json(`POST ${ORIGINS}`, '{"url": "a:1", "wieght": 2}'),
    422,
    'invalid',
    /"wieght"; did you mean "weight"\?/,
  ],
  ['__proto__', json(`PATCH ${ONE}`, '{"weight": 1, "__proto__": {"state": "up"}}'), 422, 'invalid', /__proto__/],
  ['no url', json(`POST ${ORIGINS}`, '{"weight": 2}'), 422, 'invalid', /"url" is missing/],
  ['a url of another type', json(`POST ${ORIGINS}`, '{"url": 3000}'), 422, 'invalid', /url: expected text/],
  [
    'a url that is very long',
    json(`POST ${ORIGINS}`, JSON.stringify({ url: 'a'.repeat(5000) })),
    422,
    'invalid',
    /at most 2048/,
  ],
  ['a negative weight', json(`PATCH ${ONE}`, '{"weight": -1}'), 422, 'invalid', /at least 0/],
  ['a weight that overflows', json(`PATCH ${ONE}`, '{"weight": 1e999}'), 422, 'invalid'],
  ['a state that cannot be set', json(`PATCH ${ONE}`, '{"state": "down"}'), 422, 'invalid', /"draining" or "up"/],
  ['nothing to change', json(`PATCH ${ONE}`, '{}'), 422, 'invalid', /give state or weight/],
  [
    'a TTL without a meaning',
    json(`PATCH ${ONE}`, '{"weight": 1, "ttl": "soon"}'),
    422,
    'invalid',
    /ttl: expected a duration/,
  ],
  ['a TTL that is too short', json(`PATCH ${ONE}`, '{"weight": 1, "ttl": "1ms"}'), 422, 'invalid', /at least 1s/],
  ['a TTL that never ends', json(`PATCH ${ONE}`, '{"weight": 1, "ttl": "off"}'), 422, 'invalid'],
  ['a bad TTL in the query', message(`DELETE ${ONE}?ttl=99999d`), 422, 'invalid', /at most 30d/],
  ['a parameter twice', message(`DELETE ${ONE}?ttl=1m&ttl=2m`), 422, 'invalid', /twice/],
  ['a parameter too many', message(`DELETE ${ONE}?tll=1m`), 422, 'invalid', /did you mean "ttl"/],
  ['a parameter where there is none', message('GET /v1/status?x=1'), 422, 'invalid', /takes none/],
  ['too many at once', message('GET /v1/requests?most=100000'), 422, 'invalid', /at most 1000/],
  ['no number', message('GET /v1/requests?most=all'), 422, 'invalid'],
  ['explain nothing', message('GET /v1/explain'), 422, 'invalid', /"url" is missing/],
  ['a field that is none', message('GET /v1/explain?url=/&header=x'), 422, 'invalid', /Name: value/],
  [
    'an empty plan',
    message('POST /v1/plan', { lines: 'Content-Type: text/plain\r\n', body: ' ' }),
    422,
    'invalid',
    /empty/,
  ],
  ['a plan of nothing', message('POST /v1/plan'), 415, 'wrong-type'],
  [
    'a plan that is wrong',
    message('POST /v1/plan', { lines: 'Content-Type: text/plain\r\n', body: 'wrong' }),
    422,
    'invalid',
    /the config is wrong/,
  ],

  [
    'a body that is too long by its length',
    json(`POST ${ORIGINS}`, '{', 'Content-Length: 2000000\r\n'),
    413,
    'body-too-large',
  ],
  [
    'a head that is too long',
    message('GET /v1/status', { lines: `X: ${'x'.repeat(20_000)}\r\n` }),
    431,
    'head-too-large',
  ],
  ['a path that is too long', message(`GET /v1/status?${'x'.repeat(13_000)}`), 414, 'target-too-long'],
  ['an unknown expectation', message('GET /v1/status', { lines: 'Expect: miracles\r\n' }), 417, 'unknown-expectation'],
  ['garbage', Buffer.from('\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 GET\r\n\r\n', 'latin1'), 400, 'bad-request'],
  [
    'length and chunks (smuggling)',
    message('POST /v1/reload', { lines: 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n', body: '0\r\n\r\n' }),
    400,
    'bad-request',
  ],
  ['a NUL in a field', message('GET /v1/status', { lines: 'X: a\0b\r\n' }), 400, 'bad-request'],
  ['bare line feeds', Buffer.from(`GET /v1/status HTTP/1.1\nHost: 127.0.0.1\n${AUTH}\n`), 400, 'bad-request'],
  ['a folded field', message('GET /v1/status', { lines: 'X: a\r\n b\r\n' }), 400, 'bad-request'],
];

/** A client that sends bytes as they are, and reads answers. */
export class Raw {
  text = '';
  ended = false;
  readonly socket: Socket;

  constructor(t: TestContext, at: { port: number } | { path: string }) {
    this.socket = 'port' in at ? connect(at.port, '127.0.0.1') : connect(at.path);
    this.socket.setEncoding('latin1');
    this.socket.on('data', (chunk: string) => (this.text += chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.ended = true));
    t.after(() => void this.socket.destroy());
  }

  /** The next whole answer. */
  async answer(): Promise<{ status: number; head: string; body: string }> {
    let end = -1;
    let length = 0;
    await eventually(
      () => {
        end = this.text.indexOf('\r\n\r\n');
        length = Number(/^content-length: (\d+)/im.exec(this.text.slice(0, Math.max(end, 0)))?.[1] ?? 0);
        return end >= 0 && this.text.length >= end + 4 + length;
      },
      () => `an answer; there is ${JSON.stringify(this.text)}`,
    );
    const head = this.text.slice(0, end);
    const body = this.text.slice(end + 4, end + 4 + length);
    this.text = this.text.slice(end + 4 + length);
    return { status: Number(head.slice(9, 12)), head, body };
  }

  async problem(): Promise<{ status: number; head: string; problem: ProblemView }> {
    const { status, head, body } = await this.answer();
    assert.match(head, /^content-type: application\/problem\+json$/im, `${head}\n${body}`);
    return { status, head, problem: problemView.parse(JSON.parse(body)) };
  }
}
