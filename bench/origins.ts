import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Child, freePort, serve } from './child.ts';
import type { Case } from './case.ts';
import { loadCpu } from './machine.ts';
import { benchDir, findProgram, nodeProgram } from './programs.ts';
import { nginxFile } from './subjects/nginx.ts';

export interface Origin {
  readonly pid: number;
  readonly port: number;
}

export type Origins = Readonly<Record<Case['origin'], Origin>> & { readonly about: string; stop(): Promise<void> };

/** Both origins run on the load generator's core for the whole benchmark. */
export async function startOrigins(dir: string): Promise<Origins> {
  const bodies = await startOwn();
  const nginx = findProgram('nginx');
  const fast = nginx === undefined ? bodies : await startNginx(nginx, join(dir, 'origin'));
  return {
    bodies,
    fast,
    about: `${nginx === undefined ? 'a raw-socket Node server' : 'nginx'} for GETs, a raw-socket Node server for request bodies`,
    async stop() {
      await bodies.stop();
      if (fast !== bodies) await fast.stop();
    },
  };
}

async function startOwn(): Promise<Child & Origin> {
  const port = await freePort();
  return { ...(await serve(loadCpu, port, [nodeProgram(), join(benchDir, 'origin.ts'), String(port)])), port };
}

async function startNginx(program: string, dir: string): Promise<Child & Origin> {
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
    listen 127.0.0.1:${port} backlog=4096;
    default_type text/plain;
    location / { return 200 "${'x'.repeat(100)}\\n"; }
    location = /large { alias ${dir}/large; }
  }`,
    ),
  );
  return { ...(await serve(loadCpu, port, [program, '-c', file, '-e', join(dir, 'error.log')])), port };
}
