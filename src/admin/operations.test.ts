/** Every operation against a `Control`, and every answer against the document that describes it. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { z } from 'zod';
import { admin, TOKEN, type Admin } from '../../test/support/admin.ts';
import { ask } from '../../test/support/program.ts';
import { errorsOf, openapi } from './openapi.ts';
import { operations } from './operations.ts';
import { problems, problemView } from './problem.ts';

interface Example {
  readonly id: string;
  readonly method?: string;
  readonly path: string;
  readonly body?: string;
  readonly type?: string;
  /** What reached `Control`. */
  readonly call?: RegExp;
}

const SOCKET = '/v1/upstreams/app/origins/unix:%2Frun%2Fapp.sock';

const EXAMPLES: readonly Example[] = [
  { id: 'status', path: '/v1/status' },
  { id: 'config', path: '/v1/config' },
  { id: 'upstreams', path: '/v1/upstreams' },
  { id: 'upstream', path: '/v1/upstreams/static%20files' },
  { id: 'queue', path: '/v1/upstreams/app/queue?most=1' },
  {
    id: 'addOrigin',
    method: 'POST',
    path: '/v1/upstreams/app/origins',
    body: '{"url": "127.0.0.1:3002", "weight": 2, "ttl": "10m"}',
    call: /^add app \{"url":"127\.0\.0\.1:3002","weight":2\} 600000 token 127\.0\.0\.1$/,
  },
  {
    id: 'changeOrigin',
    method: 'PATCH',
    path: SOCKET,
    body: '{"state": "draining", "ttl": 5000}',
    call: /^change app unix:\/run\/app\.sock \{"state":"draining"\} 5000 token 127\.0\.0\.1$/,
  },
  { id: 'changeOrigin', method: 'PATCH', path: SOCKET, body: '{"weight": 0}', call: /\{"weight":0\} undefined token/ },
  {
    id: 'removeOrigin',
    method: 'DELETE',
    path: `${SOCKET}?ttl=1h`,
    call: /^remove app unix:\/run\/app\.sock 3600000 /,
  },
  { id: 'restart', method: 'POST', path: '/v1/upstreams/app/restart', call: /^restart app token/ },
  { id: 'reload', method: 'POST', path: '/v1/reload', call: /^reload undefined token/ },
  {
    id: 'reload',
    method: 'POST',
    path: '/v1/reload',
    body: 'upstreams: {}',
    type: 'application/yaml; charset=UTF-8',
    call: /^reload "upstreams: \{\}" token/,
  },
  { id: 'plan', method: 'POST', path: '/v1/plan', body: 'upstreams: {}', type: 'text/plain' },
  { id: 'requests', path: '/v1/requests' },
  { id: 'request', path: '/v1/requests/abc123-7' },
  {
    id: 'explain',
    path: '/v1/explain?url=http://a/b%3Fc&method=PUT&header=A:%20b&header=A:c&client=192.0.2.1',
    call: /^explain PUT http:\/\/a\/b\?c \[\["A","b"\],\["A","c"\]\] 192\.0\.2\.1$/,
  },
  {
    id: 'explainBody',
    method: 'POST',
    path: '/v1/explain',
    body: '{"url": "/x", "headers": {"A": ["b", "c"], "D": "e"}}',
    call: /^explain GET \/x \[\["A","b"\],\["A","c"\],\["D","e"\]\] 127\.0\.0\.1$/,
  },
  { id: 'openapi', path: '/v1/openapi.json' },
  { id: 'metrics', path: '/metrics' },
];

