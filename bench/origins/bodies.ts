import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { loadCpu } from '../machine.ts';
import { benchDir, nodeProgram } from '../programs.ts';
import type { OriginKind } from './origin.ts';

export const bodies: OriginKind = {
  name: 'bodies',
  about: 'a raw-socket Node server for request bodies',
  missing: () => undefined,
  async start() {
    const port = await freePort();
    const child = await serve(loadCpu, port, [nodeProgram(), join(benchDir, 'servers/bodies.ts'), String(port)]);
    return { ...child, protocol: 'http', port, keep: true, root: '' };
  },
};
