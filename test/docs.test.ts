/**
 * What README.md and docs/ say is so: configs are checked, programs compiled and run, commands typed, tables held against the
 * code. SLUICE_WRITE_DOCS=1 writes what commands print into the documents; read it before committing.
 */
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root, run } from '../scripts/tools.ts';
import { balancers } from '../src/balance/index.ts';
import { checks } from '../src/check/index.ts';
import { load, showProblems } from '../src/config/index.ts';
import { createSluice } from '../src/index.ts';
import { ROOMS } from './support/architecture.ts';
import { blocks, steps, type Block } from './support/markdown.ts';
import { ask, QUIET, startNode } from './support/program.ts';
import { eventually } from './support/scripted.ts';

const WRITE = process.env['SLUICE_WRITE_DOCS'] === '1';
const GENERATED = ['docs/errors.md', 'docs/options.md'];
/** Written by `npm run bench`, so not always there. */
const MEASURED = ['bench/RESULTS.md'];

const pages = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
  (page) => page.endsWith('.md') && !GENERATED.includes(page),
);

function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

function all(language: string): { readonly page: string; readonly block: Block }[] {
  return pages.flatMap((page) =>
    blocks(read(page))
      .filter((block) => block.language === language)
      .map((block) => ({ page, block })),
  );
}

/** A folder in which `import … from 'sluice'` is this checkout. */
function stage(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const door = join(folder, 'node_modules', 'sluice');
  mkdirSync(door, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(door, 'package.json'), '{ "name": "sluice", "type": "module", "exports": "./index.js" }');
  writeFileSync(
    join(door, 'index.js'),
    `export * from ${JSON.stringify(pathToFileURL(join(root, 'src/index.ts')).href)};\n`,
  );
  // What readers bring along themselves.
  symlinkSync(join(root, 'node_modules', '@opentelemetry'), join(folder, 'node_modules', '@opentelemetry'));
  return folder;
}

async function origin(t: TestContext, name: string): Promise<{ server: Server; port: number }> {
  const server = createServer((_request, response) => response.end(`${name}\n`));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { server, port: (server.address() as AddressInfo).port };
}

describe('blocks', { concurrency: 3 }, () => {
  for (const { page, block } of all('yaml')) {
    test(`${page}:${block.line} is a good config`, async (t) => {
      const file = join(stage(t), 'sluice.config.yaml');
      writeFileSync(file, block.text);
      const { problems } = await load(file);
      assert.ok(problems === undefined, problems && showProblems(problems));
    });
  }

  for (const { page, block } of all('ts')) {
    const config = block.text.includes('export default');
    test(`${page}:${block.line} ${config ? 'is a good config' : 'runs and prints what it says'}`, async (t) => {
      const folder = stage(t);
      const file = join(folder, config ? 'sluice.config.ts' : 'program.ts');
      writeFileSync(file, block.text.replaceAll('/tmp/', `${folder}/`));
      if (config) {
        const { problems } = await load(file);
        return assert.ok(problems === undefined, problems && showProblems(problems));
      }
      const { code, output } = await run('node', [QUIET, file]);
      assert.equal(code, 0, output);
      assert.equal(block.next?.language, 'text', 'below a program stands what it prints');
      assert.equal(output, block.next?.text);
    });
  }

  test('every program and config in TypeScript compiles', async (t) => {
    const folder = stage(t);
    for (const [i, { block }] of all('ts').entries()) writeFileSync(join(folder, `block${i}.ts`), block.text);
    const compilerOptions = {
      paths: { sluice: [join(root, 'src/index.ts')] },
      typeRoots: [join(root, 'node_modules/@types')],
    };
    const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'], exclude: [] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    const { output } = await run('tsc', ['--noEmit', '-p', folder]);
    const own = output.split('\n').filter((line) => /\bblock\d+\.ts/.test(line));
    assert.deepEqual(own, []);
  });

  for (const page of pages) {
    test(`commands of ${page} print what it says`, async () => {
      let text = read(page);
      for (const { block } of all('console').filter((one) => one.page === page)) {
        for (const { command, printed, expected } of steps(block.text)) {
          const words = /^npm run --silent sluice -- (.*)$/.exec(command)?.[1]?.split(' ');
          assert.ok(words !== undefined, `only calls of sluice are tried here, and this is none: ${command}`);
          const { output } = await run('node', [QUIET, 'src/cli.ts', ...words]);
          if (WRITE) text = text.replace(`$ ${command}\n${printed}\`\`\``, () => `$ ${command}\n${output}\`\`\``);
          else assert.match(output, expected);
        }
      }
      if (WRITE) writeFileSync(join(root, page), text);
    });
  }

  test('every other command is one that a test runs', () => {
    const known = ['npm run sluice -- 3000 3001'];
    for (const { page, block } of all('sh')) {
      for (const line of block.text.trim().split('\n'))
        assert.ok(known.includes(line), `${page}:${block.line}: ${line}`);
    }
    assert.match(read('README.md'), /^ {4}npm ci && npm start$/m);
    assert.match(read('README.md'), /^ {4}npm ci && npm test$/m);
  });

  test('links lead somewhere', () => {
    for (const page of [
      ...pages,
      ...GENERATED,
      'CONTRIBUTING.md',
      'SECURITY.md',
      'CHANGELOG.md',
      'examples/README.md',
    ]) {
      for (const [, link = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link)) continue;
        const [path = '', anchor] = link.split('#');
        const target = path === '' ? page : join(dirname(page), path);
        if (MEASURED.includes(target)) continue;
        assert.ok(existsSync(join(root, target)), `${page}: ${link}`);
        if (anchor === undefined) continue;
        const anchors = [...read(target).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
          title
            .toLowerCase()
            .replaceAll(/[^\w\- ]/g, '')
            .replaceAll(' ', '-'),
        );
        assert.ok(anchors.includes(anchor), `${page}: ${link}`);
      }
    }
  });
});

