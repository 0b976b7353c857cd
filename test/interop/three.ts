/** One sluice before three origins of three kinds, told apart by Host; what most tests here begin with. */
import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { skipUnless } from '../support/peer.ts';
import { nginxOrigin, nodeOrigin, pythonOrigin, type OriginProcess } from './origins.ts';
import { folder, run, startSluice, type Ran, type SluiceProcess } from './stage.ts';

export type Kind = 'nginx' | 'node' | 'python';

export interface Three {
  readonly sluice: SluiceProcess;
  readonly origins: Readonly<Record<Kind, OriginProcess>>;
  /** A folder that all origins serve, with `mebi.bin` of one MiB and `gzip.txt` in it. */
  readonly files: string;
  readonly mebi: Buffer;
  readonly text: string;
  /** Runs curl for a path of one of the origins. */
  curl(kind: Kind, path: string, ...args: string[]): Promise<Ran>;
}

/** `undefined` when a program is missing and the test therefore skipped. */
export async function three(t: TestContext): Promise<Three | undefined> {
  const nginx = skipUnless(t, 'nginx');
  const python = skipUnless(t, 'python3');
  const curl = skipUnless(t, 'curl');
  if (nginx === undefined || python === undefined || curl === undefined) return undefined;
  const files = folder(t);
  const mebi = randomFillSync(Buffer.alloc(1_048_576));
  const text = 'It is a truth universally acknowledged. '.repeat(500);
  writeFileSync(join(files, 'mebi.bin'), mebi);
  writeFileSync(join(files, 'gzip.txt'), text);
  const [one, two, three_] = await Promise.all([
    nginxOrigin(t, nginx, files),
    nodeOrigin(t, files),
    pythonOrigin(t, python, files),
  ]);
  const origins = { nginx: one, node: two, python: three_ };
  const kinds = Object.keys(origins) as Kind[];
  const sluice = await startSluice(t, {
    upstreams: Object.fromEntries(
      kinds.map((kind) => [kind, { origins: origins[kind].url, queue: { timeout: '3s' } }]),
    ),
    routes: kinds.map((kind) => ({ match: { host: `${kind}.test` }, to: kind })),
  });
  return {
    sluice,
    origins,
    files,
    mebi,
    text,
    curl: (kind, path, ...args) =>
      run(t, curl, ['-sS', '--max-time', '30', '-H', `Host: ${kind}.test`, ...args, sluice.url + path]),
  };
}