function send(
  { url }: Admin,
  { method = 'GET', path, body, type = 'application/json' }: Omit<Example, 'id'>,
): ReturnType<typeof ask> {
  const headers: Record<string, string> = { Authorization: `Bearer ${TOKEN}` };
  if (body !== undefined)
    Object.assign(headers, { 'Content-Type': type, 'Content-Length': String(Buffer.byteLength(body)) });
  return ask(`${url}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
}

for (const one of EXAMPLES) {
  test(`${one.method ?? 'GET'} ${one.path} (${one.id})`, async (t) => {
    const there = await admin(t);
    const answer = await send(there, one);
    const operation = operations.find(({ id }) => id === one.id);
    assert.ok(operation !== undefined);
    assert.equal(answer.status, operation.status, answer.body);
    assert.equal(answer.headers['cache-control'], 'no-store');
    if (operation.answer === null) assert.equal(answer.body, '');
    else if (operation.answer === 'text') {
      assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
      assert.match(answer.body, /^# TYPE sluice_up gauge\n/);
    } else {
      assert.equal(answer.headers['content-type'], 'application/json');
      operation.answer.parse(JSON.parse(answer.body));
    }
    if (one.call === undefined) assert.deepEqual(there.control.calls, []);
    else assert.match(there.control.calls.join('\n'), one.call);
    assert.ok(!answer.body.includes(TOKEN), 'the token is never shown');
    assert.deepEqual(there.said, []);
  });
}

test('every operation has an example', () => {
  const reached = new Set(EXAMPLES.map(({ id }) => id));
  assert.deepEqual(
    operations.map(({ id }) => id).filter((id) => !reached.has(id)),
    [],
  );
});

test('HEAD is GET without the body', async (t) => {
  const there = await admin(t);
  const answer = await send(there, { method: 'HEAD', path: '/v1/status' });
  assert.equal(answer.status, 200);
  assert.equal(answer.body, '');
  assert.ok(Number(answer.headers['content-length']) > 100);
});

test('the document is OpenAPI 3.1, and refers only to what it has', async () => {
  const document = openapi(operations, '0.1.0', 'token');
  const result = await new Validator().validate(structuredClone(document));
  assert.deepEqual(result.errors ?? [], []);
  assert.equal(result.valid, true);
  const text = JSON.stringify(document);
  const { schemas } = document['components'] as { schemas: Record<string, unknown> };
  for (const [, name = ''] of text.matchAll(/"\$ref":"([^"]*)"/g)) {
    assert.ok(Object.hasOwn(schemas, name.replace('#/components/schemas/', '')), name);
  }
  assert.doesNotMatch(text, /shownDefault|"unit"|\$defs/);
  assert.equal(
    Object.keys(schemas).toSorted().join(' '),
    'Explanation Listener NewOrigin Origin OriginChange Plan Pool Problem Question Record Status Thread Upstream Waiting',
  );
});

test("answers fit the document's own schemas, as another program reads them", async (t) => {
  const there = await admin(t);
  const document = openapi(operations, '0.1.0', 'token');
  for (const one of EXAMPLES) {
    const operation = operations.find(({ id }) => id === one.id);
    assert.ok(operation !== undefined);
    if (typeof operation.answer !== 'object' || operation.answer === null) continue;
    const described = (
      document['paths'] as Record<
        string,
        Record<string, { responses: Record<string, { content: Record<string, { schema: object }> }> }>
      >
    )[operation.path][operation.method.toLowerCase()];
    const { schema } = described.responses[operation.status].content['application/json'];
    const { schemas } = document['components'] as { schemas: object };
    const whole = JSON.parse(
      JSON.stringify({ ...schema, $defs: schemas }).replaceAll('#/components/schemas/', '#/$defs/'),
    ) as object;
    const answer = await send(there, one);
    assert.equal(answer.status, operation.status, one.id);
    const result = z.fromJSONSchema(whole as never).safeParse(JSON.parse(answer.body));
    assert.ok(result.success, `${one.id}: ${result.error?.message}`);
  }
});

test('every code is used by an operation or by what comes before them', () => {
  const described = new Set(operations.flatMap(errorsOf));
  const before = ['unknown-path', 'wrong-method', 'target-too-long'];
  assert.deepEqual(
    Object.keys(problems).filter((code) => !described.has(code as never) && !before.includes(code)),
    [],
  );
  assert.ok(problemView.shape.code.safeParse('busy').success);
});

test('metrics: open to everybody, or off', async (t) => {
  const open = await admin(t, { metrics: 'open' });
  assert.equal((await ask(`${open.url}/metrics`)).status, 200);
  assert.equal((await ask(`${open.url}/v1/status`)).status, 401);
  const off = await admin(t, { metrics: 'off' });
  assert.equal((await send(off, { path: '/metrics' })).status, 404);
  assert.ok(!(await send(off, { path: '/v1/openapi.json' })).body.includes('"/metrics"'));
});
