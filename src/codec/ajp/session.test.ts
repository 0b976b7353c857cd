import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  endResponse,
  forwardedOf,
  fromContainer,
  getBody,
  packetsOf,
  sendBody,
  sendHeaders,
} from '../../../test/support/ajp.ts';
import { cut } from '../../../test/support/http1.ts';
import { requestOf } from '../../../test/support/request.ts';
import { asker, converse, feed, Heard, Sent, TARGET } from '../../../test/support/session.ts';
import type { Request } from '../../core/request.ts';
import { ping, readPong } from './ping.ts';
import { AjpSession } from './session.ts';

const LIMITS = { head: 32_768, fields: 100 };

function made(secret = '', packetSize = 8192): { session: AjpSession; sent: Sent } {
  const sent = new Sent();
  return { session: new AjpSession({ secret, packetSize, attributes: ['DEPARTMENT'] }, sent, LIMITS), sent };
}

function upload(length: number | 'chunked', ...fields: string[]): Request {
  const request = requestOf('POST /up HTTP/1.1', 'Host: a', ...fields);
  request.framing = length === 'chunked' ? 'chunked' : 'length';
  if (typeof length === 'number') request.length = length;
  return request;
}

const bytes = (size: number): Buffer => Buffer.from(Uint8Array.from({ length: size }, (_, i) => i % 251));

test('a request becomes one packet', () => {
  const { session, sent } = made('s3cret');
  const request = requestOf(
    'GET /a%20b/c?x=1&y=%20 HTTP/1.1',
    'Host: app.example:8443',
    'Accept: */*',
    'X-One: 1',
    'cookie: a=b',
    'Expect: 100-continue',
    'X-One: 2',
  );
  session.open(request, TARGET, new Heard(), asker({ scheme: 'https' }));
  const [packet, ...more] = packetsOf(sent.take());
  assert.equal(more.length, 0);
  assert.deepEqual(forwardedOf(packet), {
    method: 2,
    protocol: 'HTTP/1.1',
    uri: '/a%20b/c',
    remote: '192.0.2.1',
    host: '192.0.2.1',
    name: 'app.example',
    port: 8443,
    https: true,
    fields: [
      ['a00b', 'app.example:8443'],
      ['a001', '*/*'],
      ['X-One', '1'],
      ['a009', 'a=b'],
      ['X-One', '2'],
    ],
    attributes: { '05': 'x=1&y=%20', '0c': 's3cret', '0a AJP_REMOTE_PORT': '40000' },
  });
});

test('https: on the connection, or where a trusted proxy says so, and nobody else', () => {
  const https = (client: Parameters<typeof asker>[0], field = 'X-One: 1'): unknown => {
    const { session, sent } = made();
    session.open(requestOf('GET / HTTP/1.1', 'Host: a', field), TARGET, new Heard(), asker(client));
    const { https: secure, port } = forwardedOf(packetsOf(sent.take())[0]);
    return [secure, port];
  };
  assert.deepEqual(https({ scheme: 'https' }), [true, 443]);
  assert.deepEqual(https({}, 'X-Forwarded-Proto: https'), [false, 80]);
  assert.deepEqual(https({ trusted: true }, 'X-Forwarded-Proto: https'), [true, 443]);
  assert.deepEqual(https({ trusted: true, scheme: 'https' }, 'X-Forwarded-Proto: http'), [false, 80]);
});

test('a client cannot set attributes, and one behind proxies has no port', () => {
  const { session, sent } = made();
  const from = { ...asker(), remote: '198.51.100.7' };
  session.open(
    requestOf('PURGE / HTTP/1.1', 'Host: a', 'AJP_REMOTE_PORT: 1', 'javax.servlet.include.path_info: x', 'secret: x'),
    TARGET,
    new Heard(),
    from,
  );
  const forwarded = forwardedOf(packetsOf(sent.take())[0]);
  assert.equal(forwarded.method, 0xff);
  assert.equal(forwarded.remote, '198.51.100.7');
  assert.deepEqual(forwarded.attributes, { '0d': 'PURGE' });
});

