/** PHP as an origin: php-fpm and php-cgi, each in the foreground with a config of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { address, folder, listening, until } from './stage.ts';

export interface Php {
  /** As an origin. */
  readonly url: string;
  /** `cgi` of its upstream. */
  readonly cgi: { readonly root: string; readonly split: string[]; readonly index: string };
  /** Ends it at once, with its workers. */
  readonly kill: () => Promise<void>;
}

/** A folder that processes of any user can read, with the test's script in it. */
export function site(t: TestContext): string {
  const path = folder(t);
  chmodSync(path, 0o755);
  for (const name of ['app.php', 'index.php', 'exercise.php']) {
    copyFileSync(join(import.meta.dirname, 'servers', name === 'index.php' ? 'app.php' : name), join(path, name));
    chmodSync(join(path, name), 0o644);
  }
  // What somebody has uploaded: a picture by its name.
  writeFileSync(join(path, 'evil.jpg'), '<?php echo "executed";', { mode: 0o644 });
  return path;
}

const cgiOf = (root: string): Php['cgi'] => ({ root, split: ['.php'], index: 'index.php' });

/** @param where `unix` socket or `tcp` port */
export async function phpFpm(
  t: TestContext,
  program: string,
  where: 'unix' | 'tcp',
  children = 2,
  setting = '',
  root = site(t),
): Promise<Php> {
  const more = setting === '' ? [] : ['-d', setting];
  return startFpm(t, program, { root, home: folder(t), where, children, args: ['-n', ...SETTINGS, ...more] });
}

interface Fpm {
  /** Where the scripts are. */
  readonly root: string;
  /** Where socket, config and log go. */
  readonly home: string;
  readonly where: 'unix' | 'tcp';
  readonly children: number;
  readonly args: readonly string[];
}

export async function startFpm(t: TestContext, program: string, fpm: Fpm): Promise<Php> {
  const { root, home, where, children, args } = fpm;
  const at = await address();
  const socket = join(home, 'fpm.sock');
  const config = join(home, 'fpm.conf');
  writeFileSync(
    config,
    `[global]
error_log = ${join(home, 'fpm.log')}
daemonize = no
[www]
listen = ${where === 'unix' ? socket : `${at.host}:${at.port}`}
${process.getuid?.() === 0 ? 'user = nobody\ngroup = nogroup' : ''}
pm = static
pm.max_children = ${children}
ping.path = /fpm-ping
`,
  );
  const running = php(t, program, ['-F', '-y', config, ...args], home);
  if (where === 'tcp') await listening(at);
  else await until('the socket of php-fpm', () => existsSync(socket));
  return {
    url: where === 'unix' ? `fastcgi+unix:${socket}` : `fastcgi://${at.host}:${at.port}`,
    cgi: cgiOf(root),
    kill: running,
  };
}

export async function phpCgi(t: TestContext, program: string, setting = '', root = site(t)): Promise<Php> {
  const at = await address();
  const more = setting === '' ? [] : ['-d', setting];
  const kill = php(t, program, ['-n', '-b', `${at.host}:${at.port}`, ...SETTINGS, ...more], root);
  await listening(at);
  return { url: `fastcgi://${at.host}:${at.port}`, cgi: cgiOf(root), kill };
}

/** Without php.ini (-n) everything is as PHP has it, fix_pathinfo among it, but for the size of uploads and where errors go. */
const SETTINGS = ['-d', 'post_max_size=0', '-d', 'display_errors=0', '-d', 'log_errors=1'];

/**
 * Starts PHP in a process group of its own: workers outlive a master that is killed.
 * @returns what kills master and workers
 */
function php(t: TestContext, program: string, args: readonly string[], cwd: string): () => Promise<void> {
  const child = spawn(program, args, { cwd, detached: true, stdio: 'ignore' });
  const ended = once(child, 'exit').catch(() => {});
  const kill = async (): Promise<void> => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // All of them are gone.
    }
    await ended;
  };
  t.after(kill);
  return kill;
}
