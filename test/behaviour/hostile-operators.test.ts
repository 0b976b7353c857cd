/**
 * Operators who get everything wrong, at a proxy under traffic: whatever they send or put into the file, nothing changes, they
 * are told why, and no request fails.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test, { describe, type TestContext } from 'node:test';
import { load } from '../../src/config/index.ts';
import { ControlError } from '../../src/control/control.ts';
import { folderOf, TOKEN } from '../support/admin.ts';
import { peer } from '../support/peer.ts';
import { json, message, ONE, ORIGINS, Raw, ROWS, type Row } from '../support/hostile-requests.ts';
import {
  fetchOnce,
  namedOrigin,
  type NamedOrigin,
  running,
  type Running,
  textOf,
  whoAnswers,
} from '../support/running.ts';

const listen = '127.0.0.1:0';

interface Besieged extends Running {
  readonly origins: readonly NamedOrigin[];
  readonly admin: { readonly port: number };
  /** The config's text, and the file that has it. */
  readonly text: string;
  readonly file: string;
  /** Asserts that everything is as at the start, and that no request has failed so far. */
  unchanged(): Promise<void>;
}

/** A proxy with an admin interface and requests that never cease. */
async function besieged(t: TestContext, threads: number): Promise<Besieged> {
  const origins = [await namedOrigin(t, 'red'), await namedOrigin(t, 'blue')];
  const config = {
    listen,
    threads,
    admin: { address: '127.0.0.1:0', token: TOKEN },
    upstreams: { app: { origins: origins.map(({ url }) => url), balance: 'round-robin' as const } },
    routes: [{ match: { path: '/fixed' }, respond: { status: 204 } }, { to: 'app' as const }],
  };
  const text = textOf(config);
  const file = join(folderOf(t), 'sluice.config.json');
  writeFileSync(file, text);
  const there = await running(t, config, { source: { file, read: () => load(file) } });
  const [, port = ''] = /admin listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(there.said.join('\n')) ?? [];
  const outcomes = new Map<number | string, number>();
  let stop = false;
  const traffic = Promise.all(
    Array.from({ length: 2 }, async () => {
      while (!stop) {
        const { status } = await fetchOnce(`${there.base}/`);
        outcomes.set(status, (outcomes.get(status) ?? 0) + 1);
        // Not in step with whoever else asks: of two that take turns each would always get the same origin.
        await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 6));
      }
    }),
  );
  t.after(async () => {
    stop = true;
    await traffic;
  });
  const views = async (): Promise<unknown> =>
    (await there.control.upstreams()).map(({ name, origins: all }) => [
      name,
      all.map((one) => [one.name, one.state, one.weight, one.override]),
    ]);
  const [before, origin] = [await there.control.config(), await views()];
  return {
    ...there,
    origins,
    text,
    file,
    admin: { port: Number(port) },
    async unchanged() {
      assert.deepEqual(await there.control.config(), before);
      assert.deepEqual(await views(), origin);
      assert.deepEqual(await whoAnswers(there.base, 24), ['blue', 'red']);
      assert.equal((await fetchOnce(`${there.base}/fixed`)).status, 204);
      assert.deepEqual([...outcomes.keys()], [200], 'no request has failed');
      assert.deepEqual(
        there.said.filter((line) => /^\S+ (?:audit|internal) /.test(line)),
        [],
      );
    },
  };
}

