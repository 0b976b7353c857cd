import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from '../support/line.ts';
import { eventually, get, ok, origin, type Peer, post, server, sleep } from '../support/scripted.ts';

/** What an origin may do to a request instead of answering it. */
const DEATHS: Record<string, (peer: Peer) => void> = {
  'FIN before any byte': (peer) => peer.fin(),
  'RST before any byte': (peer) => peer.reset(),
  'FIN in the head': (peer) => {
    peer.send('HTTP/1.1 200 OK\r\nContent-Le');
    peer.fin();
  },
  'RST in the head': (peer) => {
    peer.send('HTTP/1.1 200 OK\r\nContent-Le');
    setTimeout(() => peer.reset(), 30);
  },
  'RST after an interim answer': (peer) => {
    peer.send('HTTP/1.1 102 Processing\r\n\r\n');
    setTimeout(() => peer.reset(), 30);
  },
};

for (const [name, die] of Object.entries(DEATHS)) {
  test(`${name}: GET goes to another origin, POST is answered 502`, async (t) => {
    const bad = await origin(t, async (peer) => {
      if ((await peer.request()) !== undefined) die(peer);
    });
    const good = await server(t, (request) => ok(request.target));
    const line = await start(t, [bad.url, good.url]);
    const peer = await line.connect();
    peer.send(get('/again'));
    let answer = await peer.answer();
    if (answer.status === 102) answer = await peer.answer();
    assert.equal(answer.body, '/again');
    peer.send(post('x'));
    answer = await peer.answer();
    if (answer.status === 102) answer = await peer.answer();
    assert.equal(answer.status, 502);
    assert.match(answer.field('proxy-status') ?? '', /connection_terminated/);
    const [first, second] = await line.logged(2);
    assert.equal(first?.attempts, 2);
    assert.equal(first?.origin, `127.0.0.1:${good.port}`);
    assert.equal(second?.attempts, 1);
    assert.equal(second?.error, 'origin-closed');
    assert.equal(good.requests.length, 1);
    // It could be reached, so nothing is known against it.
    assert.equal(line.first.state, 'up');
    await line.settled();
  });
}

test('an answer that is not HTTP is 502, and not repeated', async (t) => {
  const answers = [
    'SSH-2.0-OpenSSH_9.2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n',
    'HTTP/1.1 099 Low\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}\r\n\r\n`,
  ];
  const app = await server(t, (request) => answers[Number(request.target.slice(1))] ?? ok());
  const good = await server(t, () => ok());
  const line = await start(t, [app.url, good.url]);
  for (let i = 0; i < answers.length; i++) {
    const peer = await line.connect();
    peer.send(get(`/${i}`));
    const answer = await peer.answer();
    assert.equal(answer.status, 502, answers[i]?.slice(0, 100));
    peer.close();
  }
  await line.logged(answers.length);
  assert.equal(good.requests.length, 0);
  await line.settled();
  assert.equal(line.first.connections, 0);
});

test('an answer that breaks off looks broken to the client, whatever its framing and however the origin went', async (t) => {
  const bodies: Record<string, string> = {
    length: 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf',
    chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    chunk: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nhalf',
    broken: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n2\r\nha',
    eof: 'HTTP/1.1 200 OK\r\n\r\nhalf',
  };
  const app = await origin(t, async (peer) => {
    const request = await peer.request();
    const [, kind = '', how = ''] = (request?.target ?? '').split('/');
    peer.send(bodies[kind] ?? '');
    await sleep(50);
    if (kind === 'broken') peer.send('zz\r\n');
    else if (how === 'fin') peer.fin();
    else peer.reset();
  });
  const line = await start(t, app.url);
  let count = 0;
  for (const kind of Object.keys(bodies)) {
    for (const how of ['fin', 'rst']) {
      // The end of the connection is how such a body ends.
      if (kind === 'eof' && how === 'fin') continue;
      for (const version of ['1.1', '1.0']) {
        const peer = await line.connect();
        peer.send(`GET /${kind}/${how} HTTP/${version}\r\nHost: a\r\n\r\n`);
        const got = await peer.end();
        const what = `${kind} ${how} ${version}: ${JSON.stringify(got)}`;
        assert.match(got, /^HTTP\/1\.1 200 OK\r\n/, what);
        const body = got.slice(got.indexOf('\r\n\r\n') + 4);
        if (/content-length/i.test(got)) assert.ok(body.length < 100, what);
        else if (/transfer-encoding/i.test(got)) assert.ok(!body.endsWith('0\r\n\r\n'), what);
        else assert.equal(peer.ending, 'reset', what);
        peer.close();
        count++;
      }
    }
  }
  const logged = await line.logged(count);
  for (const one of logged) {
    assert.equal(one.error, 'answer-incomplete');
    assert.equal(one.status, 200);
  }
  await line.settled();
});

