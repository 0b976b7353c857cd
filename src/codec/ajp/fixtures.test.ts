/**
 * Runs the fixtures: a `packets` block is what the container sends, an `events` block what becomes of it, whole, cut in two
 * at every place, and byte by byte. In a `packets` block `[ … ]` is a packet with its head, `#5` a word, `"a"` an AJP string,
 * `'a'` bare text and everything else hex. Field lines (`> …`) are compared where the block has any.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { cut } from '../../../test/support/http1.ts';
import { blocks } from '../../../test/support/markdown.ts';
import { requestOf } from '../../../test/support/request.ts';
import { converse, Sent } from '../../../test/support/session.ts';
import { errors } from '../../core/errors.ts';
import { fromContainer, string, word } from '../../../test/support/ajp.ts';
import { AjpSession } from './session.ts';

const folder = join(import.meta.dirname, 'fixtures');

for (const file of readdirSync(folder).toSorted()) {
  describe(`fixtures/${file}`, () => {
    for (const section of readFileSync(join(folder, file), 'utf8').split(/^## /m).slice(1)) {
      test(section.slice(0, section.indexOf('\n')), () => {
        assert.match(section, /(?:RFC \d+|CVE-\d+|AJPv13|sluice's own limit)/, 'a rule says where it comes from');
        const all = blocks(section);
        assert.ok(all.length > 0 && all.length % 2 === 0);
        for (let i = 0; i < all.length; i += 2) run(all[i].language, all[i].text, all[i + 1].text);
      });
    }
  });
}

function run(language: string, packets: string, expected: string): void {
  const bytes = bytesOf(packets);
  const wanted = expected.trim().split('\n');
  const fields = wanted.some((line) => line.startsWith('>'));
  const words = language.split(' ');
  for (let at = 0; at <= bytes.length; at++) {
    assert.deepEqual(events(cut(bytes, at), words, fields), wanted, `cut at ${at}: ${packets}`);
  }
  assert.deepEqual(events(cut(bytes, ...bytes.keys()), words, fields), wanted, `byte by byte: ${packets}`);
}

function events(pieces: readonly Buffer[], words: readonly string[], fields: boolean): string[] {
  const session = new AjpSession({ secret: '', packetSize: 8192 }, new Sent(), { head: 32_768, fields: 100 });
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

function bytesOf(text: string): Buffer {
  const open: Buffer[][] = [[]];
  for (const [token] of text.matchAll(/\[|\]|"[^"]*"|'[^']*'|#\d+|[0-9a-f]+/g)) {
    const into = open[open.length - 1];
    if (token === '[') open.push([]);
    else if (token === ']') {
      open.pop();
      open[open.length - 1].push(fromContainer(...into));
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
