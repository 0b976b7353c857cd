/** An application that nobody here wrote, in a real browser: DokuWiki in Chromium, through sluice and php-fpm. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { crc32, deflateSync } from 'node:zlib';
import { chromium, type Browser } from 'playwright-core';
import { skipUnless } from '../support/peer.ts';
import { folder, startSluice } from './stage.ts';
import { configFor, installed, USER, wiki } from './wiki.ts';

const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync'],
];

/** A picture of noise, so that nothing on the way can make it shorter: about 350 KiB. */
function picture(): Buffer {
  const [width, height] = [400, 300];
  const rows = Array.from({ length: height }, () => Buffer.concat([Buffer.of(0), randomBytes(width * 3)]));
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length);
    frame.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Runs in the page. */
const widthOf = (image: unknown): number => (image as { naturalWidth: number }).naturalWidth;

async function browser(t: TestContext, executablePath: string): Promise<Browser> {
  const made = await chromium.launch({ executablePath, args: FLAGS });
  t.after(() => made.close());
  return made;
}

test('DokuWiki in Chromium: pages, login, editing, an upload', async (t) => {
  const fpm = skipUnless(t, 'php-fpm');
  const program = skipUnless(t, 'chromium');
  if (fpm === undefined || program === undefined) return;
  // No program of that name: skips, or fails where peers are required.
  if (!installed) return void skipUnless(t, 'dokuwiki');
  const site = await wiki(t, fpm);
  const sluice = await startSluice(t, configFor(site));
  const page = await (await browser(t, program)).newPage({ viewport: { width: 1100, height: 900 } });
  page.setDefaultTimeout(30_000);
  const screenshot = join(process.env['SLUICE_SCREENSHOTS'] ?? folder(t), 'dokuwiki.png');
  const wrong: string[] = [];
  page.on('pageerror', (error) => wrong.push(`script: ${error.message}`));
  page.on('requestfailed', (request) => wrong.push(`failed: ${request.url()} ${request.failure()?.errorText}`));
  page.on('response', (answer) => {
    // A page that is not there yet is shown with 404, and says so.
    if (answer.status() >= 400 && !/\/doku\.php\/notes/.test(answer.url()))
      wrong.push(`${answer.status()} ${answer.url()}`);
  });

  // A page, with its styles and images.
  {
    await page.goto(`${sluice.url}/doku.php/notes`);
    assert.match(await page.title(), /A wiki behind sluice/);
    const logo = page.locator('#dokuwiki__header img').first();
    assert.ok((await logo.evaluate(widthOf)) > 10, 'the logo is shown');
    const rules = await page.evaluate<number>(
      '[...document.styleSheets].reduce((sum, one) => sum + one.cssRules.length, 0)',
    );
    // Most of them stand within one `@media`.
    assert.ok(rules > 20, `${rules} rules of style`);
  }

  // Login, which a wrong password does not get.
  {
    await page.getByRole('link', { name: 'Log In' }).click();
    await page.fill('input[name=u]', USER.name);
    await page.fill('input[name=p]', 'wrong');
    await page.click('#dw__login button[type=submit]');
    await page.getByText('Sorry, username or password was wrong.').waitFor();
    await page.fill('input[name=u]', USER.name);
    await page.fill('input[name=p]', USER.password);
    await page.click('#dw__login button[type=submit]');
    await page.getByText('Logged in as').waitFor();
  }

  const bytes = picture();
  // An upload comes back as it went.
  {
    const file = join(folder(t), 'noise.png');
    writeFileSync(file, bytes);
    await page.goto(`${sluice.url}/doku.php/notes?do=media&tab_files=upload`);
    await page.setInputFiles('#mediamanager__uploader input[type=file]', file);
    await page.click('#mediamanager__upload_button');
    await page.locator('.qq-upload-success').waitFor();
    assert.deepEqual(readFileSync(join(site.media, 'noise.png')).equals(bytes), true, 'on the disk');
    const back = await page.request.get(`${sluice.url}/lib/exe/fetch.php/noise.png`);
    assert.deepEqual([back.status(), back.headers()['content-type']], [200, 'image/png']);
    assert.ok((await back.body()).equals(bytes), 'byte for byte');
    const part = await page.request.get(`${sluice.url}/lib/exe/fetch.php/noise.png`, {
      headers: { Range: 'bytes=100-199' },
    });
    assert.equal(part.status(), 206);
    assert.ok((await part.body()).equals(bytes.subarray(100, 200)), 'a part of it');
  }

  // A page is written, shown and found again.
  {
    await page.goto(`${sluice.url}/doku.php/notes?do=edit`);
    const text = `====== Käse & Brot ======\n\nWritten in a **browser**.\n\n{{:noise.png?200|noise}}\n\n${'A long line. '.repeat(8000)}\n`;
    await page.fill('textarea[name=wikitext]', text);
    await page.click('#edbtn__save');
    await page.getByRole('heading', { name: 'Käse & Brot' }).waitFor();
    const shown = page.locator('#dokuwiki__content img[alt=noise], #dokuwiki__content img.media').first();
    await shown.waitFor();
    await page.waitForLoadState('networkidle');
    assert.ok((await shown.evaluate(widthOf)) > 100, 'the picture is shown');
    const source = await page.request.get(`${sluice.url}/doku.php/notes?do=export_raw`);
    assert.equal((await source.text()).trimEnd(), text.trimEnd());
    assert.deepEqual(await page.locator('div.error').allTextContents(), []);
    await page.screenshot({ path: screenshot });
    await page.goto(`${sluice.url}/doku.php/notes?do=revisions`);
    await page.getByText('created').first().waitFor();
  }

  // What is not for clients stays there.
  {
    for (const path of [
      '/inc/init.php',
      '/conf/local.php',
      '/vendor/autoload.php',
      '/%69nc/init.php',
      '/lib/../inc/init.php',
    ]) {
      const { status } = await fetch(`${sluice.url}${path}`);
      assert.equal(status, 403, path);
    }
    assert.equal((await fetch(`${sluice.url}/lib/images/README.php`)).status, 404);
  }

  assert.deepEqual(wrong, []);
  assert.deepEqual(sluice.failures(), []);
  assert.ok(statSync(screenshot).size > 10_000);
  assert.doesNotMatch(sluice.errors(), /origin-down/);
});
