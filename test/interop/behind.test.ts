/** Sluice behind other proxies, whose kept connections carry many clients' requests. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { WebSocket } from 'ws';
import { skipUnless } from '../support/peer.ts';
import { nodeOrigin } from './origins.ts';
import { address, folder, listening, run, start, startSluice, until, type Address } from './stage.ts';

type Front = (t: TestContext, program: string, sluice: Address) => Promise<Address>;

const fronts: Readonly<Record<string, Front>> = {
  async haproxy(t, haproxy, sluice) {
    const at = await address();
    const file = join(folder(t), 'haproxy.cfg');
    writeFileSync(
      file,
      `defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  http-reuse always
  retries 0
frontend front
  bind ${at.host}:${at.port}
  default_backend back
backend back
  server one ${sluice.host}:${sluice.port}
`,
    );
    await listening(at, start(t, haproxy, ['-db', '-f', file]));
    return at;
  },
  async nginx(t, nginx, sluice) {
    const at = await address();
    const path = folder(t);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    writeFileSync(
      join(path, 'nginx.conf'),
      `daemon off; master_process off; pid ${path}/pid; error_log ${path}/error.log; events { worker_connections 1024; }
       http { access_log off; ${temporary.map((one) => `${one}_temp_path ${path}/${one};`).join(' ')}
         map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
         upstream sluice { server ${sluice.host}:${sluice.port} max_fails=0; keepalive 32; }
         server { listen ${at.host}:${at.port} backlog=1024; client_max_body_size 0;
           location / { proxy_pass http://sluice; proxy_http_version 1.1; proxy_next_upstream off;
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; } } }`,
    );
    await listening(at, start(t, nginx, ['-p', path, '-c', join(path, 'nginx.conf')]));
    return at;
  },
};

for (const [name, front] of Object.entries(fronts)) {
  test(`behind ${name}: load over kept connections, an upload, a WebSocket`, async (t) => {
    const program = skipUnless(t, name);
    const wrk = skipUnless(t, 'wrk');
    if (program === undefined || wrk === undefined) return;
    const origin = await nodeOrigin(t, folder(t));
    // Connections end often, in the middle of the load: neither side retries, so every end must be announced.
    const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } }, keepAlive: { requests: 50 } });
    const at = await front(t, program, sluice);
    const url = `http://${at.host}:${at.port}`;
    const { text } = await run(t, wrk, ['-t', '2', '-c', '32', '-d', '2s', `${url}/name`]);
    assert.doesNotMatch(text, /Socket errors|Non-2xx/, text);
    assert.ok(Number(/^ +(\d+) requests in/m.exec(text)?.[1]) > 100, text);
    const uploaded = await fetch(`${url}/sink`, { method: 'POST', body: Buffer.alloc(3_000_000) });
    assert.ok((await uploaded.text()).startsWith('3000000 '));
    const socket = new WebSocket(`ws://${at.host}:${at.port}/`);
    t.after(() => socket.terminate());
    await once(socket, 'open');
    socket.send('hello');
    assert.equal(String(((await once(socket, 'message')) as [Buffer])[0]), 'hello');
    socket.close();
    await once(socket, 'close');
    await until('the last line', () => sluice.access().some((line) => line.status === 101));
    assert.deepEqual(sluice.failures(), []);
  });
}
