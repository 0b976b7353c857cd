/** Spans as OpenTelemetry's own SDK records them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  InMemorySpanExporter,
  SimpleSpanProcessor,
  TracerProvider,
  type ReadableSpan,
  type Sampler,
  AlwaysOffSampler,
} from '@opentelemetry/sdk-trace';
import { trace as api } from '@opentelemetry/api';
import { manualClock } from '../../test/support/clock.ts';
import { exchangeOf } from '../../test/support/exchange.ts';
import { origin } from '../../test/support/origins.ts';
import type { Exchange } from '../core/exchange.ts';
import { loadSpans, type SpanTracer, type Spans } from './spans.ts';

const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1 };

interface Stage {
  readonly spans: Spans;
  readonly clock: ReturnType<typeof manualClock>;
  readonly defects: unknown[];
  recorded(): ReadableSpan[];
}

async function stage(own?: SpanTracer, sampler?: Sampler): Promise<Stage> {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    ...(sampler === undefined ? {} : { sampler }),
  });
  const clock = manualClock();
  const defects: unknown[] = [];
  const spans = await loadSpans(own ?? provider.getTracer('test'), clock, (error) => void defects.push(error));
  return { spans, clock, defects, recorded: () => exporter.getFinishedSpans() };
}

/** A request for route `api` that has just begun. */
function begun(...head: string[]): Exchange {
  const [line = 'GET /a/%62?key=secret HTTP/1.1', ...fields] = head;
  const exchange = exchangeOf({}, line, 'Host: Example.org:8443', 'User-Agent: curl/8', ...fields);
  return Object.assign(exchange, { route: 'api', id: 'k2x-1' });
}

function served(exchange: Exchange): Exchange {
  return Object.assign(exchange, {
    upstream: 'app',
    origin: origin('127.0.0.1:3000'),
    attempts: 2,
    status: 200,
    bytesIn: 7,
    bytesOut: 5,
  });
}

const millis = ([seconds, nanos]: readonly [number, number]): number => seconds * 1000 + nanos / 1e6;

describe('spans', () => {
  test('one exchange is one SERVER span, child of the traceparent, from the head to the end', async () => {
    const { spans, clock, recorded, defects } = await stage();
    const exchange = begun();
    clock.advance(3);
    const flags = spans.begin(exchange, PARENT, 'a=1,b=2');
    assert.equal(flags & 1, 1);
    clock.advance(40);
    spans.done(served(exchange));
    const [span, ...others] = recorded();
    assert.deepEqual(others, []);
    assert.equal(span.name, 'GET api');
    assert.equal(span.kind, 1);
    assert.equal(span.spanContext().traceId, PARENT.traceId);
    assert.deepEqual(
      [exchange.traceId, exchange.spanId],
      [span.spanContext().traceId, span.spanContext().spanId],
      'what the origin gets is what is recorded',
    );
    assert.equal(span.parentSpanContext?.spanId, PARENT.spanId);
    assert.equal(span.parentSpanContext?.isRemote, true);
    assert.equal(span.spanContext().traceState?.serialize(), 'a=1,b=2');
    assert.equal(millis(span.startTime), clock.wall() - 43);
    assert.equal(millis(span.endTime) - millis(span.startTime), 43);
    assert.equal(span.status.code, 0);
    assert.deepEqual(span.attributes, {
      'http.request.method': 'GET',
      'url.path': '/a/%62',
      'url.scheme': 'http',
      'server.address': 'example.org',
      'server.port': 8080,
      'client.address': '192.0.2.1',
      'network.peer.address': '192.0.2.1',
      'network.protocol.version': '1.1',
      'user_agent.original': 'curl/8',
      'http.response.status_code': 200,
      'http.request.body.size': 7,
      'http.response.body.size': 5,
      'sluice.listener': 'web',
      'sluice.route': 'api',
      'sluice.upstream': 'app',
      'sluice.origin': '127.0.0.1:3000',
      'sluice.attempts': 2,
      'sluice.request_id': 'k2x-1',
    });
    assert.deepEqual(defects, []);
  });

  test('no parent: a trace of its own', async () => {
    const { spans, recorded } = await stage();
    const exchange = begun();
    spans.begin(exchange, null, '');
    spans.done(served(exchange));
    assert.equal(recorded()[0]?.parentSpanContext, undefined);
    assert.equal(recorded()[0]?.spanContext().traceId, exchange.traceId);
  });

  test('errors: ours and the origin’s are errors, the client’s are not', async () => {
    const { spans, recorded } = await stage();
    const ends: [Partial<Exchange>, number, string | undefined][] = [
      [{ status: 502, error: 'origin-closed' }, 2, 'origin-closed'],
      [{ status: 503 }, 2, '503'],
      [{ status: 200, error: 'answer-incomplete' }, 2, 'answer-incomplete'],
      [{ status: 499, error: 'client-gone' }, 0, 'client-gone'],
      [{ status: 404 }, 0, undefined],
    ];
    for (const [end] of ends) {
      const exchange = begun();
      spans.begin(exchange, null, '');
      spans.done(Object.assign(served(exchange), end));
    }
    assert.deepEqual(
      recorded().map((span) => [span.status.code, span.attributes['error.type']]),
      ends.map(([, code, type]) => [code, type]),
    );
  });

  test('what was refused before it was traced gets its span at the end; strange methods make no names', async () => {
    const { spans, clock, recorded } = await stage();
    const bare = Object.assign(exchangeOf({}), { status: 408, error: 'head-timeout' as const });
    clock.advance(5);
    spans.done(bare);
    const strange = begun('BREW /pot HTTP/1.1');
    spans.begin(strange, null, '');
    spans.done(served(strange));
    const [first, second] = recorded();
    assert.equal(first.name, 'HTTP');
    assert.equal(millis(first.endTime) - millis(first.startTime), 5);
    assert.equal(second.name, 'HTTP api');
    assert.equal(second.attributes['http.request.method'], '_OTHER');
    assert.equal(second.attributes['http.request.method_original'], 'BREW');
  });

  test('a span that is not sampled still has ids for the origin', async () => {
    const { spans, recorded } = await stage(undefined, new AlwaysOffSampler());
    const exchange = begun();
    assert.equal(spans.begin(exchange, PARENT, '') & 1, 0);
    spans.done(served(exchange));
    assert.equal(exchange.traceId, PARENT.traceId);
    assert.notEqual(exchange.spanId, PARENT.spanId);
    assert.deepEqual(recorded(), []);
  });

  test('without an SDK nothing is begun, so that the parent’s id is not passed off as ours', async () => {
    const { spans, defects } = await stage(api.getTracer('nobody'));
    for (const parent of [PARENT, null]) {
      const exchange = begun();
      assert.equal(spans.begin(exchange, parent, ''), -1);
      assert.equal(exchange.spanId, '');
      spans.done(served(exchange));
    }
    assert.deepEqual(defects, []);
  });

  test('a tracer that throws is told, and nothing else happens', async () => {
    const broken: SpanTracer = {
      startSpan() {
        throw new Error('broken tracer');
      },
    };
    const { spans, defects } = await stage(broken);
    const exchange = begun();
    assert.equal(spans.begin(exchange, PARENT, ''), -1);
    spans.done(exchange);
    assert.deepEqual(defects.map(String), Array(2).fill('Error: broken tracer'));
  });
});
