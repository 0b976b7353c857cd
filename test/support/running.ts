/** A whole sluice in this process, with as many threads as wanted, and origins that answer with their name. */
import { once } from 'node:events';
import { Agent, createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { check, type ConfigInput, showProblems } from '../../src/config/index.ts';
import type { Config } from '../../src/config/config.ts';
import type { Control } from '../../src/control/control.ts';
import { type Standing, Sluice } from '../../src/sluice.ts';
import { PATIENCE } from './scripted.ts';

export interface Running {
  readonly sluice: Sluice;
  readonly control: Control;
  /** What sluice said: `level code message`. */
  readonly said: string[];
  readonly base: string;
}

export async function running(t: TestContext, input: ConfigInput, standing: Standing = {}): Promise<Running> {
  const said: string[] = [];
  const messages = { say: (...words: string[]) => void said.push(words.join(' ')) };
  const sluice = new Sluice(checked(input), { messages }, standing);
  await sluice.open();
  t.after(() => sluice.close(0));
  return { sluice, control: sluice.operator, said, base: sluice.addresses[0] ?? '' };
}

export function checked(input: ConfigInput): Config {
  const { config, problems } = check({ ...input, log: { access: 'off', ...input.log } });
  if (config === undefined) throw new Error(showProblems(problems));
  return config;
}

/** A config as operators send it. */
export function textOf(input: ConfigInput): string {
  return JSON.stringify({ ...input, log: { access: 'off', ...input.log } });
}

export interface NamedOrigin {
  readonly name: string;
  readonly url: string;
  /** `127.0.0.1:PORT` */
  readonly address: string;
  readonly server: Server;
  /** Targets in the order they came. */
  readonly seen: string[];
  /** Open connections. */
  connections(): Promise<number>;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers with its name, or as `answer` says. */
export async function namedOrigin(t: TestContext, name: string, answer?: Answer): Promise<NamedOrigin> {
  const seen: string[] = [];
  const server = createServer((incoming, response) => {
    seen.push(incoming.url ?? '');
    if (answer === undefined) response.end(name);
    else answer(incoming, response);
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) =>
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
  return { name, url: `http://${address}`, address, server, seen, connections };
}

export interface Got {
  /** The status, or the error's code when there was no whole answer. */
  readonly status: number | string;
  readonly body: string;
  readonly id: string;
}

/** One request. Each has a connection of its own unless there is an agent, so that the system spreads them over threads. */
export function fetchOnce(url: string, agent?: Agent, headers: Record<string, string> = {}): Promise<Got> {
  const own = agent ?? new Agent();
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void => resolve({ status: error.code ?? 'error', body: '', id: '' });
    const asked = request(url, { agent: own, headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (part: string) => (body += part));
      answer.on('error', failed);
      answer.on('end', () =>
        resolve({
          status: answer.complete ? (answer.statusCode ?? 0) : 'cut',
          body,
          id: String(answer.headers['x-request-id'] ?? ''),
        }),
      );
    });
    asked.on('error', failed);
    asked.end();
  });
}

/** The bodies of this many requests one after the other, as a set. */
export async function whoAnswers(base: string, times = 12): Promise<string[]> {
  const bodies = new Set<string>();
  for (let i = 0; i < times; i++) {
    const { status, body } = await fetchOnce(`${base}/`);
    bodies.add(status === 200 ? body : String(status));
  }
  return [...bodies].toSorted();
}

/** Waits until this holds, where looking takes time. */
export async function until(holds: () => Promise<boolean>, what: string | (() => string)): Promise<void> {
  const stop = Date.now() + PATIENCE;
  while (!(await holds())) {
    if (Date.now() > stop) throw new Error(`${typeof what === 'string' ? what : what()}: did not come about`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
