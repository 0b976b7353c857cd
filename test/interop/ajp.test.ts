/** Tomcat behind a real sluice, over AJP: our own JSP, and the examples that come with it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { authority } from '../support/certificates.ts';
import { skipUnless } from '../support/peer.ts';
import { ask, tomcat, valuesOf } from './applications.ts';
import { exercise } from './exercise.ts';
import { startSluice, until } from './stage.ts';

/** Where Debian's tomcat10-examples has them. */
const EXAMPLES = '/usr/share/tomcat10-examples/examples';

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

/** The lines of an answer as pairs. */
function pairs(body: Buffer): Record<string, string> {
  return Object.fromEntries(
    body
      .toString('latin1')
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]),
  );
}

/** An authorizer that lets everybody in, and says who that is. */
async function doorman(t: TestContext, fields: Record<string, string>): Promise<string> {
  const server = createServer((_, response) => response.writeHead(204, fields).end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("Tomcat's own examples, its secret, and request attributes", async (t) => {
  const java = javaFor(t);
  const ca = authority(t);
  if (java === undefined || ca === undefined) return;
  if (!existsSync(join(EXAMPLES, 'index.html'))) return void skipUnless(t, 'tomcat10-examples');
  const { cert } = ca.issue('anna', { names: [] });
  const { url, trusting } = await tomcat(t, java, 'hello', EXAMPLES);
  const ajp = { secret: 's3cret' };
  const ssl = {
    ...{ SSL_CIPHER: 'TLS_AES_128_GCM_SHA256', SSL_CIPHER_USEKEYSIZE: '128', SSL_SESSION_ID: 'abc' },
    ...{ SSL_PROTOCOL: 'TLSv1.3', SSL_CLIENT_CERT: readFileSync(cert, 'latin1') },
  };
  const guard = await doorman(t, {
    ...{ 'Variable-REMOTE_USER': 'anna', 'Variable-AUTH_TYPE': 'Bearer' },
    ...{ 'Variable-DEPARTMENT': 'sales', 'Variable-NOTE': 'only a field' },
  });
  const sluice = await startSluice(t, {
    trustedProxies: ['127.0.0.1'],
    upstreams: {
      app: { origins: url, ajp },
      stranger: { origins: url, ajp: { secret: 'guess' } },
      trusted: {
        origins: trusting,
        ajp: { secret: 's3cret', attributes: ['DEPARTMENT'] },
        cgi: { env: { SITE: 'north', ...ssl } },
      },
      refused: { origins: url, ajp, cgi: { env: { SITE: 'north' } } },
      guard: { origins: guard },
    },
    routes: [
      ...['stranger', 'refused'].map((to) => ({ match: { host: `${to}.test` }, to })),
      {
        match: { host: 'trusted.test', path: '/app.jsp' },
        to: 'trusted',
        authorize: 'guard',
        cgi: { env: { SITE: 'south' } },
      },
      { match: { host: 'trusted.test' }, to: 'trusted', authorize: 'guard' },
      { match: { host: 'doubted.test' }, to: 'app', authorize: 'guard' },
      { to: 'app' },
    ],
  });
  const get = (path: string, headers: Record<string, string> = {}) => ask(`${sluice.url}${path}`, 'GET', null, headers);
  const servlets = '/examples/servlets/servlet';

  await t.test('a wrong secret, and a head larger than a packet', async () => {
    assert.equal((await get('/app.jsp', { Host: 'stranger.test' })).status, 403);
    const large = await get('/app.jsp', { 'X-Large': 'x'.repeat(9000) });
    assert.equal(large.status, 431);
    await until('the log', () => sluice.failures()[0]?.error === 'head-too-large-for-origin');
    assert.equal((await get('/app.jsp')).body.toString(), 'hello');
  });

  await t.test('servlets: hello, fields, parameters, cookies', async () => {
    assert.match((await get(`${servlets}/HelloWorldExample`)).body.toString(), /<h1>Hello World!<\/h1>/);
    const fields = (
      await get(`${servlets}/RequestHeaderExample`, { Accept: 'text/html', 'X-Odd': 'a "b" <c>', Cookie: 'd=e' })
    ).body;
    for (const line of ['a &quot;b&quot; &lt;c&gt;', 'x-forwarded-for', 'x-request-id'])
      assert.ok(fields.toString().toLowerCase().includes(line), `${line}: ${fields.toString()}`);
    const form = Buffer.from('firstname=Anna&lastname=K%C3%BCnstler');
    const type = { 'Content-Type': 'application/x-www-form-urlencoded' };
    for (const framing of [{ 'Content-Length': String(form.length) }, { 'Transfer-Encoding': 'chunked' }]) {
      const { body } = await ask(`${sluice.url}${servlets}/RequestParamExample`, 'POST', form, { ...type, ...framing });
      assert.match(body.toString(), /First Name:\s*= Anna<br>\s*Last Name:\s*= K\u00fcnstler/);
    }
    const cookies = await ask(
      `${sluice.url}${servlets}/CookieExample?cookiename=colour&cookievalue=red`,
      'POST',
      Buffer.alloc(0),
      { 'Content-Length': '0' },
    );
    assert.deepEqual(valuesOf(cookies, 'set-cookie'), ['colour=red; Path=/examples/; SameSite=Strict']);
    assert.match((await get(`${servlets}/CookieExample`, { Cookie: 'colour=red' })).body.toString(), /red/);
  });

  await t.test('sessions: what is kept under a cookie comes back, and nowhere else', async () => {
    const begun = await get(`${servlets}/SessionExample?dataname=fruit&datavalue=apple`);
    const [cookie = ''] = valuesOf(begun, 'set-cookie');
    assert.match(cookie, /^JSESSIONID=[0-9A-F]+; Path=\/examples; HttpOnly; SameSite=Strict$/);
    const mine = { Cookie: cookie.split(';')[0] ?? '' };
    assert.match((await get(`${servlets}/SessionExample`, mine)).body.toString(), /fruit = apple/);
    assert.doesNotMatch((await get(`${servlets}/SessionExample`)).body.toString(), /fruit = apple/);
    const cart = '/examples/jsp/sessions/carts.jsp';
    await get(`${cart}?itemId=4&submit=add`, mine);
    const both = (await get(`${cart}?itemId=2&submit=add`, mine)).body.toString();
    // It keeps them in no order.
    for (const item of ['JSP Book', 'Twin peaks tapes']) assert.match(both, new RegExp(`<li> ${item}\\n`));
  });

  await t.test('JSP: tags, expressions, an include, an error page', async () => {
    const is = async (path: string, what: RegExp): Promise<void> => {
      const { status, body } = await get(`/examples/jsp/${path}`);
      assert.equal(status, 200, `${path}: ${body.toString().slice(0, 300)}`);
      assert.match(body.toString(), what);
    };
    await is('jsp2/el/basic-arithmetic.jsp?foo=1', /1\.2 \+ 2\.3[^]*3\.5/);
    await is('jsp2/simpletag/hello.jsp', /Hello, world!/);
    await is('include/include.jsp', /In place evaluation of another JSP/i);
    await is('snp/snoop.jsp?a=b%20c', /Request URI: \/examples\/jsp\/snp\/snoop\.jsp\s*<br>[^]*Query string: a=b%20c/);
    await is('error/err.jsp?name=integra', /Acura<\/a> is my favorite car/);
    const wrong = await get('/examples/jsp/error/err.jsp?name=audi');
    assert.deepEqual([wrong.status, /tells me you\s+made a wrong choice/.test(wrong.body.toString())], [500, true]);
    assert.equal((await get('/examples/jsp/none.jsp')).status, 404);
  });

  await t.test('servlets that answer later, and read and write as they can', async () => {
    assert.match((await get('/examples/async/async0')).body.toString(), /async|complete/i);
    const upload = Buffer.alloc(3_000_000, 0x61);
    const counted = await ask(`${sluice.url}/examples/servlets/nonblocking/bytecounter`, 'POST', upload, {
      'Transfer-Encoding': 'chunked',
    });
    assert.match(counted.body.toString(), /Total bytes written = \[3000000\]/);
    // Its listener for reading hears first that there is no body.
    const numbers = (await get('/examples/servlets/nonblocking/numberwriter')).body.toString();
    const wanted = Array.from({ length: 10_000 }, (_, i) => `${String(i + 1).padStart(20, '0')}\n`);
    assert.equal(numbers, wanted.join(''));
  });

  await t.test('who asks is what the packet says, not a field', async () => {
    // A valve of the examples lets in 127.0.0.0/8 only.
    assert.equal((await get(`${servlets}/HelloWorldExample`, { 'X-Forwarded-For': '198.51.100.7' })).status, 403);
    const near = pairs(
      (await get('/app.jsp?do=attributes', { Host: 'a.example:8443', 'X-Forwarded-Proto': 'https' })).body,
    );
    assert.deepEqual([near['address'], near['server'], near['secure']], ['127.0.0.1', 'a.example:8443', 'true https']);
    assert.match(near['port'] ?? '', /^[1-9]\d+$/, 'AJP_REMOTE_PORT');
    const far = pairs(
      (await get('/app.jsp?do=attributes', { 'X-Forwarded-For': '198.51.100.7', AJP_REMOTE_PORT: '1' })).body,
    );
    assert.deepEqual(
      [far['address'], far['port'], far['secure'], far['user']],
      ['198.51.100.7', '-1', 'false http', 'null'],
    );
  });

  await t.test('variables: what the protocol has a number for, what the config names, and nothing else', async () => {
    const got = pairs((await get('/app.jsp?do=attributes', { Host: 'trusted.test', 'Variable-NOTE': 'mine' })).body);
    const { address: _, port: __, server: ___, ...told } = got;
    assert.deepEqual(told, {
      ...{ user: 'anna', type: 'Bearer', secure: 'false http' },
      ...{ cipher: 'TLS_AES_128_GCM_SHA256', bits: '128', session: 'abc', protocol: 'TLSv1.3', certificate: 'CN=anna' },
      ...{ SITE: 'south', DEPARTMENT: 'sales', NOTE: 'null', field: 'only a field' },
    });
    const snoop = (await get('/examples/jsp/snp/snoop.jsp', { Host: 'trusted.test' })).body.toString();
    assert.match(snoop, /Remote user: anna\s[^]*Authorization scheme: Bearer\s/);
    // A connector that looks after users itself does not hear of it, and one that expects no attribute takes none.
    assert.equal(pairs((await get('/app.jsp?do=attributes', { Host: 'doubted.test' })).body)['user'], 'null');
    assert.equal((await get('/app.jsp', { Host: 'refused.test' })).status, 403);
  });
});
