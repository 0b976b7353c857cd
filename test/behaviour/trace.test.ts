/** W3C Trace Context from client to origin, log and tracer. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { createSluice } from '../../src/index.ts';
import { start } from '../support/line.ts';
import { client, eventually, get, ok, type Message, server, type ScriptedOrigin } from '../support/scripted.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';
const LINES = `traceparent: 00-${TRACE}-${SPAN}-01\r\ntracestate: a=1\r\n`;

const origin = (t: TestContext): Promise<ScriptedOrigin> => server(t, () => ok());
const parts = (request: Message | undefined): string[] => (request?.field('traceparent') ?? '').split('-');

test('off: what the client sends is passed on as it is, and nothing is added', async (t) => {
  const app = await origin(t);
  const line = await start(t, app.url);
  const peer = await line.connect();
  for (const lines of [LINES, '', 'traceparent: garbage\r\n']) {
    peer.send(get('/', lines));
    await peer.answer();
  }
  const [first, second, third] = app.requests;
  assert.deepEqual([first?.field('traceparent'), first?.field('tracestate')], [`00-${TRACE}-${SPAN}-01`, 'a=1']);
  assert.equal(second?.field('traceparent'), undefined);
  assert.equal(third?.field('traceparent'), 'garbage');
  for (const one of await line.logged(3)) assert.ok(!('traceId' in one));
});

test('on: this hop is the origin’s parent, in the client’s trace or a new one, and the log has both ids', async (t) => {
  const app = await origin(t);
  const line = await start(t, app.url, {}, { headers: { trace: 'on' } });
  const peer = await line.connect();
  for (const lines of [LINES, `${LINES}Traceparent: 00-${TRACE}-${SPAN}-01\r\n`]) {
    peer.send(get('/', lines));
    await peer.answer();
  }
  const [kept, fresh] = app.requests;
  const [, traceId, spanId, flags] = parts(kept);
  assert.deepEqual([traceId, flags, kept?.field('tracestate')], [TRACE, '01', 'a=1']);
  assert.notEqual(spanId, SPAN);
  const [, other, , none] = parts(fresh);
  assert.notEqual(other, TRACE);
  assert.deepEqual([none, fresh?.field('tracestate')], ['02', undefined]);
  const logged = (await line.logged(2)) as unknown as { traceId: string; spanId: string }[];
  assert.deepEqual(
    logged.map((one) => [one.traceId, one.spanId]),
    app.requests.map((one) => parts(one).slice(1, 3)),
  );
});

test('a request that is sent twice is one span', async (t) => {
  const app = await server(t, (_request, peer, self) => {
    if (self.requests.length > 1) return ok();
    peer.reset();
    return undefined;
  });
  const again = await origin(t);
  const line = await start(t, [app.url, again.url], {}, { headers: { trace: 'on' } });
  const peer = await line.connect();
  peer.send(get('/', LINES));
  assert.equal((await peer.answer()).status, 200);
  const sent = [...app.requests, ...again.requests].map((one) => one.field('traceparent'));
  assert.equal(sent.length, 2);
  assert.equal(sent[0], sent[1]);
});

test('a tracer: what it records is what the origin and the log are told', async (t) => {
  const exporter = new InMemorySpanExporter();
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
  const app = await origin(t);
  const proxy = await createSluice(
    { listen: '127.0.0.1:0', upstreams: { app: { origins: app.url } }, log: { error: 'off' } },
    {},
    { tracer: provider.getTracer('test') },
  );
  t.after(() => proxy.close(0));
  const peer = await client(t, Number(new URL(proxy.addresses[0]).port));
  peer.send(get('/x?secret', LINES));
  await peer.answer();
  peer.send('GET / HTTP/1.1\r\nHost: a b\r\n\r\n');
  assert.equal((await peer.answer()).status, 400);
  await eventually(() => exporter.getFinishedSpans().length === 2, 'both spans');
  const [span, refused] = exporter.getFinishedSpans();
  assert.equal(span.parentSpanContext?.spanId, SPAN);
  assert.deepEqual(parts(app.requests[0]).slice(1, 3), [TRACE, span.spanContext().spanId]);
  assert.equal(app.requests[0]?.field('tracestate'), 'a=1');
  assert.equal(span.attributes['http.response.status_code'], 200);
  assert.equal(span.attributes['sluice.origin'], `127.0.0.1:${app.port}`);
  assert.ok(!JSON.stringify(span.attributes).includes('secret'));
  assert.equal(refused.attributes['http.response.status_code'], 400);
});