/** What only a real `Control` can refuse. */
function more(there: Besieged, taken: number): Row[] {
  const { address } = there.origins[0];
  const given = JSON.parse(there.text) as Record<string, unknown>;
  const changed = (some: object): string => JSON.stringify({ ...given, ...some });
  const reload = (body: string): Buffer =>
    message('POST /v1/reload', { lines: 'Content-Type: application/json\r\n', body });
  const yaml = (body: string): Buffer =>
    message('POST /v1/reload', { lines: 'Content-Type: application/yaml\r\n', body });
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x,x]',
    ...'bcdefghi'.split('').map((one, i) => `${one}: &${one} [${Array(10).fill(`*${'abcdefgh'[i]}`).join(',')}]`),
  ].join('\n');
  return [
    [
      'an origin that is there',
      json(`POST ${ORIGINS}`, JSON.stringify({ url: `http://${address}` })),
      409,
      'conflict',
      /already/,
    ],
    ['a name', json(`POST ${ORIGINS}`, '{"url": "http://example.org"}'), 422, 'invalid', /is a name/],
    ['another scheme', json(`POST ${ORIGINS}`, '{"url": "gopher://127.0.0.1"}'), 422, 'invalid', /^url: /],
    ['a path', json(`POST ${ORIGINS}`, '{"url": "http://127.0.0.1/x"}'), 422, 'invalid', /^url: /],
    ['port 0', json(`POST ${ORIGINS}`, '{"url": "127.0.0.1:0"}'), 422, 'invalid', /^url: /],
    [
      'an unknown upstream to add to',
      json('POST /v1/upstreams/ap/origins', '{"url": "127.0.0.1:1"}'),
      404,
      'not-found',
      /there are: app/,
    ],
    ['an unknown origin to drain', json(`PATCH ${ONE}`, '{"state": "draining"}'), 404, 'not-found', /it has: 127/],
    ['an unknown origin to remove', message(`DELETE ${ONE}`), 404, 'not-found', /it has: 127/],
    ['no config', reload('{'), 422, 'invalid', /nothing was changed/],
    ['a list for a config', reload('[]'), 422, 'invalid'],
    ['a config of nothing', yaml('# nothing\n'), 422, 'invalid'],
    ['a route to nowhere', reload(changed({ routes: [{ to: 'ap' }] })), 422, 'invalid'],
    [
      'a regular expression that is none',
      reload(changed({ routes: [{ match: { path: '~(' }, to: 'app' }] })),
      422,
      'invalid',
    ],
    ['a laugh', yaml(bomb), 422, 'invalid'],
    ['another number of threads', reload(changed({ threads: 5 })), 409, 'conflict', /restart sluice/],
    [
      'a port that is taken',
      reload(changed({ listen: [listen, `127.0.0.1:${taken}`] })),
      409,
      'conflict',
      /nothing was changed: .*EADDRINUSE/,
    ],
    [
      'a port of admin that is taken',
      reload(changed({ admin: { address: `127.0.0.1:${taken}`, token: TOKEN } })),
      409,
      'conflict',
      /EADDRINUSE/,
    ],
    [
      'a token file that is not there',
      reload(changed({ admin: { address: '127.0.0.1:0', tokenFile: '/nosuch/token' } })),
      409,
      'conflict',
      /no such file/,
    ],
    ['an admin for everybody', reload(changed({ admin: { address: '0.0.0.0:0', token: TOKEN } })), 422, 'invalid'],
    [
      'a log that cannot be opened',
      reload(changed({ log: { access: '/nosuch/access.log' } })),
      409,
      'conflict',
      /nosuch/,
    ],
  ];
}

