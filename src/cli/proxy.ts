import { check, showProblems } from '../config/index.ts';
import { nearest } from '../config/nearest.ts';
import { die, EXIT_USAGE } from './exit.ts';
import { serve } from './serve.ts';

interface ProxyOptions {
  readonly from: string;
  readonly to: readonly string[];
  readonly balance: string;
  readonly threads: number | 'auto';
  readonly accessLog: string;
}

/** `sluice proxy --from ADDRESS --to URL…` */
export async function proxy(options: ProxyOptions): Promise<void> {
  const checked = check({
    listen: /^\d+$/.test(options.from) ? Number(options.from) : options.from,
    upstreams: { origins: { origins: options.to, balance: options.balance } },
    threads: options.threads,
    log: { access: options.accessLog },
  });
  if (checked.config === undefined) {
    // The places of a config mean nothing to who gave words; the messages do, with the words' names.
    const told = checked.problems.map(({ code, message, path }) => ({ code, path, message: inWords(message) }));
    return die(EXIT_USAGE, showProblems(told));
  }
  await serve(checked.config);
}

const WORDS: Readonly<Record<string, string>> = {
  listen: '--from',
  'upstreams.origins.origins': '--to',
  'upstreams.origins.balance': '--balance',
  threads: '--threads',
  'log.access': '--access-log',
};

function inWords(message: string): string {
  return message.replace(/^([\w.]+)(?:\[\d+\])?(?=: )/, (place, option: string) => WORDS[option] ?? place);
}

/** How many ports above 8080 are tried. */
const TRIES = 20;

/** `sluice 3000 3001`: listens on 8080, or the next free port. */
export async function shorthand(ports: readonly string[]): Promise<void> {
  for (const port of ports) {
    if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
      die(EXIT_USAGE, `${JSON.stringify(port)} is neither a command nor a port${meant(port)}`);
    }
  }
  // By name: servers under development often listen on one of ::1 and 127.0.0.1 only.
  const origins = ports.map((port) => `localhost:${port}`);
  for (let listen = 8080; ; listen++) {
    const checked = check({ listen, upstreams: { origins: { origins } } });
    if (checked.config === undefined) return die(EXIT_USAGE, showProblems(checked.problems));
    if (await serve(checked.config, { yields: listen < 8080 + TRIES })) {
      if (listen > 8080) process.stderr.write(`sluice: 8080 is taken, so it is ${listen}\n`);
      return;
    }
  }
}

/** As in cli.ts and operator-commands.ts, whose file this one must not need. */
const COMMANDS = [
  'run',
  'check',
  'proxy',
  'schema',
  'status',
  'origins',
  'queue',
  'requests',
  'reload',
  'restart',
  'top',
  'plan',
  'explain',
];

/** Words of `sluice origins`. */
const CHANGES: readonly string[] = ['list', 'add', 'remove', 'drain', 'enable', 'weigh'];

/** What to do with a word that is neither a command nor a port. */
function meant(word: string): string {
  if (CHANGES.includes(word)) return `; did you mean sluice origins ${word}?`;
  if (/\.(?:[cm]?[jt]s|ya?ml|json)$/.test(word)) return `; a config is run by: sluice run ${word}`;
  if (/[:/]/.test(word)) return `; servers elsewhere are given by: sluice proxy --to ${word}`;
  const command = nearest(word, COMMANDS);
  return command === undefined ? ' (sluice --help shows all commands)' : `; did you mean sluice ${command}?`;
}
