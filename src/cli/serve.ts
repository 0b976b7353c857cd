import { load } from '../config/index.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../core/clock.ts';
import { loadSpans } from '../observe/spans.ts';
import { Sluice } from '../sluice.ts';
import { MARK } from '../spawn/children/strays.ts';
import { die, EXIT_FAILED, EXIT_USAGE } from './exit.ts';
import { explain } from './explain.ts';
import { reloadOn } from './reload.ts';
import { holders, isSluice } from './takeover.ts';

export interface ServeOptions {
  /** Give up quietly when the port is taken. */
  readonly yields?: boolean;
  /** Where the config came from, to be read again on SIGHUP. */
  readonly file?: string;
  /** Read it again when it changes. */
  readonly watch?: boolean;
  /** Take the place of a process that listens on the same ports. */
  readonly takeover?: boolean;
}

/**
 * Runs a proxy until a signal ends it. Resolves once it listens.
 *
 * @returns false when the port was taken and `yields` was set
 */
export async function serve(config: Config, { yields, file, watch, takeover }: ServeOptions = {}): Promise<boolean> {
  // By this another one that takes over knows us.
  process.title = ['sluice', ...process.argv.slice(2)].join(' ');
  if (takeover === true) refuseMarked();
  const before = takeover === true ? await findPredecessors(config) : [];
  let sluice: Sluice;
  try {
    const spans = config.log.spans ? await loadSpans(undefined, systemClock, (error) => sluice.report(error)) : null;
    sluice = new Sluice(
      config,
      { spans },
      {
        sharing: true,
        takeover: before.length > 0,
        ...(file === undefined ? {} : { source: { file, read: () => load(file) } }),
      },
    );
  } catch (error) {
    return die(EXIT_FAILED, explain(error as NodeJS.ErrnoException));
  }
  try {
    await sluice.open();
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (yields === true && failure.code === 'EADDRINUSE') return false;
    return die(EXIT_FAILED, explain(failure));
  }
  answerSignals(sluice);
  if (file !== undefined) await reloadOn(sluice, file, watch === true);
  // A defect must not take everybody's connections with it. It is logged loudly, and the one request fails.
  process.on('uncaughtException', (error) => sluice.report(error));
  process.on('unhandledRejection', (error) => sluice.report(error));
  for (const pid of before) await end(pid);
  for (const line of greeting(config, sluice.addresses)) process.stderr.write(`sluice: ${line}\n`);
  return true;
}

/** One that a child of the old sluice has started would be taken for something the child has left behind, and be ended with it. */
function refuseMarked(): void {
  if (process.env[MARK] === undefined) return;
  die(
    EXIT_USAGE,
    `--takeover: a child of sluice has started this one, which would end with it; write \`env -u ${MARK} sluice run --takeover …\``,
  );
}

/** Whoever is to leave; none is no fault, so that a unit can always say --takeover. */
async function findPredecessors(config: Config): Promise<number[]> {
  if (process.platform !== 'linux') die(EXIT_USAGE, '--takeover works on Linux only: stop the old process, then start');
  const unix = config.listen.find(({ address }) => address.kind === 'unix');
  if (unix !== undefined) {
    die(
      EXIT_USAGE,
      `--takeover cannot share ${unix.name}: a unix socket has one owner. Stop the old process, then start`,
    );
  }
  const { sluices, strangers } = await holders(config);
  if (strangers.length > 0) {
    // Also beside a sluice: the address would be shared with it, and it would get a part of the requests.
    die(
      EXIT_FAILED,
      `--takeover: ${strangers.join(', ')} is no sluice that was started by its command; stop it, or listen elsewhere`,
    );
  }
  if (sluices.length === 0) process.stderr.write('sluice: nobody to take over from, so this is a plain start\n');
  return [...sluices];
}

/** It drains and ends. Connections come to us from now on. */
async function end(pid: number): Promise<void> {
  try {
    // It may have ended by itself meanwhile, and its number be another's.
    if (!(await isSluice(pid))) return;
    process.kill(pid, 'SIGQUIT');
    process.stderr.write(`sluice: took over from process ${pid}, which finishes what it has\n`);
  } catch (error) {
    process.stderr.write(`sluice: cannot end process ${pid}: ${(error as Error).message}\n`);
  }
}

function answerSignals(sluice: Sluice): void {
  let ending = false;
  const leave = (why: string, handover = false): void => {
    if (ending) return;
    ending = true;
    process.stderr.write(`sluice: ${why}\n`);
    sluice.close(undefined, handover).then(
      () => process.exit(0),
      (error: unknown) => die(EXIT_FAILED, String(error)),
    );
  };
  const end = (signal: NodeJS.Signals): void => {
    if (ending) {
      process.stderr.write(`sluice: ${signal} again, ending now\n`);
      process.exit(EXIT_FAILED);
    }
    leave(`${signal}, finishing what is in hand (again to end at once)`);
  };
  // Of a process that takes over. Two of them may do so at the same time, and that must not cut anybody.
  if (process.platform !== 'win32') process.on('SIGQUIT', () => leave('SIGQUIT, finishing what is in hand', true));
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (process.platform !== 'win32') process.on('SIGUSR1', () => sluice.reopenLogs());
}

function greeting(config: Config, addresses: readonly string[]): string[] {
  const routes = config.routes
    .map(({ to }) => to)
    .filter((name) => name !== undefined)
    .filter((name, index, all) => all.indexOf(name) === index)
    .map((name) => `${name} (${config.upstreams[name]?.origins.map(({ url }) => shortUrl(url)).join(', ')})`);
  return addresses.map(
    (address) => `listening on ${address}${routes.length === 0 ? '' : `, passing to ${routes.join(', ')}`}`,
  );
}

function shortUrl(url: string): string {
  return /^\d+$/.test(url) ? `localhost:${url}` : url.replace(/^http:\/\//, '');
}
