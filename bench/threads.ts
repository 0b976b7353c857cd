/**
 * `node bench/threads.ts`: what more threads cost and how evenly they share the work. All of sluice's threads are on one core,
 * so that the CPU time per request can be compared; on a machine with cores to spare `--spread` leaves them to the system,
 * and requests per second tell what more threads bring.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, serve } from './child.ts';
import { runWrk, wrkMissing } from './load/wrk.ts';
import { describeMachine, pinSelf, proxyCpu } from './machine.ts';
import { Origins } from './origins/index.ts';
import { nodeProgram, rootDir } from './programs.ts';
import { cpuTime, cpuUsed } from './usage.ts';

const SECONDS = 5;
const ROUNDS = 3;
const COUNTS = [1, 2, 4];
const spread = process.argv.includes('--spread');

interface Status {
  readonly threads: readonly { readonly requests: number }[];
}

if (wrkMissing !== undefined) throw new Error(wrkMissing);
const cores = availableParallelism();
if (!spread) pinSelf();
const dir = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const origins = new Origins(dir);
const origin = await origins.get('fast');
console.log(
  `${describeMachine()}; sluice ${spread ? `spread over ${cores} cores` : 'on one core'}; medians of ${ROUNDS} rounds of ${SECONDS} s\n`,
);
console.log(
  '| case | threads | CPU µs/req | requests/s | busiest thread % | idlest thread % |\n|---|---|---|---|---|---|',
);
for (const close of [false, true]) {
  for (const threads of COUNTS) {
    const rows: number[][] = [];
    for (let round = 0; round < ROUNDS; round++) rows.push(await measure(threads, close));
    const middle = [0, 1, 2, 3].map((column) => rows.map((row) => row[column]).toSorted((a, b) => a - b)[ROUNDS >> 1]);
    const cells = [middle[0].toFixed(1), middle[1].toFixed(0), middle[2].toFixed(0), middle[3].toFixed(0)];
    console.log(`| ${close ? 'connection per request' : '64 kept connections'} | ${threads} | ${cells.join(' | ')} |`);
  }
}
await origins.stop();

/** CPU per request, requests per second, and the shares of the busiest and the idlest thread. */
async function measure(threads: number, close: boolean): Promise<number[]> {
  const port = await freePort();
  const socket = join(dir, `admin-${port}`);
  const file = join(dir, 'sluice.json');
  const upstreams = { app: { origins: [`http://127.0.0.1:${origin.port}`] } };
  writeFileSync(
    file,
    JSON.stringify({
      listen: `127.0.0.1:${port}`,
      threads,
      admin: `unix:${socket}`,
      upstreams,
      log: { access: join(dir, 'log') },
    }),
  );
  const child = await serve(spread ? -1 : proxyCpu, port, [nodeProgram(), join(rootDir, 'src/cli.ts'), 'run', file]);
  try {
    const job = { port, path: '/small', connections: 64, close };
    await runWrk({ ...job, seconds: 2 });
    const [before, begun] = [await counts(socket), cpuTime(child.pid)];
    const { requests, microseconds } = await runWrk({ ...job, seconds: SECONDS });
    const used = cpuUsed(begun, cpuTime(child.pid));
    const shares = (await counts(socket)).map((count, thread) => ((count - before[thread]) * 100) / requests);
    return [used.total / requests, (requests * 1e6) / microseconds, Math.max(...shares), Math.min(...shares)];
  } finally {
    await child.stop();
  }
}

/** Requests of each thread so far, as the admin interface has them. */
function counts(socketPath: string): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path: '/v1/status', headers: { host: 'localhost' } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve((JSON.parse(text) as Status).threads.map(({ requests }) => requests)));
    });
    asked.on('error', reject).end();
  });
}
