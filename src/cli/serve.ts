import type { Config } from '../config/config.ts';
import { Sluice } from '../sluice.ts';
import { die, EXIT_FAILED } from './exit.ts';

/**
 * Runs a proxy until a signal ends it. Resolves once it listens.
 *
 * @param yields give up quietly when the port is taken
 * @returns false when the port was taken and `yields` was set
 */
export async function serve(config: Config, yields = false): Promise<boolean> {
  let sluice: Sluice;
  try {
    sluice = new Sluice(config);
  } catch (error) {
    return die(EXIT_FAILED, explain(error as NodeJS.ErrnoException));
  }
  try {
    await sluice.open();
  } catch (error) {
    const failure = error as NodeJS.ErrnoException;
    if (yields && failure.code === 'EADDRINUSE') return false;
    return die(EXIT_FAILED, explain(failure));
  }
  answerSignals(sluice);
  // A defect must not take everybody's connections with it. It is logged loudly, and the one request fails.
  process.on('uncaughtException', (error) => sluice.report(error));
  process.on('unhandledRejection', (error) => sluice.report(error));
  for (const line of greeting(config, sluice.addresses)) process.stderr.write(`sluice: ${line}\n`);
  return true;
}

function answerSignals(sluice: Sluice): void {
  let ending = false;
  const end = (signal: NodeJS.Signals): void => {
    if (ending) {
      process.stderr.write(`sluice: ${signal} again, ending now\n`);
      process.exit(EXIT_FAILED);
    }
    ending = true;
    process.stderr.write(`sluice: ${signal}, finishing what is in hand (again to end at once)\n`);
    sluice.close().then(
      () => process.exit(0),
      (error: unknown) => die(EXIT_FAILED, String(error)),
    );
  };
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

type Failure = NodeJS.ErrnoException & { address?: string; port?: number; hostname?: string };

/** What happened, where, and what to do. */
function explain(failure: NodeJS.ErrnoException): string {
  const error = failure as Failure;
  const where = error.port === undefined ? (error.address ?? error.path ?? '') : `port ${error.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return `${where} is taken by another program; stop that one, or listen elsewhere (listen: …, or --from PORT)`;
    case 'EACCES':
      return error.syscall === 'open'
        ? `${error.path}: no permission to write this log file`
        : `no permission to listen on ${where}; ports below 1024 need root or CAP_NET_BIND_SERVICE`;
    case 'EADDRNOTAVAIL':
      return `${error.address ?? where} is not an address of this machine`;
    case 'ENOENT':
    case 'EISDIR':
    case 'ENOTDIR':
      return `${error.path ?? where}: ${error.code === 'EISDIR' ? 'is a folder, not a file' : 'its folder does not exist'}`;
    case 'ENOTFOUND':
      return `${error.hostname ?? where} is no known host name`;
    default:
      return error.message;
  }
}
