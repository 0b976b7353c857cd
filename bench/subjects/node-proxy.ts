import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { proxyCpu } from '../machine.ts';
import { benchDir, nodeProgram } from '../programs.ts';
import type { Subject } from '../subject.ts';

/** A proxy from npm, run by a small server of ours in `servers/`. */
export function nodeProxy(name: string, server: string, about: string): Subject {
  const version = (): string | undefined => installedVersion(name);
  return {
    name,
    about,
    fromNpm: true,
    speaks: ['http'],
    missing: () => (version() === undefined ? 'not installed (npm ci --prefix bench)' : undefined),
    version: () => `${name}/${version() ?? '?'}`,
    async start({ origin, accessLog }) {
      const port = await freePort();
      const place = JSON.stringify({ port, origin: origin.port, accessLog });
      const child = await serve(proxyCpu, port, [nodeProgram(), join(benchDir, 'servers', server), place, name]);
      return { ...child, port };
    },
  };
}

function installedVersion(name: string): string | undefined {
  try {
    const file = join(benchDir, 'node_modules', name, 'package.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}
