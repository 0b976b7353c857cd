import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import type { SpawnOptions } from './options.ts';
import { Unfit } from './unfit.ts';

/**
 * Looks whether a command can be started at all, to name the cause when it cannot: a shell would only say that something was
 * not found. Rejects with it, as `Unfit`. What it cannot see (an interpreter that is missing, rights of another user) the child's own
 * launcher says.
 */
export async function findCommand(options: Startable): Promise<void> {
  const fault = await commandFault(options);
  if (fault !== undefined) throw new Unfit(`its ${fault.option} ${fault.why}`);
}

type Startable = Pick<SpawnOptions, 'command' | 'cwd' | 'env'>;

/** The same as an answer: which option is at fault, and what about it. */
export async function commandFault({
  command,
  cwd,
  env,
}: Startable): Promise<{ option: 'cwd' | 'command'; why: string } | undefined> {
  const folder = resolve(cwd ?? '.');
  const place = await stat(folder).catch(() => null);
  if (place === null) return { option: 'cwd', why: `${folder} does not exist` };
  if (!place.isDirectory()) return { option: 'cwd', why: `${folder} is no folder` };
  if (command.includes('/')) {
    const why = await reason(isAbsolute(command) ? command : join(folder, command));
    return why === undefined ? undefined : { option: 'command', why: `${command} ${why}` };
  }
  const path = env['PATH'] ?? process.env['PATH'] ?? '';
  let best = `is not in any folder of PATH (${path})`;
  for (const one of path.split(':')) {
    const why = await reason(join(one === '' ? folder : one, command));
    if (why === undefined) return undefined;
    if (why !== MISSING) best = `in ${one} ${why}`;
  }
  return { option: 'command', why: `${command} ${best}` };
}

const MISSING = 'does not exist';

async function reason(path: string): Promise<string | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  if (found instanceof Error) {
    return found.code === 'ENOENT' || found.code === 'ENOTDIR' ? MISSING : `cannot be looked at (${found.code})`;
  }
  if (!found.isFile()) return 'is no file';
  return access(path, constants.X_OK).then(
    () => undefined,
    () => 'is not executable',
  );
}

/** Variables of sluice's own that mean something else to a child, or are nothing for it. */
const KEPT_BACK =
  /^(?:SLUICE_|LISTEN_|NOTIFY_SOCKET$|WATCHDOG_|NODE_CHANNEL_|NODE_TEST_CONTEXT$|NODE_UNIQUE_ID$|PORT$|SOCKET$)/;

/** Where a child is to listen, as it is told. */
export interface Told {
  readonly port?: number;
  readonly socket?: string;
}

/** The variables that a child gets. */
export function environmentOf({ env }: Pick<SpawnOptions, 'env'>, told: Told): Record<string, string> {
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !KEPT_BACK.test(entry[0]),
  );
  const own = Object.entries(env).map(([name, value]): [string, string] => [name, filled(value, told)]);
  return {
    ...Object.fromEntries(inherited),
    ...(told.port === undefined ? {} : { PORT: String(told.port) }),
    ...(told.socket === undefined ? {} : { SOCKET: told.socket }),
    ...Object.fromEntries(own),
  };
}

/** `{port}` and `{socket}` replaced, where the child is told of one. */
export function filled(text: string, { port, socket }: Told): string {
  // Functions, because `$&` in a path is a path.
  const withPort = port === undefined ? text : text.replaceAll('{port}', () => String(port));
  return socket === undefined ? withPort : withPort.replaceAll('{socket}', () => socket);
}
