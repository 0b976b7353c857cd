/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, an `answer` block is
 * what an SCGI or uwsgi application writes (test/support/fixture.ts says which bytes) and an `events` block what becomes of it: by both
 * protocols, whole, cut in two at every place, and byte by byte. Line ends in an `answer` block are none: they are written.
 *
 * The words after `answer`: `HEAD` the request's method, `eof` the application closes then, `local` redirects to a path stay
 * inside. Field lines are compared where the block has any.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { bytesOf, fixtures } from '../../../test/support/fixture.ts';
import { cut } from '../../../test/support/http1.ts';
import { requestOf } from '../../../test/support/request.ts';
import { converse, Sent, TARGET } from '../../../test/support/session.ts';
import type { CodecSession } from '../codec.ts';
import { scgi } from '../scgi/scgi.ts';
import { uwsgi } from '../uwsgi/uwsgi.ts';
import { cgiSchema } from './options.ts';

const LIMITS = { head: 4096, fields: 50 };
const KINDS: readonly (() => CodecSession)[] = [
  () => scgi.create({}, new Sent(), LIMITS),
  () => uwsgi.create({ modifier1: 0, modifier2: 0 }, new Sent(), LIMITS),
];

fixtures(
  join(import.meta.dirname, 'fixtures'),
  /(?:RFC \d+|CVE-\d+|SCGI specification|sluice's own limit)/,
  ([what, ...words], answer, expected) => {
    assert.equal(what, 'answer');
    const bytes = bytesOf(answer.replaceAll('\n', ''));
    const wanted = expected.split('\n');
    const fields = wanted.some((line) => line.startsWith('>'));
    for (const make of KINDS) {
      const events = (...at: number[]): string[] => eventsOf(make(), cut(bytes, ...at), words, fields);
      assert.deepEqual(events(), wanted, answer);
      const step = bytes.length > 2000 ? 97 : 1;
      for (let i = 1; i < bytes.length; i += step) assert.deepEqual(events(i), wanted, `cut at ${i}: ${answer}`);
      assert.deepEqual(events(...bytes.keys()), wanted, `byte by byte: ${answer}`);
    }
  },
);

function eventsOf(
  session: CodecSession,
  pieces: readonly Buffer[],
  words: readonly string[],
  fields: boolean,
): string[] {
  const request = requestOf(`${words.includes('HEAD') ? 'HEAD' : 'GET'} / HTTP/1.1`, 'Host: a');
  const target = { ...TARGET, cgi: cgiSchema.parse({ localRedirect: words.includes('local') }) };
  const heard = converse(session, request, pieces, { eof: words.includes('eof'), target });
  assert.equal(session.reusable, false, 'a connection is for one request');
  const out: string[] = [];
  for (const event of heard.events) {
    if (/^(?:end|error)/.test(event) && heard.content !== '') out.push(`body ${visible(heard.content)}`);
    out.push(event.startsWith('error') && heard.detail !== '' ? `${event}: ${heard.detail}` : visible(event));
    if (event.startsWith('answer') && fields) out.push(...heard.fields.map(([name, value]) => `> ${name}: ${value}`));
  }
  return out;
}

const visible = (text: string): string => text.replaceAll('\n', String.raw`\n`).replaceAll('\r', String.raw`\r`);
