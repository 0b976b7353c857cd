/** uWSGI behind a real sluice, by its three protocols. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipUnless } from '../support/peer.ts';
import { ask, uwsgi } from './applications.ts';
import { exercise } from './exercise.ts';
import { startSluice, until } from './stage.ts';

for (const mode of ['uwsgi', 'scgi', 'http'] as const) {
  test(`uWSGI by ${mode}`, async (t) => {
    const program = skipUnless(t, 'uwsgi');
    if (program === undefined) return;
    // Its HTTP socket closes after each answer without saying so: a kept connection would fail the next POST.
    const own = mode === 'http' ? { keepAlive: { idle: 0 } } : {};
    // Over HTTP a WSGI application of uWSGI's sees no chunked body: it would have to call uwsgi.chunked_read().
    await exercise(t, '/some/path', (name) => uwsgi(t, program, mode, name), own, mode !== 'http');
  });
}

for (const mode of ['uwsgi', 'scgi'] as const) {
  test(`a check of uWSGI by ${mode}`, async (t) => {
    const program = skipUnless(t, 'uwsgi');
    if (program === undefined) return;
    const app = await uwsgi(t, program, mode, 'hello');
    const check = { interval: '100ms', rise: 1, fall: 1, first: 'block' } as const;
    const sluice = await startSluice(t, {
      upstreams: { app: { origins: app.url, check: { type: mode, path: '/healthz', body: 'hello', ...check } } },
    });
    const got = await ask(sluice.url);
    assert.deepEqual([got.status, got.body.toString()], [200, 'hello']);
    app.process.signal('SIGTERM');
    await until('its end is noticed', () => /origin-down app .*check failed: /.test(sluice.errors()));
  });
}