for (const threads of [1, 2]) {
  describe(`with ${threads} thread${threads === 1 ? '' : 's'}`, () => {
    test('every wrong request is told why, and nothing comes of it', { timeout: 120_000 }, async (t) => {
      const there = await besieged(t, threads);
      const blocker = createServer().listen(0, '127.0.0.1');
      await once(blocker, 'listening');
      t.after(() => blocker.close());
      const rows = [...ROWS, ...more(there, (blocker.address() as AddressInfo).port)];
      assert.ok(rows.length >= 40);
      // Guesses of the token wait longer and longer, so many begin at once; but not more than the interface takes.
      for (let from = 0; from < rows.length; from += 40) {
        await Promise.all(
          rows.slice(from, from + 40).map(async ([what, bytes, status, code, says]) => {
            const raw = new Raw(t, there.admin);
            raw.socket.write(bytes);
            const { status: got, problem } = await raw.problem();
            const told = [problem.detail, ...(problem.problems ?? [])].join('\n');
            assert.deepEqual([got, problem.code], [status, code], `${what}: ${told}`);
            assert.notEqual(problem.hint, '');
            if (says !== undefined) assert.match(problem.detail, says, what);
            raw.socket.destroy();
          }),
        );
      }
      await there.unchanged();
      const raw = new Raw(t, there.admin);
      raw.socket.write(message('GET /v1/status'));
      assert.equal((await raw.answer()).status, 200);
    });

    test('whatever stands in place of the file is refused by name, and nothing comes of it', async (t) => {
      const there = await besieged(t, threads);
      const { file, control, text } = there;
      const fresh = (make: () => void): void => {
        rmSync(file, { recursive: true, force: true });
        make();
      };
      const cases: [what: string, make: () => void, says: RegExp][] = [
        ['gone', () => {}, /there is no file/],
        ['empty', () => writeFileSync(file, ''), /nothing/],
        ['cut in half', () => writeFileSync(file, text.slice(0, text.length / 2)), /sluice\.config\.json:1:\d+/],
        ['a folder', () => mkdirSync(file), /no config in /],
        ['not text', () => writeFileSync(file, Buffer.from([0, 1, 2, 255, 254])), /sluice\.config\.json/],
        ['huge', () => (writeFileSync(file, text), truncateSync(file, 1024 ** 4)), /at most 16 MiB/],
        ['a pipe', () => void spawnSync(peer('mkfifo') ?? 'false', [file]), /no file/],
        ['wrong', () => writeFileSync(file, text.replace('round-robin', 'round-robbin')), /did you mean "round-robin"/],
        [
          'of another number of threads',
          () => writeFileSync(file, text.replace(`"threads":${threads}`, '"threads":7')),
          /restart sluice/,
        ],
      ];
      if (process.getuid?.() !== 0) {
        cases.push(['unreadable', () => (writeFileSync(file, text), chmodSync(file, 0)), /no permission/]);
      }
      for (const [what, make, says] of cases) {
        fresh(make);
        await assert.rejects(control.reload(undefined, 'me'), (error: unknown) => {
          assert.ok(error instanceof ControlError, what);
          assert.match([error.message, ...error.problems].join('\n'), says, what);
          return true;
        });
        assert.notEqual((await control.status()).refused, null, what);
      }
      await there.unchanged();
      fresh(() => writeFileSync(file, text));
      assert.deepEqual(await control.reload(undefined, 'me'), { changes: [] });
      assert.equal((await control.status()).refused, null);
    });

    test('a file that is written and replaced while it is read is one config or the other, or refused', async (t) => {
      const there = await besieged(t, threads);
      const { file, control } = there;
      const given = JSON.parse(there.text) as { routes: unknown[]; upstreams: { app: { origins: string[] } } };
      // Large, so that reading it takes several turns; the first and the last route tell which one it is.
      const version = (nth: number): string => {
        const fillers = Array.from({ length: 800 }, (_, i) => ({
          match: { path: `/filler/${i}` },
          respond: { status: 204 },
        }));
        const mark = { match: { path: '/version' }, respond: { status: 200, body: `v${nth}` } };
        return JSON.stringify({
          ...given,
          routes: [
            mark,
            ...fillers,
            { match: { path: '/version/last' }, respond: { status: 200, body: `v${nth}` } },
            ...given.routes,
          ],
        });
      };
      const versions = [1, 2].map(version);
      let stop = false;
      const writing = (async () => {
        for (let i = 0; !stop; i++) {
          if (i % 3 === 0) {
            writeFileSync(`${file}.new`, versions[i % 2]);
            renameSync(`${file}.new`, file);
          } else writeFileSync(file, versions[i % 2]);
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      })();
      let done = 0;
      for (let i = 0; i < 8; i++) {
        const outcome = await control.reload(undefined, 'me').then(
          () => 'done',
          (error: ControlError) => error.problems.join('\n'),
        );
        if (outcome === 'done') done++;
        else assert.match(outcome, /changes while it is read|nothing|JSON|expected/);
        const [first, last] = [await fetchOnce(`${there.base}/version`), await fetchOnce(`${there.base}/version/last`)];
        if (done > 0) assert.equal(first.body, last.body);
      }
      stop = true;
      await writing;
      writeFileSync(file, there.text);
      await control.reload(undefined, 'me');
      assert.deepEqual(await whoAnswers(there.base, 24), ['blue', 'red']);
    });

    test('changes, reloads and wrong ones all at once: what is left is what the last reload says', async (t) => {
      const there = await besieged(t, threads);
      const { control, origins, text } = there;
      const green = await namedOrigin(t, 'green');
      const wrong = text.replace('round-robin', 'nosuch');
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, i) => {
          switch (i % 6) {
            case 0:
              return control.addOrigin('app', { url: green.url }, undefined, 'a');
            case 1:
              return control.removeOrigin('app', green.address, undefined, 'b');
            case 2:
              return control.changeOrigin('app', origins[0].address, { weight: i }, undefined, 'c');
            case 3:
              return control.reload(wrong, 'd');
            case 4:
              return control.reload(i % 4 === 0 ? undefined : text, 'e');
            default:
              return control.changeOrigin(
                'app',
                origins[1].address,
                { state: i % 4 === 1 ? 'draining' : 'up' },
                undefined,
                'f',
              );
          }
        }),
      );
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'rejected')
          assert.ok(outcome.reason instanceof ControlError, `${i}: ${String(outcome.reason)}`);
      }
      assert.deepEqual(
        new Set(outcomes.filter((_, i) => i % 6 === 3).map(({ status }) => status)),
        new Set(['rejected']),
      );
      await control.reload(text, 'e');
      there.said.splice(0);
      await there.unchanged();
    });
  });
}
