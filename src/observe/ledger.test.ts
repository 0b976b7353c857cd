import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { origin } from '../../test/support/origins.ts';
import { recordView } from '../control/views.ts';
import type { Exchange } from '../core/exchange.ts';
import { Ledger, type LedgerOptions } from './ledger.ts';

const OPTIONS: LedgerOptions = { recent: 3, slow: { over: 1000, keep: 2 } };

function ledger(options: LedgerOptions = OPTIONS): { ledger: Ledger; clock: ReturnType<typeof manualClock> } {
  const clock = manualClock();
  return { ledger: new Ledger(options, clock), clock };
}

/** An exchange that ended like this; at first, one that went well. */
function ended(some: Partial<Exchange> = {}, line = 'GET /a HTTP/1.1'): Exchange {
  const exchange = exchangeOf({}, line, 'Host: Example.org', 'Authorization: Basic secret', 'Cookie: secret');
  const well = {
    id: 'k2x-1',
    route: 'api',
    upstream: 'app',
    origin: origin('127.0.0.1:3000'),
    attempts: 1,
    status: 200,
  };
  return Object.assign(exchange, well, { assigned: 1000.5, connected: 1001, answered: 1003.25 }, some);
}

describe('ledger', () => {
  test('a record has everything that is known, and fits the schema', () => {
    const { ledger: kept, clock } = ledger();
    clock.advance(20);
    const exchange = ended({ status: 502, error: 'origin-closed', errorDetail: 'ECONNRESET', attempts: 2 });
    exchange.failed(origin('127.0.0.1:3001'), 'connect-refused', 'ECONNREFUSED');
    exchange.failed(exchange.origin, 'origin-closed', '');
    kept.done(exchange);
    const [record] = kept.records(10);
    assert.deepEqual(recordView.parse(record), record);
    assert.deepEqual(record, {
      id: 'k2x-1',
      at: '2026-11-21T10:00:00.000Z',
      why: 'error',
      method: 'GET',
      host: 'example.org',
      target: '/a',
      client: '192.0.2.1',
      listener: 'web',
      route: 'api',
      upstream: 'app',
      origin: '127.0.0.1:3000',
      status: 502,
      error: 'origin-closed',
      detail: 'ECONNRESET',
      attempts: 2,
      queue: 0.5,
      connect: 0.5,
      first: 2.25,
      total: 20,
      ledger: ['127.0.0.1:3001 connect-refused ECONNREFUSED', '127.0.0.1:3000 origin-closed'],
    });
  });

  test('one that came to nothing at all has a record, too', () => {
    const { ledger: kept } = ledger();
    kept.done(Object.assign(exchangeOf({}), { status: 400, error: 'head-timeout' }));
    const [record] = kept.records(10);
    assert.deepEqual(recordView.parse(record), record);
    assert.deepEqual([record.method, record.host, record.origin, record.queue, record.ledger], ['', '', '', null, []]);
  });

  test('failed: by sluice’s error, or with an answer of 5xx; what an origin refuses is not', () => {
    const { ledger: kept } = ledger();
    for (const status of [200, 304, 404, 499]) kept.done(ended({ status }));
    assert.deepEqual(kept.records(10), []);
    kept.done(ended({ status: 500 }));
    kept.done(ended({ status: 200, error: 'answer-incomplete' }));
    assert.deepEqual(
      kept.records(10).map(({ why, status, error }) => [why, status, error]),
      [
        ['error', 200, 'answer-incomplete'],
        ['error', 500, ''],
      ],
    );
  });

  test('slow: by the head of the answer, so that a long download or a tunnel is not', () => {
    const { ledger: kept, clock } = ledger();
    clock.advance(3_600_000);
    kept.done(ended({ answered: 2000 }));
    kept.done(ended({ status: 101, answered: 1003 }));
    kept.done(ended({ answered: 0 }));
    assert.deepEqual(kept.records(10), []);
    kept.done(ended({ answered: 2000.5 }));
    assert.deepEqual(
      kept.records(10).map(({ why, total }) => [why, total]),
      [['slow', 3_600_000]],
    );
    const off = ledger({ recent: 3, slow: { over: Infinity, keep: 2 } }).ledger;
    off.done(ended({ answered: 1e9 }));
    assert.deepEqual(off.records(10), []);
  });

  test('newest first over all kinds, at most so many, each kind in its own place', () => {
    const { ledger: kept } = ledger();
    for (let i = 0; i < 100; i++) {
      if (i < 4) kept.done(ended({ id: `fault-${i}`, status: 502, error: 'origin-closed' }));
      if (i < 3) kept.done(ended({ id: `slow-${i}`, answered: 9000 }));
      // Scanning for holes must not push out the rest.
      kept.done(ended({ id: `scan-${i}`, status: 404, error: 'no-route' }));
    }
    const ids = kept.records(100).map(({ id }) => id);
    assert.deepEqual(ids, ['scan-99', 'scan-98', 'scan-97', 'fault-3', 'slow-2', 'fault-2', 'slow-1', 'fault-1']);
    assert.deepEqual(
      kept.records(2).map(({ id }) => id),
      ids.slice(0, 2),
    );
    assert.equal(kept.find('slow-1')?.why, 'slow');
    assert.equal(kept.find('fault-0'), undefined);
  });

  test('other options keep the newest', () => {
    const { ledger: kept } = ledger();
    for (let i = 0; i < 3; i++) kept.done(ended({ id: `fault-${i}`, status: 502 }));
    kept.update({ recent: 1, slow: { over: 5, keep: 2 } });
    kept.done(ended({ id: 'slow', answered: 1006 }));
    assert.deepEqual(
      kept.records(9).map(({ id }) => id),
      ['slow', 'fault-2'],
    );
    kept.update({ recent: 0, slow: { over: 5, keep: 0 } });
    kept.done(ended({ status: 502 }));
    assert.deepEqual(kept.records(9), []);
  });

  test('no secrets: neither query, nor name and password, nor fields', () => {
    const { ledger: kept } = ledger();
    const targets = ['/a?token=secret', '/?', 'http://me:secret@example.org/x?secret', 'http://me:secret@h', '/a@b:c'];
    for (const target of targets) {
      kept.update({ recent: 100, slow: OPTIONS.slow });
      kept.done(ended({ status: 502 }, `GET ${target} HTTP/1.1`));
    }
    const records = kept.records(100).toReversed();
    assert.deepEqual(
      records.map(({ target }) => target),
      ['/a?…', '/?…', 'http://example.org/x?…', 'http://h', '/a@b:c'],
    );
    assert.ok(!JSON.stringify(records.map((record) => ({ ...record, host: '' }))).includes('secret'));
  });

  test('nobody fills the memory: texts are cut, attempts are counted up to 16, first ones and the last', () => {
    const { ledger: kept } = ledger();
    const long = 'x'.repeat(60_000);
    const exchange = ended(
      { id: long, remote: long, route: long, errorDetail: long, status: 502 },
      `${long} /${long} HTTP/1.1`,
    );
    for (let i = 0; i < 50; i++) exchange.failed(exchange.origin, 'connect-failed', `${i} ${long}`);
    kept.done(exchange);
    const [record] = kept.records(1);
    assert.ok(JSON.stringify(record).length < 12_000, String(JSON.stringify(record).length));
    assert.equal(record.target.length, 1024);
    assert.ok(record.target.endsWith('…'));
    assert.equal(record.ledger.length, 16);
    assert.match(record.ledger[14], /^127\.0\.0\.1:3000 connect-failed 14 x/);
    assert.match(record.ledger[15], /^127\.0\.0\.1:3000 connect-failed 49 x/);
  });
});