describe('the command', () => {
  test('npm run sluice -- 3000 3001 balances two servers and says where', async (t) => {
    const [red, blue] = [await origin(t, 'red'), await origin(t, 'blue')];
    const sluice = startNode(t, ['src/cli.ts', String(red.port), String(blue.port)]);
    const [, url = ''] = await sluice.until(/listening on (http:\/\/localhost:\d+)/);
    const seen = new Set<string>();
    for (let i = 0; i < 100 && seen.size < 2; i++) seen.add((await ask(url)).body);
    assert.deepEqual([...seen].toSorted(), ['blue\n', 'red\n']);
    assert.equal(await sluice.end('SIGTERM'), 0);
  });

  test('signals, exit codes and log rotation are as docs/operations.md says', async (t) => {
    const folder = stage(t);
    const slow = createServer((request, response) => {
      if (request.url === '/') response.end('quick\n');
      else response.write('begun\n');
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    t.after(() => {
      slow.close();
      slow.closeAllConnections();
    });
    const config = join(folder, 'sluice.config.json');
    const log = join(folder, 'access.log');
    const { port } = slow.address() as AddressInfo;
    writeFileSync(
      config,
      JSON.stringify({ listen: '127.0.0.1:0', upstreams: { a: { origins: [port] } }, log: { access: log } }),
    );

    const sluice = startNode(t, ['src/cli.ts', 'run', config]);
    const [, url = ''] = await sluice.until(/^sluice: listening on (\S+), passing to a \(/m);
    await ask(url);
    renameSync(log, `${log}.1`);
    sluice.signal('SIGUSR1');
    await eventually(() => existsSync(log), 'the new log file');
    await ask(url);

    const taken = await run('node', [QUIET, 'src/cli.ts', 'proxy', '--from', new URL(url).host, '--to', String(port)]);
    assert.equal(taken.code, 1);
    assert.match(taken.output, /^sluice: port \d+ is taken[^\n]*\n$/);

    const open = connect(Number(new URL(url).port), '127.0.0.1');
    t.after(() => open.destroy());
    open.on('error', () => {});
    open.write('GET /endless HTTP/1.1\r\nHost: x\r\n\r\n');
    await new Promise((resolve) => open.once('data', resolve));
    sluice.signal('SIGTERM');
    await sluice.until(/SIGTERM, finishing what is in hand/);
    // Who has connected already is still taken in for a moment.
    let refused = false;
    await eventually(() => {
      void ask(url).catch(() => (refused = true));
      return refused;
    }, 'a draining sluice takes no connections');
    assert.equal(await sluice.end('SIGTERM'), 1);
    assert.match(readFileSync(`${log}.1`, 'utf8'), /"GET \/ HTTP\/1\.1" 200 6 /);

    assert.equal((await run('node', [QUIET, 'src/cli.ts', 'check', config])).code, 0);
    assert.equal((await run('node', [QUIET, 'src/cli.ts', 'check', 'examples/broken.yaml'])).code, 2);
    assert.equal((await run('node', [QUIET, 'src/cli.ts', '--nosuch'])).code, 2);
  });
});

describe('docs/operations.md', () => {
  const page = read('docs/operations.md');

  /** What sluice writes about a request that goes well and one for which there is no origin. */
  async function written(t: TestContext, format: 'text' | 'json'): Promise<string[]> {
    const log = join(stage(t), 'access.log');
    const { port } = await origin(t, 'red');
    const gone = await origin(t, 'gone');
    await new Promise((resolve) => gone.server.close(resolve));
    const upstreams = { app: { origins: [port] }, gone: { origins: [gone.port], queue: { timeout: '100ms' } } };
    const routes = [{ match: { path: '/gone' }, to: 'gone' as const }, { to: 'app' as const }];
    const proxy = await createSluice({
      listen: '127.0.0.1:0',
      upstreams,
      routes,
      log: { access: log, format, error: 'off' },
    });
    const headers = { Referer: 'https://example.com/', 'User-Agent': 'test' };
    await ask(`${proxy.addresses[0]}/a?b=1`, { headers });
    await ask(`${proxy.addresses[0]}/gone`, { headers });
    await proxy.close();
    return readFileSync(log, 'utf8').trimEnd().split('\n');
  }

  test('the text line has the fields of the table', async (t) => {
    const example =
      blocks(page)
        .find(({ language }) => language === 'text access')
        ?.text.trimEnd() ?? '';
    const line =
      /^\S+ - - \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d \+0000\] "[^"]*" (?:\d{3}|-) \d+ "[^"]*" "[^"]*" \S+ \S+ \S+ \d+ (?:(?:\d+\.\d{3}|-) ){3}\d+\.\d{3} (?:-|[a-z-]+(?: "[^"]*")?)$/;
    assert.match(example, line);
    const [good = '', bad = ''] = await written(t, 'text');
    assert.match(good, line);
    assert.match(
      good,
      /"GET \/a\?b=1 HTTP\/1\.1" 200 4 "https:\/\/example\.com\/" "test" \S+ app 127\.0\.0\.1:\d+ 1 .* -$/,
    );
    assert.match(bad, line);
    assert.match(bad, / 504 .* backlog-timeout "connect-refused ECONNREFUSED"$/);
    const cells = [...page.matchAll(/^\| \w+ \| `([^`]+)` \|/gm)].map(([, cell = '']) => cell);
    assert.equal(cells.filter((cell) => example.includes(cell)).length, cells.length, cells.join(' '));
  });

  test('the JSON line has the facts that sluice writes', async (t) => {
    const example = blocks(page).find(({ language }) => language === 'json access')?.text ?? '';
    const keys = new Set([...Object.keys(JSON.parse(example) as object), 'error', 'detail']);
    const lines = (await written(t, 'json')).map((line) => JSON.parse(line) as object);
    for (const line of lines)
      for (const key of Object.keys(line)) assert.ok(keys.has(key), `${key} is not in the example`);
    const seen = new Set(lines.flatMap((line) => Object.keys(line)));
    seen.add('reused');
    assert.deepEqual(
      [...keys].filter((key) => !seen.has(key)),
      [],
    );
  });

  test('the defaults of limits are those of docs/options.md', () => {
    const defaults = new Map<string, string>();
    let section = '';
    for (const line of read('docs/options.md').split('\n')) {
      section = /^## `?([^`]*)`?$/.exec(line)?.[1] ?? section;
      const [, name = '', value = ''] = /^\| `(\w+)` \| [^|]* \| `?([^`|]*?)`? \|/.exec(line) ?? [];
      if (name !== '') defaults.set(`${section}.${name}`, value);
    }
    const table = page.slice(page.indexOf('## Limits'), page.indexOf('No timeout is a total'));
    let rows = 0;
    for (const [, name = '', shown = ''] of table.matchAll(/^\| `([\w.]+)`[^|]*\| (\d+(?: (?:KiB|s|h)\b)?|off)/gm)) {
      const values = [name, `upstreams.NAME.${name}`].map((path) => defaults.get(path));
      assert.ok(values.includes(shown.replace(' ', '')), `${name}: ${shown} is not ${values.join(' or ')}`);
      rows++;
    }
    assert.ok(rows >= 18, `${rows} rows`);
  });
});

describe('tables', () => {
  test('docs/balancing.md has every policy, in the words of its record', () => {
    const page = read('docs/balancing.md');
    const rows = new Map(
      [...page.matchAll(/^\| `([\w-]+)` \| ([^|]+) \|/gm)].map(([, name = '', picks = '']) => [name, picks]),
    );
    for (const kind of balancers) {
      assert.ok(kind.about.startsWith(rows.get(kind.name) ?? 'nothing'), `${kind.name}: ${kind.about}`);
    }
    assert.equal(rows.size, balancers.length);
  });

  test('docs/health.md has every kind of check, in the words of its record', () => {
    const rows = [...read('docs/health.md').matchAll(/^\| `([\w-]+)` \| ([^|]+) \|/gm)];
    assert.deepEqual(
      rows.map(([, name]) => name),
      checks.map(({ name }) => name),
    );
    for (const [i, { about }] of checks.entries()) assert.ok(about.startsWith(rows[i]?.[2] ?? 'nothing'), about);
  });

  test('docs/architecture.md has every room', () => {
    const named = [...read('docs/architecture.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name);
    const rooms = Object.keys(ROOMS).filter((name) => existsSync(join(root, 'src', name)));
    assert.deepEqual(named.toSorted(), rooms.toSorted());
  });
});
