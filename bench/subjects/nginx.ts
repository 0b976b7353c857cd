import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { proxyCpu } from '../machine.ts';
import { findProgram, versionOf } from '../programs.ts';
import type { Subject } from '../subject.ts';

const program = findProgram('nginx');

export const nginx: Subject = {
  name: 'nginx',
  about:
    'one worker without master; combined log with buffer=64k flush=1s; 64 kept origin connections; ' +
    'proxy_buffering on (its default), proxy_request_buffering off',
  missing: () => (program === undefined ? 'not installed (apt install nginx)' : undefined),
  version: () => versionOf(program ?? '', '-v').replace('nginx version: ', ''),
  async start(env) {
    const port = await freePort();
    const file = join(env.dir, 'nginx.conf');
    mkdirSync(join(env.dir, 'temp'), { recursive: true });
    writeFileSync(file, nginxFile(env.dir, serverSection(port, env.origin, env.accessLog)));
    const child = await serve(proxyCpu, port, [program ?? '', '-c', file, '-e', join(env.dir, 'error.log')]);
    return { ...child, port };
  },
};

function serverSection(port: number, origin: number, accessLog: string): string {
  return `
  access_log ${accessLog} combined buffer=64k flush=1s;
  upstream app {
    server 127.0.0.1:${origin};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;
    }
  }`;
}

/** The frame both nginx configurations share: one process, in the foreground, that writes nowhere but to `dir`. */
export function nginxFile(dir: string, http: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const places = kinds.map((kind) => `  ${kind}_temp_path ${dir}/temp/${kind};`).join('\n');
  return `daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log;
events { worker_connections 14000; }
http {
${places}
  client_max_body_size 0;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
${http}
}
`;
}
