import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { manualClock } from '../../test/support/clock.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { origin } from '../../test/support/origins.ts';
import type { Exchange } from '../core/exchange.ts';
import { jsonFormat, textFormat } from './access-line.ts';

/** An exchange that went well, at the times of the example in access-line.ts. */
function complete(): Exchange {
  const exchange = exchangeOf({}, 'GET /a?b HTTP/1.1', 'Host: Example.org', 'Referer: http://r/', 'User-Agent: curl/8');
  return Object.assign(exchange, {
    id: 'k2x-1',
    route: '/api/*',
    upstream: 'app',
    origin: origin('127.0.0.1:3000'),
    attempts: 2,
    status: 200,
    assigned: 1000.05,
    connected: 1000.26,
    answered: 1001.56,
    bytesIn: 7,
    bytesOut: 5,
    reused: true,
  });
}

function lineAt(exchange: Exchange, ms: number, format = textFormat): string {
  const clock = manualClock();
  clock.advance(ms);
  exchange.ended = clock.now();
  return format(clock)(exchange);
}

function parsed(line: string): Record<string, unknown> {
  assert.ok(line.endsWith('}\n'));
  assert.equal(line.indexOf('\n'), line.length - 1);
  return JSON.parse(Buffer.from(line, 'latin1').toString('utf8')) as Record<string, unknown>;
}

/** What a reader of Combined Log Format splits a line into. */
const COMBINED =
  /^(\S+) - - \[([^\]]+)\] "([^"]*)" (\S+) (\d+) "([^"]*)" "([^"]*)" (\S+) (\S+) (\S+) (\d+) (\S+) (\S+) (\S+) (\S+) (\S+)\n$/;

