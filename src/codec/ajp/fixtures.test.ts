/**
 * Runs the fixtures. A `packets` block is what the container sends, an `events` block what becomes of it, whole, cut in two at
 * every place, and byte by byte; field lines (`> …`) are compared where the block has any. A `request` block is what a client asks
 * (test/support/fixture.ts says how it is written), and a `packets` block what the container gets; the numbers behind `asks` are
 * how many bytes of the body it asks for in turn.
 *
 * In a `packets` block `[ … ]` is a packet with its head, `#5` a word, `"a"` an AJP string, `'a'` bare text and everything else hex.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fixtures, requestIn } from '../../../test/support/fixture.ts';
import { cut } from '../../../test/support/http1.ts';
import { requestOf } from '../../../test/support/request.ts';
import { converse, feed, Heard, Sent } from '../../../test/support/session.ts';
import { errors } from '../../core/errors.ts';
import { fromContainer, getBody, string, toContainer, word } from '../../../test/support/ajp.ts';
import { ajp } from './ajp.ts';
import type { AjpSession } from './session.ts';

const LIMITS = { head: 32_768, fields: 100 };

function make(options: object, sent: Sent): AjpSession {
  return ajp.create(ajp.options.parse(options), sent, LIMITS);
}

fixtures(
  join(import.meta.dirname, 'fixtures'),
  /(?:RFC \d+|CVE-\d+|AJPv13|Tomcat|sluice's own limit)/,
  ([what = '', ...words], given, expected) => {
    if (what === 'packets') return answered(words, given, expected);
    assert.equal(what, 'request');
    return asked(words, given, expected);
  },
);

function asked([, ...sizes]: readonly string[], given: string, expected: string): void {
  const { request, target, from, body, options } = requestIn(given);
  const sent = new Sent();
  const session = make(options, sent);
  const opened = session.open(request, target, new Heard(), from);
  if (typeof opened === 'string') {
    assert.deepEqual([`refused ${opened}`, sent.take().length, session.reusable], [expected, 0, true]);
    return;
  }
  if (request.framing !== 'none') {
    session.body(opened, body, 0, body.length);
    session.end();
  }
  for (const size of sizes) feed(session, getBody(Number(size)));
  assert.equal(shown(sent.take()), shown(bytesOf(expected, toContainer)));
}

/** Readable in a difference. */
const shown = (bytes: Buffer): string =>
  bytes.latin1Slice().replaceAll(/[^\x20-\x7e]/g, (one) => `<${one.charCodeAt(0).toString(16)}>`);

function answered(words: readonly string[], packets: string, expected: string): void {
  const bytes = bytesOf(packets, fromContainer);
  const wanted = expected.split('\n');
  const fields = wanted.some((line) => line.startsWith('>'));
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(events(cut(bytes, at), words, fields), wanted, `cut at ${at}: ${packets}`);
  }
  assert.deepEqual(events(cut(bytes, ...bytes.keys()), words, fields), wanted, `byte by byte: ${packets}`);
}

function events(pieces: readonly Buffer[], words: readonly string[], fields: boolean): string[] {
  const session = make({}, new Sent());
  const request = requestOf(`${words.includes('HEAD') ? 'HEAD' : 'GET'} / HTTP/1.1`, 'Host: a');
  const heard = converse(session, request, pieces, { eof: words.includes('eof') });
  const out: string[] = [];
  const rest = (): void => {
    if (heard.content !== '') out.push(`body ${heard.content}`);
  };
  for (const event of heard.events) {
    if (event === 'end' || event.startsWith('error')) rest();
    const code = /^error (.*)/.exec(event)?.[1] as keyof typeof errors | undefined;
    out.push(code === undefined ? event : `error ${errors[code].status} ${code}`);
    if (event.startsWith('answer') && fields) out.push(...heard.fields.map(([name, value]) => `> ${name}: ${value}`));
  }
  return [...out, `channel ${session.reusable ? 'stays' : 'closes'}`];
}

function bytesOf(text: string, packet: (...content: readonly Buffer[]) => Buffer): Buffer {
  const open: Buffer[][] = [[]];
  for (const [token] of text.matchAll(/\[|\]|"[^"]*"|'[^']*'|#\d+|[0-9a-f]+/g)) {
    const into = open[open.length - 1];
    if (token === '[') open.push([]);
    else if (token === ']') {
      open.pop();
      open[open.length - 1].push(packet(...into));
    } else if (token.startsWith('"')) into.push(string(unescape(token)));
    else if (token.startsWith("'")) into.push(Buffer.from(unescape(token), 'latin1'));
    else if (token.startsWith('#')) into.push(word(Number(token.slice(1))));
    else into.push(Buffer.from(token, 'hex'));
  }
  return Buffer.concat(open[0]);
}

function unescape(token: string): string {
  return token
    .slice(1, -1)
    .replaceAll(String.raw`\r`, '\r')
    .replaceAll(String.raw`\n`, '\n');
}
