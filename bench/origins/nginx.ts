import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { loadCpu } from '../machine.ts';
import { findProgram } from '../programs.ts';
import { smallBody } from '../protocol.ts';
import { nginxFile } from '../subjects/nginx.ts';
import type { OriginKind, RunningOrigin } from './origin.ts';

const program = findProgram('nginx');
const openssl = findProgram('openssl');
const missing = (): string | undefined =>
  program === undefined ? 'nginx is not installed (apt install nginx)' : undefined;

export const fast: OriginKind = {
  name: 'fast',
  about: 'nginx',
  missing,
  start: async (dir) => ({ ...(await start(dir, '', '')), protocol: 'http' }),
};

export const https: OriginKind = {
  name: 'https',
  about: 'nginx with TLS 1.3',
  missing: () => missing() ?? (openssl === undefined ? 'openssl is not installed (apt install openssl)' : undefined),
  async start(dir) {
    mkdirSync(dir, { recursive: true });
    const [key, certificate] = [join(dir, 'key.pem'), join(dir, 'certificate.pem')];
    execFileSync(
      openssl ?? '',
      ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
        .concat(['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'])
        .concat(['-keyout', key, '-out', certificate]),
      { stdio: 'ignore' },
    );
    const settings = `ssl_certificate ${certificate}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3;`;
    return { ...(await start(dir, 'ssl', settings)), protocol: 'https' };
  },
};

export const h2c: OriginKind = {
  name: 'h2c',
  about: 'nginx with HTTP/2 without TLS',
  missing,
  start: async (dir) => ({ ...(await start(dir, 'http2', '')), protocol: 'h2c' }),
};

async function start(dir: string, listen: string, settings: string): Promise<Omit<RunningOrigin, 'protocol'>> {
  const port = await freePort();
  const file = join(dir, 'nginx.conf');
  mkdirSync(join(dir, 'temp'), { recursive: true });
  writeFileSync(join(dir, 'large'), Buffer.alloc(1024 * 1024, 'x'));
  writeFileSync(
    file,
    nginxFile(
      dir,
      `  access_log off;
  sendfile on;
  tcp_nopush on;
  server {
    listen 127.0.0.1:${port} backlog=4096 ${listen};
    ${settings}
    default_type text/plain;
    location / { return 200 "${smallBody.trimEnd()}\\n"; }
    location = /large { alias ${dir}/large; }
  }`,
    ),
  );
  const child = await serve(loadCpu, port, [program ?? '', '-c', file, '-e', join(dir, 'error.log')]);
  return { ...child, port, keep: true, root: dir };
}
