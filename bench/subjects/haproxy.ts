import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { proxyCpu } from '../machine.ts';
import { findProgram, versionOf } from '../programs.ts';
import type { Origin } from '../origins/origin.ts';
import type { Subject } from '../subject.ts';

const program = findProgram('haproxy');

export const haproxy: Subject = {
  name: 'HAProxy',
  speaks: ['http', 'https', 'h2c', 'fastcgi'],
  about:
    'nbthread 1; http-reuse always; Combined lines to stdout, which is a file (it can only log line by line, never buffered)',
  missing: () => (program === undefined ? 'not installed (apt install haproxy)' : undefined),
  version: () => versionOf(program ?? '', '-v').replace(/^HAProxy version (\S+).*/, 'haproxy/$1'),
  async start(env) {
    const port = await freePort();
    const file = join(env.dir, 'haproxy.cfg');
    writeFileSync(file, configuration(port, env.origin));
    const child = await serve(proxyCpu, port, [program ?? '', '-db', '-f', file], env.accessLog);
    return { ...child, port };
  },
};

function configuration(port: number, origin: Origin): string {
  return `global
  nbthread 1
  maxconn 8000
  log stdout format raw local0
defaults
  mode http
  log global
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout http-keep-alive 75s
  http-reuse always
  option forwardfor
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
frontend entry
  bind 127.0.0.1:${port}
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(Host)]
  capture request header Referer len 128
  capture request header User-Agent len 256
  log-format "%ci - - [%T] %{+Q}r %ST %B %hrl"
  default_backend app
backend app
${backendOf(origin)}
`;
}

function backendOf({ protocol, port, root, keep }: Origin): string {
  const server = `  server app 127.0.0.1:${port}`;
  switch (protocol) {
    case 'https':
      return `${server} ssl verify none`;
    case 'h2c':
      return `${server} proto h2`;
    case 'fastcgi':
      return `  use-fcgi-app php
${server} proto fcgi
fcgi-app php
  docroot ${root}
  ${keep ? 'option keep-conn' : 'no option keep-conn'}`;
    default:
      return server;
  }
}
