/**
 * The same bytes to sluice, nginx and lighttpd, each before an origin that writes down what arrives. The tables say where
 * they agree, and why where they do not; sluice's column is always checked, the others' for the versions it was written for.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipUnless } from '../support/peer.ts';
import { answers } from './oracle-answers.ts';
import { framing } from './oracle-framing.ts';
import { outcome, proxies, type Proxy } from './oracle.ts';
import { targets } from './oracle-targets.ts';
import { run } from './stage.ts';

/** Debian 12's. */
const WRITTEN_FOR = { nginx: /nginx\/1\.22\./, lighttpd: /lighttpd\/1\.4\.69\b/ };

/** How long is listened in milliseconds: where nothing is to come, and where a busy machine may take its time. */
const SILENCE = 1500;
const PATIENCE = 10_000;

const OK = { text: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok', close: false };

test('sluice, nginx and lighttpd do the same, or differ for a reason', async (t) => {
  const nginx = skipUnless(t, 'nginx');
  const lighttpd = skipUnless(t, 'lighttpd');
  if (nginx === undefined || lighttpd === undefined) return;
  const checked: Proxy[] = ['sluice'];
  for (const [name, program] of [
    ['nginx', nginx],
    ['lighttpd', lighttpd],
  ] as const) {
    const { text, stderr } = await run(t, program, ['-v']);
    if (WRITTEN_FOR[name].test(text + stderr)) checked.push(name);
    else t.diagnostic(`the table was not written for ${(text + stderr).trim()}: its column is not checked`);
  }
  const subjects = await proxies(t, { nginx, lighttpd });
  let agreed = 0;
  const cases = [...targets, ...framing, ...answers];
  for (const one of cases) {
    if ('all' in one) agreed++;
    await t.test(one.name, async () => {
      const expectedOf = (proxy: Proxy): readonly string[] => {
        const written = 'all' in one ? one.all : one[proxy];
        return typeof written === 'string' ? [written] : written;
      };
      const found = await Promise.all(
        checked.map((proxy) => {
          const silence = one.unended === proxy || expectedOf(proxy).some((text) => text.includes('silence'));
          return outcome(subjects[proxy], one.send, one.answer ?? OK, silence ? SILENCE : PATIENCE);
        }),
      );
      checked.forEach((proxy, i) => {
        const expected = expectedOf(proxy);
        if (!expected.includes(found[i] ?? '')) assert.equal(found[i], expected[0], proxy);
      });
    });
  }
  t.diagnostic(`${cases.length} requests: all three agree about ${agreed}`);
});
