/** A program of this repository as a process of its own: started, read, asked over HTTP, and ended with the test. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request, type IncomingHttpHeaders } from 'node:http';
import type { TestContext } from 'node:test';
import { root } from '../../scripts/tools.ts';

export interface Program {
  /** Everything it has written so far, stdout and stderr as they came. */
  output(): string;
  /** The match of `pattern` in its output, as soon as there is one. Rejects when it ends without. */
  until(pattern: RegExp): Promise<RegExpExecArray>;
  /** Sends a signal and waits for the end; the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
  signal(name: NodeJS.Signals): void;
  /** Its exit code, when it has ended by itself or by a signal. */
  readonly ended: Promise<number | null>;
}

export interface Place {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Node 22 warns that it strips types, in the midst of what a program prints. */
export const QUIET = '--disable-warning=ExperimentalWarning';

/** Runs `node args…`; the Node is the one that runs the test. */
export function startNode(t: TestContext, args: readonly string[], { cwd = root, env = {} }: Place = {}): Program {
  // Without NODE_TEST_CONTEXT: a test runner's child would answer in the runner's wire format.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const child = spawn(process.execPath, [QUIET, ...args], {
    cwd,
    env: { ...inherited, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const listeners = new Set<() => void>();
  const take = (chunk: Buffer): void => {
    output += chunk.toString();
    for (const listener of listeners) listener();
  };
  child.stdout.on('data', take);
  child.stderr.on('data', take);
  const ended = once(child, 'close').then(([code]) => {
    for (const listener of listeners) listener();
    return code as number | null;
  });
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    output: () => output,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => finish(null, 'took too long'), 60_000);
        const finish = (match: RegExpExecArray | null, why: string): void => {
          listeners.delete(look);
          clearTimeout(timer);
          if (match === null) reject(new Error(`${args.join(' ')} ${why} and never said ${pattern}:\n${output}`));
          else resolve(match);
        };
        const look = (): void => {
          const match = pattern.exec(output);
          if (match !== null) finish(match, '');
          else if (child.exitCode !== null || child.signalCode !== null) finish(null, 'ended');
        };
        listeners.add(look);
        look();
      }),
    end: (signal = 'SIGTERM') => {
      child.kill(signal);
      return ended;
    },
    signal: (name) => void child.kill(name),
    ended,
  };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ask at this unix socket instead of the URL's address. */
  readonly socketPath?: string;
}

/** One request on a connection of its own, with any Host. */
export function ask(url: string, { method = 'GET', headers = {}, body, socketPath }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const out = request(url, { method, headers, agent: false, ...(socketPath === undefined ? {} : { socketPath }) });
    out.on('error', reject);
    out.on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (text += chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
    });
    out.end(body);
  });
}
