/** curl's requests through one sluice to nginx, Node's http server and Python's http.server. */
import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { peer } from '../support/peer.ts';
import { folder, run, until } from './stage.ts';
import { three, type Kind } from './three.ts';

const kinds: readonly Kind[] = ['nginx', 'node', 'python'];

test('curl, one sluice, three kinds of origin', async (t) => {
  const stage = await three(t);
  if (stage === undefined) return;
  const { sluice, curl, mebi } = stage;
  const big = randomFillSync(Buffer.alloc(10 * 1_048_576));
  const bigFile = join(folder(t), 'big.bin');
  writeFileSync(bigFile, big);
  const digest = createHash('sha256').update(big).digest('hex');

  await t.test('GET brings every byte, over HTTP/1.1 and 1.0', async () => {
    for (const kind of kinds) {
      for (const version of ['--http1.1', '--http1.0']) {
        const { code, stdout } = await curl(kind, '/mebi.bin', version);
        assert.equal(code, 0, `${kind} ${version}`);
        assert.ok(stdout.equals(mebi), `${kind} ${version}`);
      }
    }
  });

  await t.test('HEAD tells the length and sends nothing', async () => {
    for (const kind of kinds) {
      const { code, text } = await curl(kind, '/mebi.bin', '--head');
      assert.equal(code, 0, kind);
      assert.match(text, /^HTTP\/1.1 200 /, kind);
      assert.match(text, /\r\ncontent-length: 1048576\r\n/i, kind);
    }
  });

  await t.test('POST of 10 MiB arrives whole', async () => {
    for (const kind of kinds) {
      const { code, text, stderr } = await curl(kind, '/sink', '--data-binary', `@${bigFile}`);
      assert.equal(code, 0, `${kind} ${stderr}`);
      if (kind === 'nginx') assert.equal(text, '10485760');
      else assert.ok(text.startsWith(`10485760 ${digest}`), `${kind}: ${text}`);
    }
  });

  await t.test('-T: what was PUT is what is read again', async () => {
    for (const version of ['--http1.1', '--http1.0']) {
      const put = await curl('nginx', '/put/big.bin', version, '-T', bigFile, '-w', '%{http_code}');
      assert.match(put.text, /20[14]$/);
      const got = await curl('nginx', '/put/big.bin');
      assert.ok(got.stdout.equals(big));
      await curl('nginx', '/put/big.bin', '-X', 'DELETE');
    }
    const put = await curl('python', '/put', '-T', bigFile);
    assert.equal(put.text, `10485760 ${digest}`);
  });

  await t.test('a chunked upload arrives whole where the origin takes one', async () => {
    // Python's http.server is left out: it does not read chunked requests, behind any proxy that streams them.
    for (const kind of ['nginx', 'node'] as const) {
      const chunked = ['-X', 'POST', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:', '-T', bigFile];
      const { code, text, stderr } = await curl(kind, '/sink', ...chunked);
      assert.equal(code, 0, `${kind} ${stderr}`);
      if (kind === 'nginx') assert.equal(text, '10485760');
      else assert.ok(text.startsWith(`10485760 ${digest}`), text);
    }
  });

  await t.test('Range is passed on and its answer back', async () => {
    for (const kind of ['nginx', 'node'] as const) {
      const { stdout } = await curl(kind, '/mebi.bin', '-r', '1000-1999');
      assert.ok(stdout.equals(mebi.subarray(1000, 2000)), kind);
      const { text } = await curl(kind, '/mebi.bin', '-r', '1000-', '-D', '-', '-o', '/dev/null');
      assert.match(text, /^HTTP\/1.1 206 /, kind);
      assert.match(text, /\r\ncontent-range: bytes 1000-1048575\/1048576\r\n/i, kind);
    }
  });

  await t.test('Expect: 100-continue is answered once', async () => {
    for (const kind of kinds) {
      const { code, text, stderr } = await curl(
        kind,
        '/sink',
        '-v',
        ...['-H', 'Expect: 100-continue', '--expect100-timeout', '20', '--data-binary', `@${bigFile}`],
      );
      assert.equal(code, 0, kind);
      assert.ok(text.startsWith('10485760'), `${kind}: ${text}`);
      assert.equal(stderr.match(/^< HTTP\/1.1 100 /gm)?.length, 1, `${kind}\n${stderr}`);
      assert.equal(stderr.match(/^< HTTP\/1.1 200 /gm)?.length, 1, kind);
    }
  });

  await t.test('an answer before the upload has ended reaches a client that still sends', async () => {
    for (const kind of ['nginx', 'node'] as const) {
      for (const expect of ['Expect:', 'Expect: 100-continue']) {
        const { text } = await curl(kind, '/early', '-H', expect, '-T', bigFile, '-X', 'POST', '-w', ' %{http_code}');
        assert.equal(text, 'early 403', `${kind}, ${expect}`);
      }
    }
  });

  await t.test('103 Early Hints goes to 1.1 clients only', async () => {
    const modern = await curl('node', '/hints', '-v');
    assert.match(modern.stderr, /^< HTTP\/1.1 103 Early Hints\r?\n< link: <\/a.css>; rel=preload/im);
    assert.equal(modern.text, 'after hints');
    const old = await curl('node', '/hints', '-v', '--http1.0');
    assert.doesNotMatch(old.stderr, /^< HTTP\/1\.\d 103|Early Hints/im);
    assert.equal(old.text, 'after hints');
  });

  await t.test('events arrive one by one, when they happen', async () => {
    const streams = await Promise.all(
      (['node', 'python'] as const).map((kind) => arrivals(`${sluice.url}/events`, `${kind}.test`)),
    );
    for (const events of streams) {
      assert.equal(events.length, 5);
      // Buffered, the first would come with the last, which is sent 4 s later.
      const last = events[4];
      for (const one of events.slice(0, 2)) assert.ok(one.arrived < last.sent, JSON.stringify(events));
    }
  });

  await t.test('--path-as-is: dots and odd bytes reach the origin as they were sent', async () => {
    for (const path of ['/a/../echo', '/./echo', '/%65cho', '//echo', '/echo?a=b&&=%00|{}']) {
      const { text } = await curl('node', path, '--path-as-is', '-g', '-o', '/dev/null', '-w', '%{http_code}');
      const seen = sluice.access;
      await until('the log line', () => seen().some((line) => line.target === path));
      const line = seen().find((one) => one.target === path);
      assert.equal(line?.error, undefined, path);
      assert.match(text, /^(?:200|404)$/, path);
    }
  });

  await t.test('--compressed: what the origin packed is not unpacked on the way', async () => {
    const plain = await curl('nginx', '/gzip.txt', '--compressed');
    assert.equal(plain.text, stage.text);
    const packed = await curl('nginx', '/gzip.txt', '-H', 'Accept-Encoding: gzip', '--raw', '-D', '-');
    assert.match(packed.text, /\r\nContent-Encoding: gzip\r\n/);
    assert.ok(packed.stdout.length < stage.text.length / 4);
  });

  await t.test('a client that gives up (--max-time) is noticed at the origin, and logged as gone', async () => {
    const { code } = await curl('node', '/slow?ms=20000', '--max-time', '2');
    assert.equal(code, 28);
    await until('a line with client-gone', () => sluice.access().some((line) => line.target === '/slow?ms=20000'));
    const line = sluice.access().find((one) => one.target === '/slow?ms=20000');
    assert.equal(line?.error, 'client-gone');
    assert.equal(line?.status, 499);
    const download = await curl('node', '/zeros?bytes=1000000000', '--max-time', '2', '--limit-rate', '1M');
    assert.equal(download.code, 28);
    const isIt = (target = ''): boolean => target.startsWith('/zeros');
    await until('the download logged', () => sluice.access().some((one) => isIt(one.target)));
    assert.equal(sluice.access().find((one) => isIt(one.target))?.error, 'client-gone');
    const upload = await curl('node', '/sink', '--max-time', '0.5', '--limit-rate', '1M', '-T', bigFile, '-X', 'POST');
    assert.equal(upload.code, 28);
  });

  await t.test('--limit-rate: a slow client gets everything', async () => {
    const { code, stdout } = await curl('nginx', '/mebi.bin', '--limit-rate', '1M');
    assert.equal(code, 0);
    assert.ok(stdout.equals(mebi));
  });

  await t.test('an answer that breaks off at the origin is broken for the client too', async () => {
    for (const [path, version, expected] of [
      ['/cut', '--http1.1', [18]],
      ['/cut?chunked', '--http1.1', [18, 56]],
      ['/cut', '--http1.0', [18]],
      ['/cut?chunked', '--http1.0', [56]],
    ] as const) {
      const { code, text } = await curl('node', path, version);
      assert.ok((expected as readonly (number | null)[]).includes(code), `${path} ${version}: curl ended with ${code}`);
      if (path === '/cut' || version === '--http1.1') assert.equal(text, 'half', `${path} ${version}`);
    }
    await until('four lines', () => sluice.access().filter((one) => one.error === 'answer-incomplete').length === 4);
  });

  await t.test('trailers of both messages pass', async () => {
    const { text } = await curl('node', '/trailers', '-H', 'TE: trailers', '-H', 'Connection: TE', '--raw');
    assert.match(text, /\r\n0\r\nX-Sum: abc\r\n\r\n$/);
  });

  await t.test('many at once on one curl process (--parallel)', async () => {
    const curlPath = peer('curl') as string;
    const urls = Array.from({ length: 60 }, (_, i) => `${sluice.url}/${i % 2 === 0 ? 'mebi.bin' : 'gzip.txt'}?${i}`);
    const { code, stdout } = await run(t, curlPath, ['-sS', '-Z', '-H', 'Host: nginx.test', ...urls]);
    assert.equal(code, 0);
    assert.equal(stdout.length, 30 * (mebi.length + stage.text.length));
  });

  await t.test('every request has exactly one line in the log, and none is a defect', async () => {
    assert.doesNotMatch(sluice.errors(), / internal /);
    const lines = sluice.access();
    assert.equal(lines.filter((line) => line.error === 'internal').length, 0);
  });
});

interface Arrival {
  readonly sent: number;
  readonly arrived: number;
}

async function arrivals(url: string, host: string): Promise<Arrival[]> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const events: Arrival[] = [];
    const asked = request(url, { headers: { host } }, (response) => {
      response.on('data', (piece: Buffer) => {
        for (const [, sent] of piece.toString().matchAll(/data: \d+ (\d+)\n\n/g)) {
          events.push({ sent: Number(sent), arrived: Date.now() });
        }
      });
      response.on('end', () => resolve(events));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
}
