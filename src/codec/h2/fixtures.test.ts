/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, an `h2` block is what the
 * origin sends and an `events` block what becomes of it: whole, cut in two at every place, and byte by byte.
 *
 * A line is a frame: `settings NAME=N …`, `ack`, `headers STREAM [end] [part] NAME=VALUE …` (`_` is a space in a value), `more STREAM [part] NAME=VALUE …`
 * (CONTINUATION), `data STREAM [end] TEXT`, `rst STREAM CODE`, `goaway LAST CODE [TEXT]`, `window STREAM N`, `ping TEXT`, `frame TYPE FLAGS STREAM HEX`,
 * `raw TEXT`; `line * N` is N of it. SETTINGS come first unless the block says `bare`. The words after `h2`: one request each, `GET`, `HEAD`,
 * `POST` (its body of 5 bytes sent) or `PUT` (with half of its body sent), `eof` the connection closes then, and limits `head=N`, `fields=N`. Events of the
 * second request have `2:` before them; `<` is what we have sent besides requests and acks of SETTINGS.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { Client, data, ERRORS, fieldsOf, frame, LIMITS, settings, word } from '../../../test/support/h2.ts';
import { cut } from '../../../test/support/http1.ts';
import { blocks } from '../../../test/support/markdown.ts';

const folder = join(import.meta.dirname, 'fixtures');

for (const file of readdirSync(folder).toSorted()) {
  describe(`fixtures/${file}`, () => {
    for (const section of readFileSync(join(folder, file), 'utf8').split(/^## /m).slice(1)) {
      test(section.slice(0, section.indexOf('\n')), () => {
        assert.match(section, /(?:RFC \d+|CVE-\d+|sluice's own limit)/, 'a rule says where it comes from');
        const all = blocks(section);
        assert.ok(all.length > 0 && all.length % 2 === 0);
        for (let i = 0; i < all.length; i += 2) run(all[i].language, all[i].text, all[i + 1].text);
      });
    }
  });
}

function run(language: string, text: string, expected: string): void {
  const words = language.split(' ').slice(1);
  const frames = text.trim() === '' ? [] : text.trim().split('\n');
  const bytes = Buffer.concat([words.includes('bare') ? Buffer.alloc(0) : settings(), ...frames.map(bytesOf)]);
  const wanted = expected.trim().split('\n');
  const fields = wanted.some((line) => line.includes('> '));
  assert.deepEqual(events([bytes], words, fields), wanted, text);
  const step = Math.max(1, Math.floor(bytes.length / 120));
  for (let at = 1; at < bytes.length; at += step) {
    assert.deepEqual(events(cut(bytes, at), words, fields), wanted, `cut at ${at}: ${text}`);
  }
  if (bytes.length < 4000)
    assert.deepEqual(events(cut(bytes, ...bytes.keys()), words, fields), wanted, `byte by byte: ${text}`);
}

function events(pieces: readonly Buffer[], words: readonly string[], fields: boolean): string[] {
  const limit = (name: 'head' | 'fields'): number =>
    Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? LIMITS[name]);
  const client = new Client({}, { head: limit('head'), fields: limit('fields') });
  const methods = words.filter((word) => /^[A-Z]/.test(word));
  for (const method of methods.length === 0 ? ['GET'] : methods) {
    const body = method === 'POST' || method === 'PUT';
    const id = client.ask(`${method} / HTTP/1.1`, body ? { framing: 'chunked' } : {});
    if (body) client.body(id, 'hello');
    if (method === 'POST') client.session.end(id, '');
  }
  client.hear(...pieces);
  if (words.includes('eof')) client.session.eof();
  const out: string[] = [];
  for (const [id, heard] of client.heard.entries()) {
    const before = id === 0 ? '' : `${id + 1}: `;
    const lines = client.events(id);
    if (fields) {
      const at = lines.findIndex((line) => line.startsWith('answer'));
      lines.splice(at + 1, 0, ...heard.fields.map(([name, value]) => `> ${name}: ${value}`));
    }
    out.push(...lines.map((line) => before + line.replaceAll('\r\n', ';')));
  }
  const replies = client.out.replies.filter((line) => line !== 'SETTINGS ACK').map((line) => `< ${line}`);
  return [...out, ...replies, `connection ${client.session.reusable ? 'stays' : 'closes'}`];
}

function bytesOf(line: string): Buffer {
  const [, one = line, times] = /^(.*) \* (\d+)$/.exec(line) ?? [];
  if (times !== undefined) return Buffer.concat(Array.from({ length: Number(times) }, () => bytesOf(one)));
  const [kind = '', ...rest] = line.split(' ');
  const stream = Number(rest[0]);
  const ends = rest.includes('end');
  const tail = line
    .split(' ')
    .slice(ends ? 3 : 2)
    .join(' ');
  switch (kind) {
    case 'settings':
      return settings(Object.fromEntries(rest.map((part) => part.split('=')).map(([name, n]) => [name, Number(n)])));
    case 'ack':
      return frame('SETTINGS', 1, 0);
    case 'headers':
      return frame('HEADERS', (ends ? 1 : 0) | (rest.includes('part') ? 0 : 4), stream, listOf(rest));
    case 'more':
      return frame('CONTINUATION', rest.includes('part') ? 0 : 4, stream, listOf(rest));
    case 'data':
      return data(stream, unescape(tail), ends);
    case 'rst':
      return frame('RST_STREAM', 0, stream, word(ERRORS.indexOf(rest[1] ?? '')));
    case 'goaway':
      return frame(
        'GOAWAY',
        0,
        0,
        Buffer.concat([word(stream, ERRORS.indexOf(rest[1] ?? '')), Buffer.from(unescape(rest[2] ?? ''), 'latin1')]),
      );
    case 'window':
      return frame('WINDOW_UPDATE', 0, stream, word(Number(rest[1])));
    case 'ping':
      return frame('PING', 0, 0, rest[0]);
    case 'frame':
      return frame(Number(rest[0]), Number(rest[1]), Number(rest[2]), Buffer.from(rest[3] ?? '', 'hex'));
    case 'raw':
      return Buffer.from(unescape(line.slice(4)), 'latin1');
    default:
      return assert.fail(`not a frame: ${line}`);
  }
}

function listOf(parts: readonly string[]): Buffer {
  const list = parts.filter((part) => part.includes('='));
  return fieldsOf(
    list.map((part): [string, string] => {
      const at = part.indexOf('=');
      return [unescape(part.slice(0, at)), unescape(part.slice(at + 1).replaceAll('_', ' '))];
    }),
  );
}

function unescape(text: string): string {
  return text
    .replaceAll(/\{(.)\*(\d+)\}/g, (_, one: string, times: string) => one.repeat(Number(times)))
    .replaceAll(/\\x([0-9a-f]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)))
    .replaceAll(String.raw`\r`, '\r')
    .replaceAll(String.raw`\n`, '\n');
}