describe('access line, text', () => {
  test('every field', () => {
    assert.equal(
      lineAt(complete(), 1.6),
      '192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "GET /a?b HTTP/1.1" 200 5 "http://r/" "curl/8" k2x-1 app 127.0.0.1:3000 ' +
        '2 0.050 0.210 1.300 1.600 -\n',
    );
  });

  test('`-` for whatever is not there', () => {
    const line = lineAt(exchangeOf({}, ''), 0);
    assert.equal(line, '192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "-" - 0 "-" "-" - - - 0 - - - 0.000 -\n');
    const empty = exchangeOf({}, 'GET / HTTP/1.1', 'User-Agent:');
    assert.match(lineAt(empty, 0), / "-" "-" - - - 0 /);
  });

  test('the reason, and the times that were reached before', () => {
    const exchange = Object.assign(complete(), { answered: 0, status: 502, error: 'origin-closed' });
    assert.match(lineAt(exchange, 3), / 502 5 .* 2 0\.050 0\.210 - 3\.000 origin-closed\n$/);
  });

  test('what is known of a failure comes last, in quotes, as one line of ASCII', () => {
    const failed = (errorDetail: string): string =>
      lineAt(Object.assign(complete(), { status: 502, error: 'tls-expired', errorDetail }), 3);
    assert.match(
      failed('on 2026-11-20; app, issued by CA'),
      / 3\.000 tls-expired "on 2026-11-20; app, issued by CA"\n$/,
    );
    assert.match(failed(''), / tls-expired\n$/);
    // A certificate is made by somebody else, and a program says what it likes.
    assert.match(
      failed('a" b\n\\ ä €\u2028'),
      / tls-expired "a\\x22 b\\x0A\\x5C \\xC3\\xA4 \\xE2\\x82\\xAC\\xE2\\x80\\xA8"\n$/,
    );
    assert.match(failed('x').replace(/ "x"\n$/, '\n'), COMBINED);
  });

  test('times are rounded, carried and long', () => {
    const total = (ms: number): string => lineAt(complete(), ms).split(' ').at(-2) ?? '';
    assert.equal(total(0.0004), '0.000');
    assert.equal(total(0.0006), '0.001');
    assert.equal(total(0.9996), '1.000');
    assert.equal(total(12.34), '12.340');
    assert.equal(total(3_600_000), '3600000.000');
  });

  test('the time of day follows the clock, a second at a time', () => {
    const clock = manualClock(1000, Date.UTC(2027, 0, 1, 0, 0, 0) - 1500);
    const format = textFormat(clock);
    const stamp = (): string => /\[(.*?)\]/.exec(format(complete()))?.[1] ?? '';
    assert.equal(stamp(), '31/Dec/2026:23:59:58 +0000');
    clock.advance(499);
    assert.equal(stamp(), '31/Dec/2026:23:59:58 +0000');
    clock.advance(1);
    assert.equal(stamp(), '31/Dec/2026:23:59:59 +0000');
    clock.advance(1000);
    assert.equal(stamp(), '01/Jan/2027:00:00:00 +0000');
  });

  test('what a client sends ends neither the quotes nor the line', () => {
    const hostile = 'a" 200 5 "forged\\" \u001b[31m \u00ff\u007f\t';
    const exchange = exchangeOf({}, 'GET /"\\ HTTP/1.1', `Referer: x${hostile}`, `User-Agent: y${hostile}`);
    const line = lineAt(exchange, 0);
    assert.match(line, COMBINED);
    assert.ok(line.includes('"GET /\\x22\\x5C HTTP/1.1"'), line);
    assert.ok(line.includes('"ya\\x22 200 5 \\x22forged\\x5C\\x22 \\x1B[31m \\xFF\\x7F\\x09"'), line);
  });

  test('any field value keeps the line a line', () => {
    const value = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(value, value, (referer, agent) => {
        // Values have no line ends and no space around them: the parser saw to that.
        const clean = (text: string): string => `x${text.replace(/[\r\n]/g, '')}x`;
        const exchange = exchangeOf({}, 'GET / HTTP/1.1', `Referer: ${clean(referer)}`, `User-Agent: ${clean(agent)}`);
        const line = lineAt(exchange, 0);
        assert.match(line, /^[\x20-\x7e]+\n$/);
        const match = COMBINED.exec(line);
        assert.ok(match !== null);
        const read = (text = ''): string =>
          text === '-'
            ? ''
            : text.replace(/\\x(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
        assert.equal(read(match[6]), clean(referer));
        assert.equal(read(match[7]), clean(agent));
      }),
      { numRuns: 300 },
    );
  });
});

describe('access line, JSON', () => {
  test('every field', () => {
    assert.deepEqual(parsed(lineAt(complete(), 1.6, jsonFormat)), {
      time: '2026-11-21T10:00:00.001Z',
      listener: 'web',
      client: '192.0.2.1',
      method: 'GET',
      target: '/a?b',
      host: 'example.org',
      version: '1.1',
      status: 200,
      bytesIn: 7,
      bytesOut: 5,
      referer: 'http://r/',
      userAgent: 'curl/8',
      id: 'k2x-1',
      route: '/api/*',
      upstream: 'app',
      origin: '127.0.0.1:3000',
      attempts: 2,
      reused: true,
      queue: 0.05,
      connect: 0.21,
      first: 1.3,
      total: 1.6,
    });
  });

  test('what is not there is left out', () => {
    const keys = Object.keys(parsed(lineAt(exchangeOf({}, ''), 0, jsonFormat)));
    assert.deepEqual(keys, ['time', 'listener', 'client', 'version', 'bytesIn', 'bytesOut', 'attempts', 'total']);
  });

  test('the reason and its detail', () => {
    const exchange = Object.assign(complete(), { error: 'connect-refused', errorDetail: 'ECONNREFUSED "x"' });
    const { error, detail } = parsed(lineAt(exchange, 0, jsonFormat));
    assert.deepEqual([error, detail], ['connect-refused', 'ECONNREFUSED "x"']);
  });

  test('any value a client sends is read back as it was', () => {
    const value = fc.string({ unit: fc.integer({ min: 0x20, max: 255 }).map((code) => String.fromCharCode(code)) });
    fc.assert(
      fc.property(value, (text) => {
        const agent = `x${text}x`;
        const exchange = exchangeOf({}, 'GET / HTTP/1.1', `User-Agent: ${agent}`);
        assert.equal(parsed(lineAt(exchange, 0, jsonFormat))['userAgent'], agent);
      }),
      { numRuns: 300 },
    );
  });

  test('names from the config may have any letters', () => {
    const exchange = Object.assign(complete(), { upstream: 'größe € 😀' });
    assert.equal(parsed(lineAt(exchange, 0, jsonFormat))['upstream'], 'größe € 😀');
  });
});
