/**
 * `npm run check:package`: builds and packs sluice as it would be published, and looks at the result the way a user's tools do:
 * publint (is package.json right about the files?), attw (do the types resolve?), and a list of what is inside.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, type Ran } from './tools.ts';

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** More than this means that something got in that is no part of a proxy: a Node binary, say. */
const MAX_UNPACKED = 5_000_000;
const EXPECTED =
  /^(?:dist\/.+\.(?:js|d\.ts|js\.map|json|html|css|svg)|bin\/sluice\.js|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;

const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
try {
  // npm runs prepack, and so the build, by itself.
  const pack = await run('npm', ['pack', '--json', '--silent', '--pack-destination', folder]);
  stopOn('npm pack', pack);
  const packed = readPacked(pack.output);
  console.log(
    `${packed.filename}: ${packed.files.length} files, ${packed.unpackedSize} bytes unpacked, ${packed.size} packed`,
  );

  const strangers = packed.files
    .map(({ path }) => path)
    .filter((path) => !EXPECTED.test(path) || /\.test\./.test(path));
  if (strangers.length > 0) fail(`does not belong into the package: ${strangers.join(', ')}`);
  if (packed.unpackedSize > MAX_UNPACKED) fail(`the package holds more than ${MAX_UNPACKED} bytes`);

  const tarball = join(folder, packed.filename);
  stopOn('publint', await run('publint', ['run', tarball, '--strict']));
  stopOn('attw', await run('attw', [tarball, '--profile', 'esm-only', '--no-emoji']));
  console.log('publint and attw have nothing to say');
} finally {
  rmSync(folder, { recursive: true });
}

/** npm answers an array, from npm 12 on an object by package name; a build's own output may stand before it. */
function readPacked(output: string): Packed {
  const from = output.search(/^[[{]$/m);
  const answer = JSON.parse(output.slice(Math.max(from, 0))) as readonly Packed[] | Record<string, Packed>;
  const [first] = Object.values(answer);
  if (first === undefined) throw new Error(`npm pack answered ${output}`);
  return first;
}

function stopOn(name: string, { code, output }: Ran): void {
  if (code !== 0) throw new Error(`${name} failed\n${output}`);
}

function fail(why: string): void {
  console.error(why);
  process.exitCode = 1;
}
