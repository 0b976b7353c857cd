import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { exchangeOf } from '../../test/support/exchange.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Tracer } from '../core/trace.ts';
import { hopByHop } from './hop-by-hop.ts';
import { trace } from './trace.ts';
import { spanIn, TraceIds, traceIn } from './trace-ids.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const PARENT = `traceparent: 00-${TRACE}-${SPAN}-01`;
const SENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-0([0-3])$/;

interface Options {
  readonly trusted?: boolean;
  readonly sample?: number;
  readonly tracer?: Tracer;
  readonly peer?: boolean;
}

/** The request as the origin gets it, and what was found out. */
function traced(options: Options, ...lines: string[]): { exchange: Exchange; parents: string[]; states: string[] } {
  const exchange = exchangeOf({ trusted: options.peer === true }, 'GET / HTTP/1.1', 'Host: a', ...lines);
  hopByHop.request?.(exchange);
  trace(options.trusted === true, options.sample ?? 0, options.tracer ?? null).request?.(exchange);
  const { fields } = exchange.request;
  return { exchange, parents: fields.getAll('traceparent'), states: fields.getAll('tracestate') };
}

/** The parts of the one `traceparent` sent. */
function sent({ exchange, parents }: ReturnType<typeof traced>): { traceId: string; spanId: string; flags: string } {
  assert.equal(parents.length, 1);
  const match = SENT.exec(parents[0]);
  assert.ok(match, parents[0]);
  const [, traceId, spanId, flags] = match;
  assert.equal(exchange.traceId, traceId);
  assert.equal(exchange.spanId, spanId);
  return { traceId, spanId, flags };
}

describe('trace', () => {
  test('a valid parent: its trace and flags, a span of our own; tracestate stays as it is', () => {
    for (const flags of ['0', '1', '2', '3']) {
      const result = traced({}, PARENT.replace(/1$/, flags), 'tracestate: a=1,b=2', 'TraceState: c=3');
      const one = sent(result);
      assert.equal(one.traceId, TRACE);
      assert.notEqual(one.spanId, SPAN);
      assert.equal(one.flags, flags);
      assert.deepEqual(result.states, ['a=1,b=2', 'c=3']);
    }
  });

  test('none, or none that is valid: a new trace, not sampled, and no tracestate', () => {
    const lists: string[][] = [
      [],
      ['traceparent: '],
      ['traceparent: garbage'],
      [PARENT.toUpperCase()],
      [PARENT.replace(TRACE, '0'.repeat(32))],
      [PARENT, PARENT],
      [PARENT, 'Traceparent: x'],
      [`${PARENT},${PARENT.split(': ')[1]}`],
      ['Connection: traceparent', PARENT],
    ];
    for (const lines of lists) {
      const result = traced({}, ...lines, 'tracestate: a=1');
      const one = sent(result);
      assert.notEqual(one.traceId, TRACE);
      assert.equal(one.flags, '2', 'not sampled, and random');
      assert.deepEqual(result.states, [], lines.join());
    }
  });

  test('trusted: only the word of a trusted proxy counts', () => {
    assert.equal(sent(traced({ trusted: true, peer: true }, PARENT)).traceId, TRACE);
    const stranger = traced({ trusted: true }, PARENT, 'tracestate: a=1');
    assert.notEqual(sent(stranger).traceId, TRACE);
    assert.deepEqual(stranger.states, []);
  });

  test('a share of the new traces is sampled; what came is not changed by that', () => {
    const flags = (sample: number, ...lines: string[]): string => sent(traced({ sample }, ...lines)).flags;
    for (let i = 0; i < 100; i++) {
      assert.equal(flags(1), '3');
      assert.equal(flags(0), '2');
      assert.equal(flags(1, PARENT.replace(/1$/, '0')), '0');
    }
    let sampled = 0;
    for (let i = 0; i < 2000; i++) if (flags(0.25) === '3') sampled++;
    assert.ok(sampled > 400 && sampled < 600, `${sampled} of 2000`);
  });

  test('a tracer names the span; when it begins none, we do', () => {
    const seen: unknown[] = [];
    let flags = 1;
    const tracer: Tracer = {
      begin(exchange, parent, state) {
        seen.push([parent, state]);
        if (flags < 0) return flags;
        exchange.traceId = 'a'.repeat(32);
        exchange.spanId = 'b'.repeat(16);
        return flags;
      },
    };
    const one = sent(traced({ tracer }, PARENT, 'tracestate: a=1', 'tracestate: b=2'));
    assert.deepEqual(one, { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: '1' });
    assert.deepEqual(sent(traced({ tracer })).traceId, 'a'.repeat(32));
    flags = -1;
    assert.equal(sent(traced({ tracer }, PARENT)).traceId, TRACE);
    assert.deepEqual(seen, [
      [{ traceId: TRACE, spanId: SPAN, flags: 1 }, 'a=1,b=2'],
      [null, ''],
      [{ traceId: TRACE, spanId: SPAN, flags: 1 }, ''],
    ]);
  });
});

describe('trace ids', () => {
  test('are all different, over several generators, and every digit varies', () => {
    const seen = new Set<string>();
    const digits = Array.from({ length: 48 }, () => new Set<string>());
    for (let generator = 0; generator < 4; generator++) {
      const ids = new TraceIds();
      for (let i = 0; i < 5000; i++) {
        const line = ids.newTrace(2);
        assert.match(line, /^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-02\r\n$/);
        const id = line.slice(16, 48) + line.slice(49, 65);
        seen.add(id);
        for (let at = 0; at < 48; at++) digits[at].add(id[at]);
      }
    }
    assert.equal(seen.size, 20_000);
    for (const one of digits) assert.equal(one.size, 16);
  });

  test('are never all zero, whatever the dice say', () => {
    const ids = new TraceIds((words) => words.fill(0));
    const line = ids.newTrace(0);
    assert.equal(line, `traceparent: 00-${'1'.padStart(32, '0')}-${'1'.padStart(16, '0')}-00\r\n`);
    assert.equal(spanIn(ids.newSpan(traceIn(line), 0)), '1'.padStart(16, '0'));
  });

  test('every word is used once', () => {
    let drawn = 0;
    const ids = new TraceIds((words) => {
      for (let i = words.length - 1; i >= 0; i--) words[i] = ++drawn;
    });
    const rolls = Array.from({ length: 4000 }, () => ids.roll());
    assert.deepEqual(
      rolls,
      Array.from({ length: 4000 }, (_, i) => i + 1),
    );
  });
});
