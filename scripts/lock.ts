/**
 * `npm run lock`: completes package-lock.json after an `npm install`; `-- --check` only says what is missing.
 *
 * Tools that are native programs come as one optional package per platform. A registry that lacks some of those makes
 * `npm install` leave them out of the lock file without a word, and then `npm ci` refuses the lock file everywhere. So they
 * are written in here: name, exact version and platform are all that npm needs to pass over them, or to fetch them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './tools.ts';

interface Entry {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const path = join(root, 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, Entry> };
const added: string[] = [];

for (const [owner, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] !== undefined || lock.packages[`${owner}/${key}`] !== undefined) continue;
    lock.packages[key] = placeholder(name, version, entry);
    added.push(`${name}@${version}`);
  }
}

if (added.length === 0) {
  console.log('package-lock.json names every optional package');
} else if (process.argv.includes('--check')) {
  console.log(`package-lock.json lacks ${added.join(', ')}: run \`npm run lock\` and commit it`);
  process.exitCode = 1;
} else {
  const sorted = Object.entries(lock.packages).toSorted(([a], [b]) => a.localeCompare(b, 'en'));
  lock.packages = Object.fromEntries(sorted);
  writeFileSync(path, `${JSON.stringify(lock, undefined, 2)}\n`);
  console.log(`added ${added.length} to package-lock.json: ${added.join(', ')}`);
}

/** The entry npm would have written, as far as the name tells: `@oxlint/binding-linux-x64-musl` is for x64 Linux with musl. */
function placeholder(name: string, version: string, owner: Entry): object {
  const platform =
    /[/-](?<os>android|darwin|freebsd|linux|openharmony|win32)-(?<cpu>arm64|arm|ia32|ppc64|riscv64|s390x|x64)(?:-(?<abi>\w+))?$/.exec(
      name,
    )?.groups;
  if (platform === undefined || !/^\d+\.\d+\.\d+$/.test(version)) {
    throw new Error(
      `${name}@${version}: cannot tell its platform or exact version; add it to package-lock.json by hand`,
    );
  }
  const abi = platform['abi'] ?? '';
  const libc =
    platform['os'] !== 'linux'
      ? undefined
      : abi.startsWith('musl')
        ? 'musl'
        : abi.startsWith('gnu')
          ? 'glibc'
          : undefined;
  return {
    version,
    cpu: [platform['cpu']],
    ...(owner.dev === true && { dev: true }),
    ...(libc !== undefined && { libc: [libc] }),
    license: owner.license,
    optional: true,
    os: [platform['os']],
  };
}
