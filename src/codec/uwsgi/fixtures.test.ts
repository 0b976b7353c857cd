/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, a `request` block is
 * what a client asks (test/support/fixture.ts says how it is written) and a `uwsgi` block what the application is told: its
 * variables in order, `!NAME` for one that is not there, `…` for any others, and `body …`; or `refused CODE`. Before the
 * variables come the modifiers, as `modifiers A B`. That the bytes are a packet and then the body is looked at each time.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { compareRequest, fixtures, sentOf } from '../../../test/support/fixture.ts';
import { uwsgi } from './uwsgi.ts';

fixtures(
  join(import.meta.dirname, 'fixtures'),
  /(?:uwsgi-docs|RFC \d+|CVE-\d+|sluice's own limit)/,
  (words, asked, expected) => {
    assert.deepEqual(words, ['request']);
    const sent = sentOf(
      (options, out) => uwsgi.create(uwsgi.options.parse(options), out, { head: 32_768, fields: 100 }),
      asked,
    );
    if (typeof sent === 'string') return assert.equal(sent, expected);
    const { modifiers, pairs, rest } = packet(sent);
    const [first = '', ...lines] = expected.split('\n');
    assert.equal(`modifiers ${modifiers.join(' ')}`, first);
    compareRequest(pairs, rest, lines.join('\n'));
  },
);

/** Written apart from the codec: uwsgi-docs, "The uwsgi Protocol". Numbers are little-endian. */
function packet(bytes: Buffer): { modifiers: number[]; pairs: [string, string][]; rest: Buffer } {
  const end = 4 + bytes.readUInt16LE(1);
  const pairs: [string, string][] = [];
  let at = 4;
  const text = (): string => {
    const start = at + 2;
    at = start + bytes.readUInt16LE(at);
    assert.ok(at <= end, 'a text goes beyond its packet');
    return bytes.latin1Slice(start, at);
  };
  while (at < end) pairs.push([text(), text()]);
  return { modifiers: [bytes[0], bytes[3]], pairs, rest: bytes.subarray(end) };
}
