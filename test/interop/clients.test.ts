/** Clients that speak HTTP in ways of their own: ab, Python's http.client and urllib, wget, and a bare socket. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { peer, skipUnless } from '../support/peer.ts';
import { folder, run, until } from './stage.ts';
import { three, type Kind } from './three.ts';

const kinds: readonly Kind[] = ['nginx', 'node', 'python'];

test('ab: HTTP/1.0 with and without keep-alive', async (t) => {
  const ab = skipUnless(t, 'ab');
  if (ab === undefined) return;
  const stage = await three(t);
  if (stage === undefined) return;
  const { sluice } = stage;
  for (const kind of kinds) {
    for (const keep of [[], ['-k']]) {
      // Python's server starts a thread for each connection: it gets fewer.
      const count = kind === 'python' ? '200' : '1000';
      const ran = await run(t, ab, [
        ...['-q', '-n', count, '-c', '16', ...keep, '-H', `Host: ${kind}.test`],
        `${sluice.url}/gzip.txt`,
      ]);
      const said = `${kind} ${keep.join('')}\n${ran.text}${ran.stderr}`;
      assert.equal(ran.code, 0, said);
      assert.match(ran.text, new RegExp(`^Complete requests: +${count}$`, 'm'), said);
      assert.match(ran.text, /^Failed requests: +0$/m, said);
      assert.doesNotMatch(ran.text, /^Non-2xx/m, said);
      // ab counts an answer as kept alive when it says so and the connection did.
      if (keep.length > 0) assert.match(ran.text, new RegExp(`^Keep-Alive requests: +${count}$`, 'm'), said);
    }
  }
  // And a body: 1.0 clients cannot send chunks, so it has a length.
  const body = join(folder(t), 'body');
  writeFileSync(body, 'x'.repeat(5000));
  const posted = await run(t, ab, [
    ...['-q', '-k', '-n', '500', '-c', '8', '-p', body, '-H', 'Host: node.test'],
    `${sluice.url}/sink`,
  ]);
  assert.match(posted.text, /^Failed requests: +0$/m, posted.text);
  await until('all lines are written', () => sluice.access().length === 4900);
  assert.deepEqual(
    sluice.access().filter((line) => line.error !== undefined || line.status !== 200),
    [],
  );
});

test("Python's http.client and urllib", async (t) => {
  const stage = await three(t);
  if (stage === undefined) return;
  const python = peer('python3') as string;
  const script = `
import hashlib, http.client, sys, urllib.request, urllib.error
port = int(sys.argv[1])
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
def ask(kind, method, path, body=None, chunked=False, **headers):
    connection.request(method, path, body, {"Host": kind + ".test", **headers}, encode_chunked=chunked)
    answer = connection.getresponse()
    return answer, answer.read()
# One connection for all: whatever the origin does to its own, ours stays.
ask("node", "GET", "/name")
first = connection.sock
assert first is not None
for kind in ("nginx", "node", "python"):
    answer, body = ask(kind, "GET", "/mebi.bin")
    assert answer.status == 200 and answer.version == 11 and len(body) == 1048576, (kind, answer.status, len(body))
    answer, body = ask(kind, "HEAD", "/mebi.bin")
    assert answer.headers["Content-Length"] == "1048576" and body == b"", kind
    answer, body = ask(kind, "GET", "/nothing-here")
    assert answer.status == 404, kind
pieces = [b"a" * 1000, b"b" * 70000, b"c"]
answer, body = ask("node", "POST", "/sink", iter(pieces), True, **{"Transfer-Encoding": "chunked"})
assert body.startswith(b"71001 " + hashlib.sha256(b"".join(pieces)).hexdigest().encode()), body
answer, body = ask("node", "GET", "/zeros?bytes=3000000&chunked")
assert answer.headers["Transfer-Encoding"] == "chunked" and len(body) == 3000000
assert connection.sock is first, "the connection was closed in between"
connection.close()
request = urllib.request.Request("http://127.0.0.1:%d/sink" % port, b"q" * 200000, {"Host": "python.test"})
assert urllib.request.urlopen(request, timeout=20).read().startswith(b"200000 ")
try:
    urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:%d/no" % port, headers={"Host": "nginx.test"}))
    assert False
except urllib.error.HTTPError as error:
    assert error.code == 404
# http.client sends all of a body before it reads: what a server says meanwhile must not be lost by a reset.
early = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
early.request("POST", "/early", b"z" * 5000000, {"Host": "node.test"})
assert early.getresponse().status == 403
print("done")
`;
  const { text, stderr } = await run(t, python, ['-c', script, String(stage.sluice.port)]);
  assert.equal(text, 'done\n', stderr);
});

test('wget: saves, goes on where it was interrupted, and asks only for the head', async (t) => {
  const wget = peer('wget');
  if (wget === undefined) return t.skip('wget is not installed');
  const stage = await three(t);
  if (stage === undefined) return;
  const saved = join(folder(t), 'saved.bin');
  writeFileSync(saved, stage.mebi.subarray(0, 400_000));
  const to = ['-nv', '-T', '20', '--header', 'Host: nginx.test'];
  const { code, stderr } = await run(t, wget, [...to, '-c', '-O', saved, `${stage.sluice.url}/mebi.bin`]);
  assert.equal(code, 0, stderr);
  assert.ok(readFileSync(saved).equals(stage.mebi));
  assert.equal((await run(t, wget, [...to, '--spider', `${stage.sluice.url}/mebi.bin`])).code, 0);
  await until('the log', () => stage.sluice.access().length === 2);
  assert.deepEqual(
    stage.sluice.access().map((line) => [line.method, line.status, line.bytesOut]),
    [
      ['GET', 206, 648_576],
      ['HEAD', 200, 0],
    ],
  );
});

test('pipelining: answers come in the order of the requests, whatever their origin and length', async (t) => {
  const stage = await three(t);
  if (stage === undefined) return;
  const { sluice } = stage;
  const socket = connect(sluice.port, sluice.host);
  t.after(() => socket.destroy());
  let received = '';
  socket.on('data', (piece: Buffer) => (received += piece.toString('latin1')));
  const rounds = 30;
  let sent = '';
  for (let i = 0; i < rounds; i++) {
    sent += `GET /slow?ms=${(i * 7) % 20} HTTP/1.1\r\nHost: node.test\r\n\r\n`;
    sent += `HEAD /mebi.bin HTTP/1.1\r\nHost: python.test\r\n\r\n`;
    sent += `POST /sink HTTP/1.1\r\nHost: node.test\r\nContent-Length: 5\r\n\r\n12345`;
    sent += `POST /sink HTTP/1.1\r\nHost: node.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\n\r\n`;
    sent += `GET /name HTTP/1.1\r\nHost: nginx.test\r\n\r\n`;
  }
  sent += 'GET /name HTTP/1.1\r\nHost: node.test\r\nConnection: close\r\n\r\n';
  // In pieces of no particular shape, faster than they are answered.
  for (let at = 0; at < sent.length; at += 777) socket.write(sent.slice(at, at + 777));
  await once(socket, 'end');
  const bodies = received.split(/HTTP\/1\.1 200 OK\r\n(?:[^\r\n]+\r\n)+\r\n/).slice(1);
  assert.equal(bodies.length, rounds * 5 + 1);
  for (let i = 0; i < rounds; i++) {
    const [slow, head, sized, chunked, name] = bodies.slice(i * 5);
    assert.equal(slow, 'slow');
    assert.equal(head, '');
    assert.match(sized ?? '', /^5 [0-9a-f]{64} /);
    assert.match(chunked ?? '', /^7 [0-9a-f]{64} /);
    assert.equal(name, 'nginx');
  }
  assert.equal(bodies.at(-1), 'node');
});
