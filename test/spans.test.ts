/** The command with `log.spans`: spans by the provider that the user registers. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root } from '../scripts/tools.ts';
import { ask, type Program, startNode } from './support/program.ts';
import { ok, server } from './support/scripted.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** Registers a provider that prints what it is given. */
const TRACING = `
  import { trace } from '@opentelemetry/api';
  import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
  const exporter = {
    export(spans, done) {
      for (const span of spans) console.log('SPAN ' + JSON.stringify([span.name, span.spanContext().traceId, span.spanContext().spanId]));
      done({ code: 0 });
    },
    shutdown: async () => {},
  };
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));`;

async function running(
  t: TestContext,
  origin: string,
  ...before: string[]
): Promise<{ program: Program; url: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-spans-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'proxy.json');
  const log = { access: 'off', spans: true };
  writeFileSync(
    file,
    JSON.stringify({ listen: '127.0.0.1:0', threads: 1, log, upstreams: { app: { origins: origin } } }),
  );
  const program = startNode(t, [...before, join(root, 'src', 'cli.ts'), 'run', file]);
  const [, url] = await program.until(/listening on (http:\/\/127\.0\.0\.1:\d+)/);
  return { program, url };
}

test('a registered provider gets a span for each request, and the origin its ids', async (t) => {
  const app = await server(t, () => ok());
  const tracing = `data:text/javascript,${encodeURIComponent(TRACING.replaceAll(/from '([^']+)'/g, (_, name: string) => `from '${import.meta.resolve(name)}'`))}`;
  const { program, url } = await running(t, app.url, '--import', tracing);
  await ask(url, { headers: { traceparent: PARENT } });
  const [, text = ''] = await program.until(/SPAN (.*)\n/);
  const [name, traceId, spanId] = JSON.parse(text) as string[];
  assert.match(name, /^GET /);
  assert.equal(traceId, PARENT.split('-')[1]);
  assert.equal(app.requests[0]?.field('traceparent'), `00-${traceId}-${spanId}-01`);
  assert.equal(await program.end(), 0);
});

test('without one, requests are served, with ids of sluice’s own', async (t) => {
  const app = await server(t, () => ok());
  const { program, url } = await running(t, app.url);
  assert.equal((await ask(url)).status, 200);
  assert.match(app.requests[0]?.field('traceparent') ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-02$/);
  assert.equal(await program.end(), 0);
});

test('without the package it says so, and does not start', async (t) => {
  const hook = `export async function resolve(name, context, next) {
    if (name === '@opentelemetry/api') throw Object.assign(new Error('not here'), { code: 'ERR_MODULE_NOT_FOUND' });
    return next(name, context);
  }`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)}, ${JSON.stringify(pathToFileURL(root).href)});`;
  await assert.rejects(
    running(t, 'http://127.0.0.1:1', '--import', `data:text/javascript,${encodeURIComponent(register)}`),
    /sluice: spans need the package @opentelemetry\/api: install it beside sluice/,
  );
});
