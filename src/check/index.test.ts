/** What every kind of check promises, one list for all. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually, origin } from '../../test/support/scripted.ts';
import { systemClock } from '../core/clock.ts';
import type { OriginAddress } from '../core/origin.ts';
import type { CheckKind } from './check.ts';
import { checks } from './index.ts';
import { canCheck, checkProblem, checkSchema } from './options.ts';

const kinds: readonly CheckKind[] = checks;

function ask(
  kind: CheckKind,
  address: Partial<OriginAddress>,
  timeout = 10_000,
  signal = new AbortController().signal,
) {
  const check = kind.create(kind.options.parse({}));
  return check.probe(
    { scheme: 'http', host: '127.0.0.1', port: 80, ...address },
    { clock: systemClock, timeout, signal },
  );
}

for (const kind of kinds) {
  test(`${kind.name}: options are optional, described, and of a known name`, () => {
    assert.ok(kind.options.safeParse({}).success);
    assert.equal(kind.options.safeParse({ unknown: 1 }).success, false);
    for (const [name, schema] of Object.entries(kind.options.shape)) assert.ok(schema.description, `${name} has none`);
    assert.match(kind.about, /\.$/);
    if (kind.slash !== undefined) assert.ok(kind.slash in kind.options.shape);
  });

  test(`${kind.name}: does not reject, whatever the address`, async () => {
    const wrong: Partial<OriginAddress>[] = [
      { port: 70_000 },
      { host: 'app.invalid' },
      { host: 'a b' },
      { ip: '999.1.1.1', host: 'localhost' },
      { path: '/nonexistent/s', host: '', port: 0 },
      { path: '/tmp', host: '', port: 0 },
      { path: `/${'x'.repeat(200)}`, host: '', port: 0 },
    ];
    for (const address of wrong) {
      const { healthy, detail } = await ask(kind, address);
      assert.equal(healthy, false, JSON.stringify(address));
      assert.match(detail, /^[\x20-\x7e]{3,80}$/);
    }
  });

  test(`${kind.name}: leaves no connection, be it found, late or not wanted`, async (t) => {
    const app = await origin(t, () => {});
    const address = { port: app.port };
    await ask(kind, address, 600);
    const stop = new AbortController();
    const running = ask(kind, address, 60_000, stop.signal);
    await eventually(() => app.connections.length === 2, 'it connects');
    stop.abort();
    await running;
    await eventually(() => app.connections.every(({ ending }) => ending !== 'open'), 'all are closed');
  });
}

test('names are one kind each, and one kind at most takes a path', () => {
  const names = kinds.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
  assert.equal(new Set([...names, 'off']).size, names.length + 1);
  assert.equal(kinds.filter(({ slash }) => slash !== undefined).length, 1);
});

test('which origins can be asked how', () => {
  assert.equal(canCheck('http', 'http'), true);
  assert.equal(canCheck('http', 'fastcgi'), false);
  assert.equal(canCheck('tcp', 'fastcgi'), true);
});

test('options that do not go together', () => {
  const problem = (given: Parameters<typeof checkSchema.parse>[0]) => checkProblem(checkSchema.parse(given)!)?.option;
  assert.equal(problem('/'), undefined);
  assert.equal(problem({ type: 'tcp', interval: '1s', timeout: '1s' }), undefined);
  assert.equal(problem({ type: 'tcp', interval: '1s', timeout: '1.1s' }), 'timeout');
  assert.equal(problem({ type: 'http', method: 'HEAD', body: 'x' }), 'body');
});
