import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { loadCpu } from '../machine.ts';
import { benchDir, nodeProgram } from '../programs.ts';
import type { OriginKind } from './origin.ts';

/** A Node server on raw sockets that does the least a protocol allows, so that the proxy is what is measured. */
function responder(protocol: 'fastcgi' | 'scgi' | 'uwsgi'): OriginKind {
  return {
    name: protocol,
    about: `a raw-socket Node server that speaks ${protocol}`,
    missing: () => undefined,
    async start() {
      const port = await freePort();
      const command = [nodeProgram(), join(benchDir, 'servers/responder.ts'), protocol, String(port)];
      return { ...(await serve(loadCpu, port, command)), protocol, port, keep: protocol === 'fastcgi', root: '/srv' };
    },
  };
}

export const fastcgi = responder('fastcgi');
export const scgi = responder('scgi');
export const uwsgi = responder('uwsgi');
