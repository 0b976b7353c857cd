/** uWSGI behind a real sluice, by its three protocols. */
import { test } from 'node:test';
import { skipUnless } from '../support/peer.ts';
import { exercise, uwsgi } from './applications.ts';

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
