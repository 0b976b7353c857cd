import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { proxyCpu } from '../machine.ts';
import { nodeProgram, rootDir } from '../programs.ts';
import type { Origin } from '../origins/origin.ts';
import { script } from '../protocol.ts';
import type { Subject } from '../subject.ts';

const command = join(rootDir, 'src/cli.ts');

export const sluice: Subject = {
  name: 'sluice',
  speaks: ['http', 'https', 'h2c', 'fastcgi', 'scgi', 'uwsgi', 'cgi'],
  about: 'one data thread; Combined access log to a file',
  missing: () => (existsSync(command) ? undefined : 'not there yet (src/cli.ts)'),
  version: () =>
    `sluice/${String((JSON.parse(readFileSync(join(rootDir, 'package.json'), 'utf8')) as { version?: string }).version)}`,
  async start(env) {
    const port = await freePort();
    const file = join(env.dir, 'sluice.json');
    writeFileSync(file, JSON.stringify(configuration(port, env.origin, env.accessLog)));
    const child = await serve(proxyCpu, port, [nodeProgram(), command, 'run', file]);
    return { ...child, port };
  },
};

function configuration(port: number, origin: Origin, accessLog: string): object {
  return {
    listen: `127.0.0.1:${port}`,
    upstreams: { app: { origins: [urlOf(origin)], ...optionsOf(origin) } },
    routes: [{ to: 'app' }],
    log: { access: accessLog },
  };
}

function urlOf({ protocol, port, root }: Origin): string {
  return protocol === 'cgi' ? `cgi:${root}${script}` : `${protocol}://127.0.0.1:${port}`;
}

function optionsOf({ protocol, root, keep }: Origin): object {
  switch (protocol) {
    case 'fastcgi':
      return { cgi: { root, split: ['.php'] }, fastcgi: { keepConnection: keep } };
    case 'scgi':
    case 'uwsgi':
      return { cgi: { root, split: ['.php'] } };
    case 'https':
      return { tls: { verify: false } };
    default:
      return {};
  }
}