test('surplus bytes, before or after an answer, close the channel and reach nobody', async (t) => {
  const app = await origin(t, async (peer, nth) => {
    for (;;) {
      const request = await peer.request();
      if (request === undefined) return;
      if (nth === 0) peer.send(`${ok('one')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
      else if (nth === 1) {
        peer.send(ok('two'));
        await sleep(50);
        peer.send('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
      } else peer.send(ok('three'));
    }
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  for (const body of ['one', 'two', 'three', 'three']) {
    peer.send(get());
    assert.equal((await peer.answer()).body, body);
    const kept = body === 'three' ? 1 : 0;
    await eventually(() => line.first.connections === kept, `${kept} channels after ${body}`);
  }
  await peer.silence(20);
  assert.equal(app.connections.length, 3);
  assert.equal(line.first.state, 'up');
  await line.logged(4);
});

test('an early answer is passed on at once, the client may go on sending, and the channel is not used again', async (t) => {
  let ended = 0;
  const app = await origin(t, async (peer) => {
    const head = await peer.requestHead();
    if (head?.method !== 'POST') return peer.send(ok('next'));
    await peer.bytes(5);
    peer.send(ok('early'));
    await peer.end();
    ended++;
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(post('x'.repeat(100_000)).slice(0, 200));
  const answer = await peer.answer();
  assert.equal(answer.body, 'early');
  assert.equal(answer.field('connection'), 'close');
  for (let i = 0; i < 100; i++) {
    peer.send('x'.repeat(65_536));
    await new Promise(setImmediate);
  }
  assert.equal(await peer.end(), '');
  assert.equal(peer.ending, 'fin');
  await eventually(() => ended === 1, 'the channel to close');
  // With little left to send the connection goes on, after that has been thrown away.
  const second = await line.connect();
  const small = post('x'.repeat(1000));
  second.send(small.slice(0, -500));
  assert.equal((await second.answer()).body, 'early');
  second.send(small.slice(-500) + get());
  assert.equal((await second.answer()).body, 'next');
  assert.equal(app.connections.length, 3);
  await line.logged(3);
});

test('an origin that takes no more bytes than the head and then answers and resets: the answer arrives', async (t) => {
  const app = await origin(t, async (peer) => {
    await peer.requestHead();
    peer.pause();
    peer.send('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig');
    await sleep(50);
    peer.close();
  });
  const line = await start(t, app.url);
  const peer = await line.connect();
  peer.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
  const piece = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 64; i++) peer.send(piece);
  const answer = await peer.answer();
  assert.equal(answer.status, 413);
  assert.equal(answer.body, 'big');
  const [logged] = await line.logged(1);
  assert.equal(logged?.status, 413);
  await line.settled();
});

test('silence: no answer in time is 504, or asked elsewhere; a pause within an answer cuts it', async (t) => {
  const slow = await origin(t, async (peer) => {
    const request = await peer.request();
    if (request?.target === '/pause') peer.send('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
    await peer.end();
  });
  const good = await server(t, () => ok('good'));
  const line = await start(t, [slow.url, good.url], { timeouts: { firstByte: '2s', idle: '2s' } });
  const peer = await line.connect();
  peer.send(get('/get'));
  assert.equal((await peer.answer()).body, 'good');
  peer.send(post('x', '/post'));
  const answer = await peer.answer();
  assert.equal(answer.status, 504);
  assert.match(answer.field('proxy-status') ?? '', /http_response_timeout/);
  peer.send(get('/pause'));
  assert.match(await peer.end(), /half$/);
  const logged = await line.logged(3);
  assert.deepEqual(
    logged.map((one) => one.error),
    [undefined, 'answer-timeout', 'answer-stalled'],
  );
  await line.settled();
});
