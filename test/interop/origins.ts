/** Three origins of three kinds, each a process of its own that can be killed and started again on its address. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { address, folder, listening, start, type Address, type Running } from './stage.ts';

export interface OriginProcess extends Address {
  readonly url: string;
  /** The process in charge now. */
  process: Running;
  kill(): Promise<void>;
  restart(): Promise<void>;
}

const servers = fileURLToPath(new URL('servers/', import.meta.url));

async function origin(launch: (at: Address) => Running): Promise<OriginProcess> {
  const at = await address();
  const first = launch(at);
  await listening(at, first);
  const made: OriginProcess = {
    ...at,
    url: `http://${at.host}:${at.port}`,
    process: first,
    async kill() {
      made.process.signal('SIGKILL');
      await made.process.ended;
    },
    async restart() {
      made.process = launch(at);
      await listening(at, made.process);
    },
  };
  return made;
}

/** nginx in one process, so that a kill takes it all. Serves `files`, and keeps what is PUT below /put/. */
export function nginxOrigin(t: TestContext, nginx: string, files: string): Promise<OriginProcess> {
  const path = folder(t);
  return origin((at) => {
    const conf = join(path, 'nginx.conf');
    writeFileSync(
      conf,
      `daemon off; master_process off; pid ${path}/pid; error_log ${path}/error.log info;
       events { worker_connections 2048; }
       http {
         access_log off; client_max_body_size 0; default_type application/octet-stream; keepalive_requests 1000000;
         ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${path}/${one};`).join(' ')}
         server {
           listen ${at.host}:${at.port} backlog=1024;
           root ${files};
           location = /name { return 200 nginx; }
           location = /gzip.txt { gzip on; gzip_types *; gzip_min_length 1; }
           location = /early { return 403 early; }
           location /put/ { root ${path}; dav_methods PUT DELETE; create_full_put_path on; }
           # nginx reads the whole body before it asks the other server, which tells how long it was.
           location = /sink { proxy_pass http://unix:${path}/count.sock:/; proxy_set_header Host count; }
         }
         server { listen unix:${path}/count.sock; location / { return 200 "$http_content_length"; } }
       }`,
    );
    // One that was killed leaves its socket behind, and nginx does not bind over it.
    rmSync(join(path, 'count.sock'), { force: true });
    return start(t, nginx, ['-p', path, '-c', conf]);
  });
}

/** Node's http server; `name` is what it says at /name. */
export function nodeOrigin(t: TestContext, files: string, name = 'node'): Promise<OriginProcess> {
  return origin((at) =>
    start(t, process.execPath, [join(servers, 'node-origin.ts'), at.host, String(at.port), files, name]),
  );
}

/** Python's http.server, which by itself speaks HTTP/1.0. */
export function pythonOrigin(
  t: TestContext,
  python: string,
  files: string,
  version: 'HTTP/1.0' | 'HTTP/1.1' = 'HTTP/1.0',
): Promise<OriginProcess> {
  return origin((at) => start(t, python, [join(servers, 'origin.py'), at.host, String(at.port), files, version]));
}
