/** nginx and Node behind a real sluice, over TLS, to whom sluice shows a certificate of its own; and nginx over HTTP/2 without. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Authority, authority } from '../support/certificates.ts';
import { skipUnless } from '../support/peer.ts';
import { type Application, ask } from './applications.ts';
import { exercise } from './exercise.ts';
import { address, folder, listening, start, startSluice, until } from './stage.ts';

const APP = fileURLToPath(new URL('servers/app.ts', import.meta.url));

/** The application in Node, over TLS with certificates, or in clear text. */
async function node(
  t: TestContext,
  name: string,
  tls: Record<string, string> = {},
): Promise<Application & { where: string }> {
  const at = await address();
  const env = { NAME: name, HOST: at.host, PORT: String(at.port), ...tls };
  const words = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  const process_ = start(t, '/usr/bin/env', [...words, process.execPath, APP]);
  await until('the application', () => process_.output().includes('listening'));
  const where = `${at.host}:${at.port}`;
  return { url: `${tls['CERT'] === undefined ? 'http' : 'https'}://${where}`, where, process: process_ };
}

/** nginx, which speaks TLS, or HTTP/2, for the application behind it. */
async function nginx(
  t: TestContext,
  program: string,
  scheme: 'https' | 'h2' | 'h2c',
  name: string,
  tls: Record<string, string>,
): Promise<Application> {
  const behind = await node(t, name);
  const at = await address();
  const base = folder(t);
  writeFileSync(
    join(base, 'nginx.conf'),
    `daemon off; master_process off; pid ${base}/pid; error_log stderr warn;
events {}
http {
  access_log off; client_max_body_size 0;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${base}/${kind};`).join(' ')}
  server {
    listen ${at.host}:${at.port}${scheme === 'h2c' ? '' : ' ssl'}${scheme === 'https' ? '' : ' http2'};
    ${scheme === 'h2c' ? '' : certified(tls)}
    location / {
      proxy_pass http://${behind.where}; proxy_http_version 1.1; proxy_request_buffering off; proxy_buffering off;
      proxy_set_header Host $http_host; proxy_set_header X-Client $ssl_client_s_dn;
    }
  }
}`,
  );
  const process_ = start(t, program, ['-c', join(base, 'nginx.conf'), '-p', base]);
  await listening(at, process_);
  return { url: `${scheme}://${at.host}:${at.port}`, process: process_ };
}

function certified({ CERT = '', KEY = '', CA = '' }: Record<string, string>): string {
  return `ssl_certificate ${CERT}; ssl_certificate_key ${KEY};
    ssl_client_certificate ${CA}; ssl_verify_client on; ssl_session_cache shared:a:1m;`;
}

/** Certificates for the server, and options for sluice. */
function certificates(ca: Authority): { server: Record<string, string>; tls: Record<string, string> } {
  const server = ca.issue('server', { names: ['DNS:app.example'] });
  const own = ca.issue('sluice', { names: ['DNS:sluice.example'] });
  return {
    server: { CERT: server.cert, KEY: server.key, CA: ca.cert },
    tls: { ca: ca.cert, serverName: 'app.example', cert: own.cert, key: own.key },
  };
}

const KINDS: Readonly<
  Record<string, (t: TestContext) => ((name: string, tls: Record<string, string>) => Promise<Application>) | undefined>
> = {
  'Node over TLS': (t) => (name, tls) => node(t, name, tls),
  'nginx over TLS': (t) => {
    const program = skipUnless(t, 'nginx');
    return program === undefined ? undefined : (name, tls) => nginx(t, program, 'https', name, tls);
  },
  'nginx over HTTP/2 and TLS': (t) => {
    const program = skipUnless(t, 'nginx');
    return program === undefined ? undefined : (name, tls) => nginx(t, program, 'h2', name, tls);
  },
};

for (const [name, begin] of Object.entries(KINDS)) {
  test(`${name}: requests and answers of every kind`, async (t) => {
    const ca = authority(t);
    const launch = begin(t);
    if (ca === undefined || launch === undefined) return;
    const { server, tls } = certificates(ca);
    await exercise(t, '/some/path', (which) => launch(which, server), { tls });
  });

  test(`${name}: who we are, and that it wants to know`, async (t) => {
    const ca = authority(t);
    const launch = begin(t);
    if (ca === undefined || launch === undefined) return;
    const { server, tls } = certificates(ca);
    const { url } = await launch('one', server);
    const { ca: trusted = '', serverName = '' } = tls;
    const upstream = { origins: url, eject: { on: [] } };
    const sluice = await startSluice(t, {
      threads: 2,
      upstreams: {
        known: { ...upstream, tls },
        stranger: { ...upstream, tls: { ca: trusted, serverName } },
        lost: { ...upstream, tls: { ...tls, serverName: 'other.example' } },
      },
      routes: ['stranger', 'lost', 'known'].map((to) => ({ match: { host: `${to}.test` }, to })),
    });
    const at = (host: string) => ask(`${sluice.url}/?do=certificate`, 'GET', null, { Host: `${host}.test` });
    for (let i = 0; i < 5; i++) assert.match((await at('known')).body.toString(), /^(?:CN=)?sluice$/);
    // nginx lets a stranger connect, and answers 400; Node ends the connection with an alert.
    const stranger = await at('stranger');
    assert.ok([400, 502].includes(stranger.status), String(stranger.status));
    assert.equal((await at('lost')).status, 502);
    // Each thread writes its lines when it has some.
    const wanted = stranger.status === 502 ? 2 : 1;
    const logged = (): boolean =>
      sluice.failures().length >= wanted && sluice.failures().some(({ error }) => error === 'tls-wrong-name');
    await until('the log', logged);
    const [lost] = sluice.failures().filter(({ error }) => error === 'tls-wrong-name');
    assert.equal(lost?.detail, 'it is for app.example, not for other.example');
    const errors = sluice.failures().map(({ error }) => error);
    // With TLS 1.3 the alert comes after the request is sent, and what was sent may turn the end into a reset that overtakes it.
    const told = errors.some((error) => error === 'tls-client-certificate' || error === 'origin-closed');
    if (stranger.status === 502) assert.ok(told, errors.join(' '));
  });
}

test('nginx over HTTP/2 in clear text: requests and answers of every kind', async (t) => {
  const program = skipUnless(t, 'nginx');
  if (program === undefined) return;
  await exercise(t, '/some/path', (which) => nginx(t, program, 'h2c', which, {}), {});
});
