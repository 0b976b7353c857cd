/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, a `request` block is
 * what a client asks (test/support/fixture.ts says how it is written) and a `uwsgi` block what the application is told: its
 * variables in order, `!NAME` for one that is not there, `…` for any others, and `body …`; or `refused CODE`. Before the
 * variables come the modifiers, as `modifiers A B`. That the bytes are a packet and then the body is looked at each time.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { compareRequest, fixtures, sentOf } from '../../../test/support/fixture.ts';
import { readUwsgi } from '../../../test/support/variables.ts';
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
    const { modifiers, pairs, rest } = readUwsgi(sent);
    const [first = '', ...lines] = expected.split('\n');
    assert.equal(`modifiers ${modifiers.join(' ')}`, first);
    compareRequest(pairs, rest, lines.join('\n'));
  },
);
