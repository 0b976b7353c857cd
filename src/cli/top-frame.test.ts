import assert from 'node:assert/strict';
import test from 'node:test';
import { FakeControl } from '../../test/support/fake-control.ts';
import { plain, showMs, table } from './table.ts';
import { frame, type Sample } from './top-frame.ts';

async function sample(at: number, change: (control: FakeControl) => void = () => {}): Promise<Sample> {
  const control = new FakeControl();
  change(control);
  return { at, status: await control.status(), upstreams: await control.upstreams() };
}

/** The cells of a row, by the name it begins with. */
function row(lines: readonly string[], name: string): string[] {
  const line = lines.find((one) => one.trimStart().startsWith(name));
  assert.ok(line !== undefined, lines.join('\n'));
  return line.trim().split(/ {2,}/);
}

const grown =
  (by: number, errors: number) =>
  (control: FakeControl): void => {
    const [app = []] = control.pools.values();
    const [first, ...rest] = app;
    control.pools.set('app', [...rest, { ...first, requests: first.requests + by, errors: first.errors + errors }]);
  };

test('rates are the difference to the sample before, wherever the origin stands in the list', async () => {
  const lines = frame(await sample(3000, grown(50, 3)), await sample(1000), Infinity);
  assert.deepEqual(row(lines, '127.0.0.1:3000').slice(0, 5), ['127.0.0.1:3000', 'up', '25', '1.5', '2']);
  assert.deepEqual(row(lines, 'unix:/run/app.sock').slice(0, 4), ['unix:/run/app.sock', 'down', '0', '0']);
  assert.match(lines[1], /^threads 2\/2 {2}connections 7 {2}waiting 2$/);
});

test('no rate where there is nothing to compare with', async () => {
  const rates = (now: Sample, before: Sample | null): string => row(frame(now, before, Infinity), '127.0.0.1:3000')[2];
  assert.equal(rates(await sample(1000), null), '-');
  assert.equal(rates(await sample(2000, (control) => (control.pid = 1)), await sample(1000)), '-', 'another process');
  assert.equal(rates(await sample(2000, grown(-900, 0)), await sample(1000)), '-', 'an origin that began anew');
  assert.equal(rates(await sample(1000), await sample(1000)), '-', 'no time has passed');
});

test('every line fits, down to 60 columns, and numbers are whole', async () => {
  const long = (control: FakeControl): void => {
    const [app = []] = control.pools.values();
    control.pools.set(
      'app',
      app.map((one) => ({ ...one, name: `[2001:db8:0:1:2:3:4:5]:${one.weight}3000`, state: 'draining' as const })),
    );
  };
  for (const width of [60, 72, 80, 100, 200]) {
    const lines = frame(await sample(2000, long), await sample(1000, long), width);
    for (const line of lines) assert.ok(line.length <= width, `${line.length} of ${width}: ${line}`);
    assert.match(lines.join('\n'), /draining +0 +0 +2 +250ms/);
  }
});

test('tables: spare columns go first, then texts are cut; control characters do not pass', () => {
  const columns = [
    { title: 'NAME', text: ([name]: string[]) => name },
    { title: 'N', right: true, text: ([, n]: string[]) => n },
    { title: 'NOTE', spare: true, text: ([, , note]: string[]) => note },
  ];
  const rows = [
    ['a-rather-long-name', '1', 'a note'],
    ['b\x1b[2J', '22', ''],
  ];
  assert.deepEqual(table(columns, rows), [
    'NAME                 N  NOTE',
    'a-rather-long-name   1  a note',
    'b\ufffd[2J               22',
  ]);
  assert.deepEqual(table(columns, rows, 22), [
    'NAME                 N',
    'a-rather-long-name   1',
    'b\ufffd[2J               22',
  ]);
  assert.deepEqual(table(columns, rows, 14), ['NAME         N', 'a-rather-…   1', 'b\ufffd[2J       22']);
  assert.equal(plain('a\u202eb\u0085c\nd'), 'a\ufffdb\ufffdc\ufffdd');
});

test('spans as people read them', () => {
  assert.deepEqual([null, 0, 0.04, 1.25, 31.5, 999, 1500, 119_000, 120_000, 7_200_000].map(showMs), [
    '-',
    '0ms',
    '0ms',
    '1.3ms',
    '32ms',
    '999ms',
    '1.5s',
    '119s',
    '2m',
    '2h',
  ]);
});
