/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, a `request` block is
 * what a client asks (test/support/fixture.ts says how it is written) and an `scgi` block what the application is told: its
 * variables in order, `!NAME` for one that is not there, `…` for any others, and `body …`; or `refused CODE`. That the bytes are a
 * netstring and then the body is looked at each time.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { compareRequest, fixtures, sentOf } from '../../../test/support/fixture.ts';
import { readScgi } from '../../../test/support/variables.ts';
import { scgi } from './scgi.ts';

fixtures(
  join(import.meta.dirname, 'fixtures'),
  /(?:SCGI specification|RFC \d+|CVE-\d+|sluice's own limit)/,
  (words, asked, expected) => {
    assert.deepEqual(words, ['request']);
    const sent = sentOf((_, out) => scgi.create({}, out, { head: 32_768, fields: 100 }), asked);
    if (typeof sent === 'string') return assert.equal(sent, expected);
    const { pairs, rest } = readScgi(sent);
    assert.equal(pairs[0]?.[0], 'CONTENT_LENGTH', 'the length comes first');
    compareRequest(pairs, rest, expected);
  },
);
