import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { proxyCpu } from '../machine.ts';
import { findProgram, versionOf } from '../programs.ts';
import type { Origin } from '../origins/origin.ts';
import type { Protocol } from '../protocol.ts';
import type { Subject } from '../subject.ts';

const program = findProgram('nginx');

export const nginx: Subject = {
  name: 'nginx',
  speaks: ['http', 'https', 'fastcgi', 'scgi', 'uwsgi'],
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

function serverSection(port: number, { protocol, port: origin, keep, root }: Origin, accessLog: string): string {
  return `
  access_log ${accessLog} combined buffer=64k flush=1s;
  upstream app {
    server 127.0.0.1:${origin};
    ${keep ? 'keepalive 64;\n    keepalive_requests 1000000000;' : ''}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      ${protocol === 'http' || protocol === 'https' ? proxied(protocol) : told(protocol, root, keep)}
    }
  }`;
}

function proxied(protocol: Protocol): string {
  return `proxy_pass ${protocol}://app;
      proxy_http_version 1.1;
      proxy_request_buffering off;
      ${protocol === 'https' ? 'proxy_ssl_protocols TLSv1.3;' : ''}
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Request-Id $request_id;`;
}

/** What Debian's fastcgi_params and its likes tell, and what sluice tells as well. */
const variables =
  `GATEWAY_INTERFACE CGI/1.1;SERVER_SOFTWARE nginx;QUERY_STRING $query_string;REQUEST_METHOD $request_method
CONTENT_TYPE $content_type;CONTENT_LENGTH $content_length;SCRIPT_NAME $fastcgi_script_name;REQUEST_URI $request_uri
DOCUMENT_URI $document_uri;SERVER_PROTOCOL $server_protocol;REQUEST_SCHEME $scheme;REMOTE_ADDR $remote_addr
REMOTE_PORT $remote_port;SERVER_ADDR $server_addr;SERVER_PORT $server_port;SERVER_NAME $host;REDIRECT_STATUS 200
HTTP_X_FORWARDED_FOR $proxy_add_x_forwarded_for;HTTP_X_FORWARDED_PROTO $scheme;HTTP_X_FORWARDED_HOST $http_host
HTTP_X_REQUEST_ID $request_id`
    .split(/[;\n]/)
    .map((line) => line.split(' '));

function told(protocol: Protocol, root: string, keep: boolean): string {
  const all = [...variables, ['DOCUMENT_ROOT', root], ['SCRIPT_FILENAME', `${root}$uri`]];
  const params = all.map(([name, value]) => `${protocol}_param ${name} ${value};`);
  return [
    `${protocol}_pass app;`,
    `${protocol}_request_buffering off;`,
    ...(protocol === 'fastcgi' && keep ? ['fastcgi_keep_conn on;'] : []),
    ...params,
  ].join('\n      ');
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
