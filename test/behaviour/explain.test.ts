/** What `explain` says is what happens: the same requests are sent through a running line. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { explain } from '../../src/control/explain.ts';
import { systemClock } from '../../src/core/clock.ts';
import { start } from '../support/line.ts';
import { ok, server } from '../support/scripted.ts';

type Fields = readonly (readonly [string, string])[];

test('fields that the origin gets, in number and value', async (t) => {
  const origin = await server(t, () => ok());
  const line = await start(t, [origin.url], { host: 'origin' }, { headers: { via: 'edge', forwarded: true } });
  const requests: readonly Fields[] = [
    [['Host', 'example.org']],
    [
      ['Host', 'Example.ORG:8080'],
      ['Connection', 'x-a, keep-alive'],
      ['X-A', '1'],
      ['X-B', ' 2 '],
      ['x-b', '3'],
    ],
    [
      ['Host', 'a'],
      ['X-Forwarded-For', '192.0.2.1'],
      ['Forwarded', 'for=x'],
      ['X-Request-Id', 'mine'],
      ['TE', 'trailers'],
    ],
    [
      ['Host', 'a'],
      ['under_score', '1'],
      ['Proxy', 'http://evil'],
      ['Keep-Alive', 'timeout=5'],
    ],
  ];
  for (const [i, fields] of requests.entries()) {
    const peer = await line.connect();
    peer.send(`GET /${i} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    await peer.answer();
    const got = sorted(
      origin.requests[i].head
        .split('\r\n')
        .slice(1)
        .filter((one) => one !== ''),
    );
    const { rewrites } = explain(line.sluice.config, { method: 'GET', url: `/${i}`, fields }, systemClock);
    const expected = fields.map(([name, value]) => `${name}: ${value.trim()}`);
    for (const rewrite of rewrites) {
      if (rewrite.startsWith('+ ')) expected.push(rewrite.slice(2));
      else expected.splice(expected.indexOf(rewrite.slice(2)), 1);
    }
    assert.deepEqual(sorted(expected), got);
  }
  await line.logged(requests.length);

  /** Without what the two cannot have in common: the id, and the port of a listener on port 0. */
  function sorted(lines: readonly string[]): string[] {
    return lines
      .map((one) =>
        one
          .replace(/^(X-Request-Id: ).*/, '$1id')
          .replace(/ +$/, '')
          .replace(/: +/, ': '),
      )
      .filter((one) => !one.startsWith('X-Forwarded-Port'))
      .toSorted();
  }
});

test('the origin that a hash leads to', async (t) => {
  const origins = await Promise.all([1, 2, 3].map(() => server(t, () => ok())));
  const line = await start(
    t,
    origins.map(({ url }) => url),
    { balance: 'hash' },
  );
  const peer = await line.connect();
  for (let i = 0; i < 30; i++) {
    peer.send(`GET /page/${i}?x HTTP/1.1\r\nHost: example.org\r\n\r\n`);
    await peer.answer();
    const { pick } = explain(
      line.sluice.config,
      { method: 'GET', url: `http://example.org/page/${i}?x`, fields: [] },
      systemClock,
    );
    const got = origins.find(({ requests }) => requests.some(({ head }) => head.startsWith(`GET /page/${i}?`)));
    assert.equal(pick, got?.url.replace('http://', ''));
  }
  await line.logged(30);
});

test('the status of what is refused', async (t) => {
  const origin = await server(t, () => ok());
  const line = await start(t, [origin.url]);
  const requests: readonly (readonly [string, string, Fields])[] = [
    ['TRACE', '/', [['Host', 'a']]],
    ['GET', '/../x', [['Host', 'a']]],
    ['GET', '/%2e%2e/x', [['Host', 'a']]],
    ['GET', '/a', [['Host', 'a b']]],
    [
      'GET',
      '/a',
      [
        ['Host', 'a'],
        ['Host', 'a'],
      ],
    ],
    ['G@T', '/a', [['Host', 'a']]],
    ['GET', `/${'x'.repeat(9000)}`, [['Host', 'a']]],
    [
      'GET',
      '/',
      [
        ['Host', 'a'],
        ['X', 'x'.repeat(17_000)],
      ],
    ],
    [
      'GET',
      '/',
      [
        ['Host', 'a'],
        ['Content-Length', '1x'],
      ],
    ],
    [
      'GET',
      '/',
      [
        ['Host', 'a'],
        ['Transfer-Encoding', 'gzip, chunked'],
      ],
    ],
    [
      'POST',
      '/',
      [
        ['Host', 'a'],
        ['Expect', 'x'],
      ],
    ],
  ];
  for (const [method, url, fields] of requests) {
    const peer = await line.connect();
    peer.send(`${method} ${url} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
    const answer = await peer.answer();
    const { status, error } = explain(line.sluice.config, { method, url, fields }, systemClock);
    assert.equal(status, answer?.status, `${method} ${url.slice(0, 20)} ${error}`);
  }
  assert.deepEqual(origin.requests, []);
  await line.logged(requests.length);
});
