/**
 * Loaded into every test process (`--import`). A test that leaves a server or a socket open keeps its process alive for
 * ever, and Node's runner waits with it. So: some seconds after the last test, say what is still open, and fail.
 */
import { after, beforeEach } from 'node:test';

const GRACE_MS = Number(process.env['SLUICE_TEST_GRACE_MS'] ?? 10_000);

// The runner itself loads this file too; only its children run tests.
if (process.env['NODE_TEST_CONTEXT'] !== undefined) {
  let dog: NodeJS.Timeout | undefined;
  const bark = (): void => {
    const open = process.getActiveResourcesInfo();
    process.stderr.write(
      `watchdog: the tests of ${process.argv[1]} ended ${GRACE_MS / 1000} s ago, but this process still holds ` +
        `${open.join(', ')}. Close it in t.after.\n`,
      () => process.exit(1),
    );
  };
  after(() => {
    dog = setTimeout(bark, GRACE_MS);
    dog.unref();
  });
  // A file that awaits between its tests lets the hook above run early: another test calls the dog back.
  beforeEach(() => clearTimeout(dog));
}
