import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Origin } from './origins/origin.ts';
import { envOf } from './subject-env.ts';
import type { Subject } from './subject.ts';

/**
 * What a subject does to every request, seen from the origin: a proxy that skips work is not faster. Found out by two
 * requests to the origin's `/echo` on one connection.
 */
export interface Fairness {
  readonly subject: string;
  readonly version: string;
  readonly about: string;
  readonly forwards: readonly string[];
  readonly keepsOrigin: boolean;
  readonly logLine: string;
}

const wanted = ['X-Forwarded-For', 'X-Forwarded-Proto', 'X-Forwarded-Host', 'X-Request-Id'];
const logDelay = 1_200;

export async function inspect(subject: Subject, origin: Origin, parentDir: string): Promise<Fairness | string> {
  const absent = subject.missing();
  if (absent !== undefined) return absent;
  const env = envOf(subject, origin, join(parentDir, 'fairness'));
  try {
    const running = await subject.start(env);
    try {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const first = await echo(running.port, agent);
      const second = await echo(running.port, agent);
      agent.destroy();
      await sleep(logDelay);
      return {
        subject: subject.name,
        version: subject.version(),
        about: subject.about,
        forwards: wanted.filter((name) => new RegExp(`^${name}: *\\S`, 'im').test(second)),
        keepsOrigin: serial(first) === serial(second),
        logLine: lastLine(env.accessLog),
      };
    } finally {
      await running.stop();
    }
  } catch (error) {
    return `did not start: ${String(error)}`;
  }
}

export function fairnessTable(found: readonly (readonly [Subject, Fairness | string])[]): string {
  const rows = found.map(([subject, one]) => {
    if (typeof one === 'string') return `| ${subject.name} | ${one} | | | | |`;
    const missing = wanted.filter((name) => !one.forwards.includes(name));
    const forwards = missing.length === 0 ? 'all four' : `without ${missing.join(', ')}`;
    const log = / "GET \/echo HTTP\/1\.1" 200 /.test(one.logLine) ? 'Combined' : one.logLine === '' ? 'none' : 'other';
    return `| ${one.subject} | ${one.version} | ${forwards} | ${one.keepsOrigin ? 'yes' : 'no'} | ${log} | ${one.about} |`;
  });
  return [
    '| | version | forwarded headers | keeps origin connections | access log | set up with |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function echo(port: number, agent: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, path: '/echo', agent, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('latin1').on('data', (text: string) => (body += text));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`answers ${response.statusCode}`));
      });
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 5 s')));
    request.on('error', reject);
  });
}

function serial(body: string): string | undefined {
  return /^Connection-Number: (\d+)/.exec(body)?.[1];
}

function lastLine(file: string): string {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) ?? '';
  } catch {
    return '';
  }
}
