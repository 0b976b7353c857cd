/** A whole sluice in this process for a test, with its logs captured and its books checked at the end. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { check, type ConfigInput, showProblems, type UpstreamInput } from '../../src/config/index.ts';
import type { Origin } from '../../src/core/origin.ts';
import { Sluice, type Surroundings } from '../../src/sluice.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { client, eventually, type Peer } from './scripted.ts';

/** A line of the access log. */
interface Logged {
  readonly time: string;
  readonly method?: string;
  readonly target?: string;
  readonly host?: string;
  readonly status?: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly id?: string;
  readonly upstream?: string;
  readonly origin?: string;
  readonly attempts: number;
  readonly reused?: boolean;
  readonly queue?: number;
  readonly connect?: number;
  readonly first?: number;
  readonly total: number;
  readonly error?: string;
  readonly detail?: string;
}

export interface Line {
  readonly sluice: Sluice;
  readonly port: number;
  /** What sluice said: `level code message`. */
  readonly said: string[];
  /** The upstream called `app`. */
  readonly app: Upstream;
  /** The first of its origins. */
  readonly first: Origin;
  connect(): Promise<Peer>;
  /** Waits for this many lines of the access log; more than that, ever, fail the test. */
  logged(count: number): Promise<Logged[]>;
  /** Nothing in flight and nobody waiting. */
  settled(): Promise<void>;
}

/**
 * @param origins of the upstream `app`, which gets every request
 * @param upstream its other options
 * @param top the config's other parts
 * @param others further upstreams
 */
export async function start(
  t: TestContext,
  origins: UpstreamInput['origins'],
  upstream: Omit<UpstreamInput, 'origins'> = {},
  top: Omit<ConfigInput, 'upstreams' | 'log'> = {},
  surroundings: Surroundings = {},
  others: ConfigInput['upstreams'] = {},
): Promise<Line> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-line-'));
  const access = join(folder, 'access.log');
  const checked = check({
    listen: '127.0.0.1:0',
    ...top,
    log: { access, format: 'json', error: 'off' },
    upstreams: { app: { balance: 'first', ...upstream, origins }, ...others },
  });
  if (checked.config === undefined) throw new Error(showProblems(checked.problems));
  const said: string[] = [];
  const messages = { say: (...words: string[]): void => void said.push(words.join(' ')) };
  const sluice = new Sluice(checked.config, { messages, ...surroundings });
  await sluice.open();
  const app = sluice.upstreams.get('app') as Upstream;
  const read = (): Logged[] =>
    readFileSync(access, 'latin1')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Logged)
      // A batch that is written while another is flushed may come behind it.
      .toSorted((a, b) => a.time.localeCompare(b.time));
  let expected: number | undefined;
  t.after(async () => {
    await sluice.close(0);
    for (const one of app.origins) {
      assert.equal(one.inFlight, 0, `${one.name} still counts requests in flight`);
      assert.equal(one.connections, 0, `${one.name} still counts connections`);
    }
    assert.equal(app.backlog.length, 0, 'requests still wait');
    assert.equal(app.gathered.held, 0, 'bodies are still held');
    assert.deepEqual(
      said.filter((line) => line.startsWith('error')),
      [],
    );
    const lines = read();
    rmSync(folder, { recursive: true, force: true });
    if (expected !== undefined) assert.equal(lines.length, expected, `lines of the log: ${JSON.stringify(lines)}`);
  });
  const port = Number(new URL(sluice.addresses[0]?.startsWith('http') ? sluice.addresses[0] : 'http://x:0').port);
  return {
    sluice,
    port,
    said,
    app,
    first: app.origins[0],
    connect: () => client(t, port),
    async logged(count) {
      expected = count;
      let lines: Logged[] = [];
      const enough = (): boolean => {
        sluice.reopenLogs();
        lines = read();
        return lines.length >= count;
      };
      await eventually(enough, () => `${count} lines of the log; there are ${lines.length}`);
      assert.equal(lines.length, count, JSON.stringify(lines));
      return lines;
    },
    settled: () =>
      eventually(
        () => app.backlog.length === 0 && app.origins.every((one) => one.inFlight === 0),
        () => `in flight ${app.origins.map((one) => one.inFlight).join(', ')}, waiting ${app.backlog.length}`,
      ),
  };
}
