import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manualClock } from '../../test/support/clock.ts';
import { attempt, broken, endpoint } from './attempt.ts';
import type { Finding } from './check.ts';

function stage() {
  const clock = manualClock();
  const stop = new AbortController();
  const closed: string[] = [];
  const underway = { late: () => ({ healthy: false, detail: 'late' }), close: () => void closed.push('closed') };
  return { clock, stop, closed, underway, tools: { clock, timeout: 2000, signal: stop.signal } };
}

const fine: Finding = { healthy: true, detail: 'fine' };

describe('an attempt', () => {
  test('ends once, with the first that is found, and closes what was under way', async () => {
    const { clock, stop, closed, underway, tools } = stage();
    let found: (finding: Finding) => void = () => {};
    const running = attempt(tools, (tell) => ((found = tell), underway));
    found(fine);
    found({ healthy: false, detail: 'too late' });
    clock.advance(3000);
    stop.abort();
    assert.deepEqual(await running, fine);
    assert.deepEqual(closed, ['closed']);
    assert.equal(clock.waiting, 0);
  });

  test('that knows at once is closed too', async () => {
    const { closed, underway, tools } = stage();
    assert.deepEqual(await attempt(tools, (found) => (found(fine), underway)), fine);
    assert.deepEqual(closed, ['closed']);
  });

  test('ends with the time', async () => {
    const { clock, closed, underway, tools } = stage();
    const running = attempt(tools, () => underway);
    clock.advance(2000);
    assert.deepEqual(await running, { healthy: false, detail: 'late' });
    assert.deepEqual(closed, ['closed']);
  });

  test('that cannot begin is a failed one', async () => {
    const { clock, tools } = stage();
    const running = attempt(tools, () => {
      throw Object.assign(new Error('no'), { code: 'ERR_SOCKET_BAD_PORT' });
    });
    assert.deepEqual(await running, { healthy: false, detail: 'ERR_SOCKET_BAD_PORT' });
    assert.equal(clock.waiting, 0);
  });
});

test("a shortage of this machine is not the origin's", () => {
  const error = (code: string) => Object.assign(new Error(code), { code });
  for (const code of ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL'])
    assert.equal(broken(error(code), 'cannot connect').healthy, undefined);
  for (const code of ['ECONNREFUSED', 'EACCES', 'ENOENT', 'EAI_AGAIN'])
    assert.equal(broken(error(code), 'cannot connect').healthy, false);
  assert.equal(broken(new TypeError('\x1b[31m'), 'cannot connect').detail, 'cannot connect: TypeError');
});

test('where to connect to', () => {
  assert.deepEqual(endpoint({ scheme: 'http', host: 'a', port: 80 }), { host: 'a', port: 80 });
  assert.deepEqual(endpoint({ scheme: 'http', host: 'a', port: 80, ip: '10.0.0.1' }), { host: '10.0.0.1', port: 80 });
  assert.deepEqual(endpoint({ scheme: 'http', host: '', port: 0, path: '/s' }), { path: '/s' });
});
