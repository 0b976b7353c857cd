import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { peer, skipUnless } from './peer.ts';

/** A folder with the given programs, gone when the test ends. */
function folder(t: TestContext, ...programs: string[]): string {
  const made = mkdtempSync(join(tmpdir(), 'sluice-peer-'));
  t.after(() => rmSync(made, { recursive: true }));
  for (const name of programs) {
    writeFileSync(join(made, name), '#!/bin/sh\n');
    chmodSync(join(made, name), 0o755);
  }
  return made;
}

/** Sets SLUICE_INTEROP for one test. */
function interop(t: TestContext, value: string): void {
  const before = process.env['SLUICE_INTEROP'];
  process.env['SLUICE_INTEROP'] = value;
  t.after(() => {
    if (before === undefined) delete process.env['SLUICE_INTEROP'];
    else process.env['SLUICE_INTEROP'] = before;
  });
}

function recorder(): { skips: string[]; skip(why?: string): void } {
  const skips: string[] = [];
  return { skips, skip: (why) => void skips.push(why ?? '') };
}

test('a program is found by its exact name, in the order of PATH', (t) => {
  const first = folder(t, 'sluice-one');
  const second = folder(t, 'sluice-one', 'sluice-two');
  const path = [first, second].join(delimiter);
  assert.equal(peer('sluice-one', path), join(first, 'sluice-one'));
  assert.equal(peer('sluice-two', path), join(second, 'sluice-two'));
});

test('a name with a version behind it will do, the newest first', (t) => {
  const path = folder(t, 'sluice-fpm8.2', 'sluice-fpm10.0', 'sluice-fpm-tool');
  assert.equal(peer('sluice-fpm', path), join(path, 'sluice-fpm10.0'));
});

test('a folder or a file that may not be run is no program', { skip: process.platform === 'win32' }, (t) => {
  const path = folder(t, 'sluice-plain');
  chmodSync(join(path, 'sluice-plain'), 0o644);
  mkdirSync(join(path, 'sluice-folder'));
  assert.equal(peer('sluice-plain', path), undefined);
  assert.equal(peer('sluice-folder', path), undefined);
  assert.equal(peer('sluice-plain', join(path, 'no-such-folder')), undefined);
});

test('skipUnless answers the path and skips nothing when the program is there', (t) => {
  const path = folder(t, 'sluice-one');
  const context = recorder();
  assert.equal(skipUnless(context, 'sluice-one', path), join(path, 'sluice-one'));
  assert.deepEqual(context.skips, []);
});

test('skipUnless skips with a reason when it is not', (t) => {
  interop(t, '');
  const context = recorder();
  assert.equal(skipUnless(context, 'sluice-none', folder(t)), undefined);
  assert.deepEqual(context.skips, ['missing peer: sluice-none is not installed; bash .ci/peers installs it']);
});

test('with SLUICE_INTEROP=required a missing program fails the test', (t) => {
  interop(t, 'required');
  const context = recorder();
  assert.throws(
    () => skipUnless(context, 'sluice-none', folder(t)),
    /missing peer: sluice-none .* SLUICE_INTEROP=required/,
  );
  assert.deepEqual(context.skips, []);
});