test("the host is the upstream's, or the origin's where the client sent none", () => {
  const host = (request: Request, target = TARGET): unknown => {
    const { session, sent } = made();
    session.open(request, target, new Heard(), asker());
    const { name, port, fields } = forwardedOf(packetsOf(sent.take())[0]);
    return [name, port, fields.find(([code]) => code === 'a00b')?.[1]];
  };
  assert.deepEqual(host(requestOf('GET / HTTP/1.0')), ['origin', 8009, 'origin:8009']);
  assert.deepEqual(host(requestOf('GET / HTTP/1.1', 'Host: [::1]')), ['[::1]', 80, '[::1]']);
  assert.deepEqual(host(requestOf('GET / HTTP/1.1', 'Host: a'), { ...TARGET, replaceHost: true }), [
    'origin',
    8009,
    'origin:8009',
  ]);
  assert.deepEqual(host(requestOf('GET http://b:81/ HTTP/1.1', 'Host: a')), ['b', 81, 'b:81']);
});

test('a head larger than a packet is refused, and nothing is sent', () => {
  for (const [size, fits] of [
    [7800, true],
    [8300, false],
  ] as const) {
    const { session, sent } = made();
    const request = requestOf('GET / HTTP/1.1', 'Host: a', `X: ${'x'.repeat(size)}`);
    const opened = session.open(request, TARGET, new Heard(), asker());
    assert.equal(opened, fits ? 0 : 'head-too-large-for-origin');
    assert.ok(session.reusable);
    assert.equal(packetsOf(sent.take()).length, fits ? 1 : 0);
  }
  const { session, sent } = made('', 65_536);
  session.open(requestOf('GET / HTTP/1.1', 'Host: a', `X: ${'x'.repeat(60_000)}`), TARGET, new Heard(), asker());
  assert.equal(packetsOf(sent.take()).length, 1);
});

test('of a body with a length one packet goes unasked, the rest as it is asked for', () => {
  const { session, sent } = made();
  const heard = new Heard();
  const body = bytes(20_000);
  session.open(upload(body.length), TARGET, heard, asker());
  session.body(0, body, 0, body.length);
  session.end();
  let packets = packetsOf(sent.take());
  assert.deepEqual(forwardedOf(packets[0]).fields.at(-1), ['a008', '20000']);
  assert.deepEqual(
    packets.slice(1).map((one) => one.length - 2),
    [8186],
  );
  const got = [packets[1].subarray(2)];
  assert.ok(session.holding);
  for (const size of [1000, 8186, 8186]) {
    feed(session, getBody(size));
    packets = packetsOf(sent.take());
    assert.equal(packets.length, 1);
    assert.equal(packets[0].readUInt16BE(0), packets[0].length - 2);
    got.push(packets[0].subarray(2));
  }
  assert.ok(!session.holding);
  assert.deepEqual(Buffer.concat(got), body);
  // Asked for more than there is: an empty packet.
  feed(session, getBody(8186));
  assert.deepEqual(
    packetsOf(sent.take()).map((one) => one.length),
    [0],
  );
  feed(session, Buffer.concat([sendHeaders(200), endResponse()]));
  assert.deepEqual(heard.events, ['answer 200 OK (chunked)', 'end']);
  assert.ok(session.reusable);
});

test('a chunked body waits until it is asked for, and asking waits for the body', () => {
  const { session, sent } = made();
  session.open(upload('chunked'), TARGET, new Heard(), asker());
  assert.deepEqual(forwardedOf(packetsOf(sent.take())[0]).fields, [
    ['a00b', 'a'],
    // Tomcat takes a request without a length and without this for one without a form.
    ['Transfer-Encoding', 'chunked'],
  ]);
  session.body(0, Buffer.from('first'), 0, 5);
  assert.equal(sent.take().length, 0);
  assert.ok(session.holding);
  feed(session, getBody(8186));
  assert.equal(packetsOf(sent.take())[0].latin1Slice(2), 'first');
  feed(session, getBody(8186));
  assert.equal(sent.take().length, 0);
  session.body(0, Buffer.from('second'), 0, 6);
  assert.equal(packetsOf(sent.take())[0].latin1Slice(2), 'second');
  feed(session, getBody(8186));
  session.end();
  assert.deepEqual(
    packetsOf(sent.take()).map((one) => one.length),
    [0],
  );
});

test('an end while the container waits for a piece leaves nothing to use again', () => {
  const { session } = made();
  const heard = new Heard();
  session.open(upload('chunked'), TARGET, heard, asker());
  feed(session, getBody(8186));
  feed(session, Buffer.concat([sendHeaders(403), endResponse()]));
  assert.deepEqual(heard.events, ['answer 403 Forbidden (chunked)', 'end']);
  assert.ok(!session.reusable);
});

