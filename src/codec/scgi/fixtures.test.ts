/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, a `request` block is
 * what a client asks (test/support/fixture.ts says how it is written) and an `scgi` block what the application is told: its
 * variables in order, `!NAME` for one that is not there, `…` for any others, and `body …`; or `refused CODE`. That the bytes are a
 * netstring and then the body is looked at each time.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { compareRequest, fixtures, sentOf } from '../../../test/support/fixture.ts';
import { scgi } from './scgi.ts';

fixtures(
  join(import.meta.dirname, 'fixtures'),
  /(?:SCGI specification|RFC \d+|CVE-\d+|sluice's own limit)/,
  (words, asked, expected) => {
    assert.deepEqual(words, ['request']);
    const sent = sentOf((_, out) => scgi.create({}, out, { head: 32_768, fields: 100 }), asked);
    if (typeof sent === 'string') return assert.equal(sent, expected);
    const { pairs, rest } = netstring(sent);
    compareRequest(pairs, rest, expected);
  },
);

/** Written apart from the codec: SCGI specification, "Request Format". */
function netstring(bytes: Buffer): { pairs: [string, string][]; rest: Buffer } {
  const [whole, digits = ''] = /^([1-9]\d*):/.exec(bytes.latin1Slice()) ?? assert.fail('no netstring');
  const end = whole.length + Number(digits);
  assert.equal(bytes[end], 0x2c, 'a comma ends the netstring');
  const words = bytes.latin1Slice(whole.length, end).split('\0');
  assert.equal(words.pop(), '', 'every text ends with NUL');
  const pairs: [string, string][] = [];
  for (let i = 0; i < words.length; i += 2)
    pairs.push([words[i], words[i + 1] ?? assert.fail('a name without a value')]);
  assert.deepEqual(pairs[0]?.[0], 'CONTENT_LENGTH', 'the length comes first');
  return { pairs, rest: bytes.subarray(end + 1) };
}
