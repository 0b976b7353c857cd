import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { proxyCpu } from '../machine.ts';
import type { Origin } from '../origins/origin.ts';
import { findProgram, versionOf } from '../programs.ts';
import type { Subject } from '../subject.ts';

const program = findProgram('lighttpd');

export const lighttpd: Subject = {
  name: 'lighttpd',
  speaks: ['http', 'fastcgi', 'scgi', 'uwsgi', 'cgi'],
  about: 'one worker; Combined log, buffered; a connection to the origin for each request, as it cannot keep them',
  missing: () => (program === undefined ? 'not installed (apt install lighttpd)' : undefined),
  version: () => versionOf(program ?? '', '-v').replace(/ .*/, ''),
  async start(env) {
    const port = await freePort();
    const file = join(env.dir, 'lighttpd.conf');
    mkdirSync(join(env.dir, 'uploads'), { recursive: true });
    writeFileSync(file, configuration(port, env.origin, env.accessLog, env.dir));
    const child = await serve(proxyCpu, port, [program ?? '', '-D', '-f', file]);
    return { ...child, port };
  },
};

function configuration(port: number, origin: Origin, accessLog: string, dir: string): string {
  const module = MODULES[origin.protocol];
  return `server.modules = ( "mod_accesslog", "${module}" )
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${origin.root === '' ? dir : origin.root}"
server.errorlog = "${dir}/error.log"
server.upload-dirs = ( "${dir}/uploads" )
server.max-connections = 8000
server.max-fds = 18000
server.max-keep-alive-requests = 1000000000
server.max-keep-alive-idle = 75
server.stream-request-body = 2
server.stream-response-body = 1
accesslog.filename = "${accessLog}"
accesslog.format = "%h - %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\""
${sectionOf(origin)}
`;
}

const MODULES: Readonly<Record<string, string>> = {
  http: 'mod_proxy',
  fastcgi: 'mod_fastcgi',
  scgi: 'mod_scgi',
  uwsgi: 'mod_scgi',
  cgi: 'mod_cgi',
};

function sectionOf({ protocol, port }: Origin): string {
  const place = `"host" => "127.0.0.1", "port" => ${port}`;
  switch (protocol) {
    case 'fastcgi':
      return `fastcgi.server = ( ".php" => (( ${place}, "check-local" => "disable" )) )`;
    case 'scgi':
      return `scgi.server = ( ".php" => (( ${place}, "check-local" => "disable" )) )`;
    case 'uwsgi':
      return `scgi.server = ( ".php" => (( ${place}, "check-local" => "disable" )) )\nscgi.protocol = "uwsgi"`;
    case 'cgi':
      return 'cgi.assign = ( ".php" => "" )';
    default:
      return `proxy.server = ( "" => (( ${place} )) )`;
  }
}