test('what was not asked for is thrown away, and the next request is its own', () => {
  const { session, sent } = made();
  session.open(upload(20_000), TARGET, new Heard(), asker());
  session.body(0, bytes(20_000), 0, 20_000);
  session.end();
  feed(session, Buffer.concat([sendHeaders(403), endResponse()]));
  assert.ok(session.reusable && !session.holding);
  sent.take();
  const heard = converse(session, requestOf('GET /next HTTP/1.1', 'Host: a'), [sendHeaders(204), endResponse()]);
  assert.equal(forwardedOf(packetsOf(sent.take())[0]).uri, '/next');
  assert.deepEqual(heard.events, ['answer 204 No Content (none)', 'end']);
});

test('a client that waits for 100 gets it, and the container hears nothing of it', () => {
  const { session, sent } = made();
  const heard = new Heard();
  const request = upload(5, 'Expect: 100-continue');
  request.expectsContinue = true;
  session.open(request, TARGET, heard, asker());
  assert.deepEqual(heard.events, ['interim 100 Continue']);
  assert.ok(!forwardedOf(packetsOf(sent.take())[0]).fields.some(([name]) => name === 'Expect'));
});

test('after an abort nothing is heard, and the channel is not used again', () => {
  const { session } = made();
  const heard = new Heard();
  session.open(requestOf('GET / HTTP/1.1', 'Host: a'), TARGET, heard, asker());
  session.abort();
  feed(session, Buffer.concat([sendHeaders(200), sendBody('x'), endResponse()]));
  session.eof();
  assert.deepEqual([heard.events, heard.content, session.reusable], [[], '', false]);
});

test('a ping and its answer', () => {
  assert.deepEqual([...ping()], [0x12, 0x34, 0, 1, 10]);
  const pong = fromContainer(Buffer.of(9));
  for (let i = 0; i < pong.length; i++) assert.equal(readPong(pong.subarray(0, i)), 'more');
  assert.equal(readPong(pong), 'pong');
  assert.equal(readPong(fromContainer(Buffer.of(5))), 'bad');
  assert.equal(readPong(Buffer.concat([pong, pong])), 'bad');
  assert.equal(readPong(Buffer.from('HTTP/1.1')), 'bad');
});

// ---- any bytes at all

const piece = fc.uint8Array({ maxLength: 30 }).map((array) => Buffer.from(array));
const packet = fc.oneof(
  fc
    .tuple(fc.constantFrom(200, 404, 204, 103, 101, 99, 1000), fc.constantFrom('5', '0', 'x', ''))
    .map(([status, length]) => sendHeaders(status, length === '' ? [] : [['Content-Length', length]])),
  piece.map(sendBody),
  fc.nat(9000).map(getBody),
  fc.boolean().map(endResponse),
  fc.tuple(fc.nat(12), piece).map(([type, content]) => fromContainer(Buffer.of(type), content)),
);
const mutations = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 });
const conversation = fc.record({
  packets: fc.array(packet, { maxLength: 8 }),
  mutations,
  junk: piece,
  eof: fc.boolean(),
});

test('whatever comes, and however it is split: one result, no exception, nothing kept that was not sent', () => {
  const property = fc.property(conversation, fc.nat(30_000), (given, size) => {
    const all = Buffer.concat([...given.packets, given.junk]);
    for (const [at, value] of given.mutations) if (all.length > 0) all[at % all.length] = value;
    const body = bytes(size).toString('latin1');
    const run = (pieces: readonly Buffer[]): object => {
      const { session, sent } = made();
      const heard = converse(session, upload('chunked'), pieces, { eof: given.eof, body });
      assert.ok(heard.events.filter((one) => /^(?:end|error)/.test(one)).length <= 1, 'one end');
      return { ...heard.all, reusable: session.reusable, sent: sent.take().toString('latin1') };
    };
    const whole = run([all]);
    for (let i = 1; i < all.length; i += 1 + Math.floor(all.length / 30)) assert.deepEqual(run(cut(all, i)), whole);
    assert.deepEqual(run(cut(all, ...all.keys())), whole, 'byte by byte');
  });
  fc.assert(property, { numRuns: 400 });
});
