import { readdirSync } from 'node:fs';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serve } from '../child.ts';
import { loadCpu } from '../machine.ts';
import { findProgram } from '../programs.ts';
import { script, smallBody } from '../protocol.ts';
import type { OriginKind } from './origin.ts';

/** Debian adds the version to its name. */
const program = findProgram('php-fpm') ?? findProgram(versioned());

export const php: OriginKind = {
  name: 'php',
  about: 'php-fpm with 8 processes',
  missing: () => (program === undefined ? 'php-fpm is not installed (apt install php-fpm)' : undefined),
  async start(dir) {
    const port = await freePort();
    const config = join(dir, 'fpm.conf');
    mkdirSync(dir, { recursive: true });
    // Its processes are another user's.
    chmodSync(dir, 0o755);
    writeFileSync(join(dir, script), `<?php header('Content-Type: text/plain'); echo ${JSON.stringify(smallBody)};`);
    const user = process.getuid?.() === 0 ? 'user = nobody\ngroup = nogroup\n' : '';
    writeFileSync(
      config,
      `[global]\nerror_log = ${dir}/fpm.log\ndaemonize = no\n[www]\nlisten = 127.0.0.1:${port}\n${user}` +
        'listen.backlog = 4096\npm = static\npm.max_children = 8\n',
    );
    const child = await serve(loadCpu, port, [program ?? '', '-n', '-F', '-y', config]);
    return { ...child, protocol: 'fastcgi', port, keep: false, root: dir };
  },
};

function versioned(): string {
  try {
    return readdirSync('/usr/sbin').find((name) => /^php-fpm[\d.]+$/.test(name)) ?? 'php-fpm';
  } catch {
    return 'php-fpm';
  }
}
