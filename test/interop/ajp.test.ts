/** Tomcat behind a real sluice, over AJP. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { skipUnless } from '../support/peer.ts';
import { ask, tomcat } from './applications.ts';
import { exercise } from './exercise.ts';
import { startSluice, until } from './stage.ts';

/** Java, where Tomcat is here as well. */
function javaFor(t: TestContext): string | undefined {
  const java = skipUnless(t, 'java');
  if (java === undefined || existsSync('/usr/share/tomcat10/bin/bootstrap.jar')) return java;
  // No program of that name: skips, or fails where peers are required.
  return skipUnless(t, 'tomcat10');
}

test('Tomcat by AJP', async (t) => {
  const java = javaFor(t);
  if (java === undefined) return;
  await exercise(t, '/app.jsp', (name) => tomcat(t, java, name), { ajp: { secret: 's3cret' } });
});

test('a wrong secret, and a head larger than a packet', async (t) => {
  const java = javaFor(t);
  if (java === undefined) return;
  const { url } = await tomcat(t, java);
  const wrong = await startSluice(t, { upstreams: { app: { origins: url, ajp: { secret: 'guess' } } } });
  assert.equal((await ask(`${wrong.url}/app.jsp`)).status, 403);
  const right = await startSluice(t, { upstreams: { app: { origins: url, ajp: { secret: 's3cret' } } } });
  const large = await ask(`${right.url}/app.jsp`, 'GET', null, { 'X-Large': 'x'.repeat(9000) });
  assert.equal(large.status, 431);
  await until('the log', () => right.failures()[0]?.error === 'head-too-large-for-origin');
  assert.equal((await ask(`${right.url}/app.jsp`)).body.toString(), 'hello');
});
