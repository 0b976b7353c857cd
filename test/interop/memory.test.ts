/** Long bodies both ways, and readers slower than their source: the proxy streams, so its memory stays where it was. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipUnless } from '../support/peer.ts';
import { nodeOrigin } from './origins.ts';
import { folder, full, residentBytes, run, startSluice, type SluiceProcess } from './stage.ts';

const MIB = 1_048_576;
const size = (full ? 1024 : 256) * MIB;
const slowly = full ? 15_000 : 5000;
/** V8 lets its youngest generation grow by 16 MiB at a time when it finds reason to; the bodies are a GiB. */
const ALLOWED = 24 * MIB;

interface Stage {
  readonly curl: string;
  readonly sluice: SluiceProcess;
  /** Most memory above the beginning so far, sampled every 20 ms. */
  growth(): number;
}

async function stage(t: TestContext): Promise<Stage | undefined> {
  const curl = skipUnless(t, 'curl');
  if (curl === undefined) return undefined;
  if (residentBytes(process.pid) === 0) {
    t.skip('no /proc to read memory from');
    return undefined;
  }
  const origin = await nodeOrigin(t, folder(t));
  const sluice = await startSluice(t, { upstreams: { app: { origins: origin.url } } });
  // Warm is a proxy that has moved something: code is compiled, the block pool filled.
  for (let i = 0; i < 200; i++) await (await fetch(`${sluice.url}/name`)).text();
  for (const how of ['', '&chunked'])
    await run(t, curl, ['-sS', '-o', '/dev/null', `${sluice.url}/zeros?bytes=${64 * MIB}${how}`]);
  for (const how of [[], ['-H', `Content-Length: ${16 * MIB}`, '-H', 'Transfer-Encoding:']])
    await run(t, curl, ['-sS', '-X', 'POST', ...how, '-T', '-', `${sluice.url}/sink`], Buffer.alloc(16 * MIB));
  const before = residentBytes(sluice.pid);
  let most = before;
  const tick = setInterval(() => (most = Math.max(most, residentBytes(sluice.pid))), 20);
  t.after(() => clearInterval(tick));
  return { curl, sluice, growth: () => most - before };
}

/** `bytes` zeros into a command, as fast as it takes them: none of them ever exist at once. */
async function pour(t: TestContext, bytes: number, command: string, args: readonly string[]): Promise<string> {
  const source = spawn('head', ['-c', String(bytes), '/dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const sink = spawn(command, args, { stdio: [source.stdout, 'pipe', 'ignore'] });
  t.after(() => {
    source.kill('SIGKILL');
    sink.kill('SIGKILL');
  });
  let said = '';
  sink.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
  // The pipe's other end is curl's: ours must not hold it open.
  source.stdout.destroy();
  await new Promise((resolve) => sink.once('close', resolve));
  return said;
}

function flat(t: TestContext, what: string, growth: number): void {
  t.diagnostic(`${what}: grew by ${(growth / MIB).toFixed(1)} MiB at most`);
  assert.ok(growth < ALLOWED, `${what}: grew by ${(growth / MIB).toFixed(1)} MiB`);
}

test(`a download of ${size / MIB} MiB at full speed`, async (t) => {
  const made = await stage(t);
  if (made === undefined) return;
  const { curl, sluice, growth } = made;
  for (const how of ['', '&chunked']) {
    const url = `${sluice.url}/zeros?bytes=${size}${how}`;
    const { text } = await run(t, curl, ['-sS', '-o', '/dev/null', '-w', '%{size_download} %{speed_download}', url]);
    assert.equal(Number(text.split(' ')[0]), size);
    flat(
      t,
      `${how === '' ? 'with a length' : 'in chunks'}, ${(Number(text.split(' ')[1]) / MIB).toFixed(0)} MiB/s`,
      growth(),
    );
  }
});

test(`an upload of ${size / MIB} MiB at full speed`, async (t) => {
  const made = await stage(t);
  if (made === undefined) return;
  const { curl, sluice, growth } = made;
  const url = `${sluice.url}/sink?rate=1e12`;
  const chunked = await pour(t, size, curl, ['-sS', '-X', 'POST', '-H', 'Expect:', '-T', '-', url]);
  assert.equal(Number(chunked.split(' ')[0]), size);
  flat(t, 'in chunks', growth());
  const length = ['-H', `Content-Length: ${size}`, '-H', 'Transfer-Encoding:'];
  const sized = await pour(t, size, curl, ['-sS', '-X', 'POST', '-H', 'Expect:', ...length, '-T', '-', url]);
  assert.equal(Number(sized.split(' ')[0]), size);
  flat(t, 'with a length', growth());
});

test(`readers of 1 MiB/s before a GiB, ${slowly / 1000} s`, async (t) => {
  const made = await stage(t);
  if (made === undefined) return;
  const { curl, sluice, growth } = made;
  const until = String(slowly / 1000);
  const bytes = 1024 * MIB;
  const slow = (path: string): Promise<string> =>
    run(t, curl, [
      ...['-sS', '-o', '/dev/null', '--limit-rate', '1M', '--max-time', until, '-w', '%{size_download}'],
      sluice.url + path,
    ]).then((ran) => ran.text);
  const taken = await Promise.all([slow(`/zeros?bytes=${bytes}`), slow(`/zeros?bytes=${bytes}&chunked`)]);
  // curl keeps its limit on average only, and its buffers and ours are full of what it has not taken.
  for (const one of taken) assert.ok(Number(one) > MIB && Number(one) < bytes / 8, one);
  flat(t, 'two slow clients', growth());
  // The other way round: an origin that takes 1 MiB/s of what a client would send at any speed.
  const upload = ['-sS', '-X', 'POST', '-H', 'Expect:', '--max-time', until, '-w', '%{size_upload}', '-T', '-'];
  const sent = await pour(t, bytes, curl, [...upload, `${sluice.url}/sink?rate=${MIB}`]);
  // What the kernel's buffers on both sides hold is on its way as well.
  assert.ok(Number(sent) < bytes / 8, `${sent} bytes were taken from the client`);
  flat(t, 'a slow origin', growth());
  await sleep(300);
  flat(t, 'and after all of them left', growth());
});
