import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { script, smallBody } from '../protocol.ts';
import type { OriginKind } from './origin.ts';

/** A program that the proxy starts for each request. */
export const cgi: OriginKind = {
  name: 'cgi',
  about: 'a shell script, one process for each request',
  missing: () => undefined,
  async start(dir) {
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o755);
    const file = join(dir, script);
    const head = `Content-Type: text/plain\\r\\nContent-Length: ${smallBody.length}\\r\\n\\r\\n`;
    writeFileSync(file, `#!/bin/sh\nprintf '${head}${smallBody.trimEnd()}\\n'\n`, { mode: 0o755 });
    return { protocol: 'cgi', pid: 0, port: 0, keep: false, root: dir, stop: async () => {} };
  },
};
