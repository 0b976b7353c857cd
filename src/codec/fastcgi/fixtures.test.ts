/**
 * The fixtures are Markdown to be read, as those of HTTP/1: a heading is a rule, a sentence says why and cites its source, a
 * `fastcgi` block is what the application sends and an `events` block what becomes of it: whole, cut in two at every
 * place, and byte by byte.
 *
 * A line is a record: `stdout TEXT`, `stderr TEXT`, `end [EXIT [STATUS]]`, `type=TYPE[:ID] TEXT`, each with `/N` for padding, or
 * `raw TEXT`. In a text, `\r \n \t \0 \\ \xNN` are bytes, and `{a*9000}` is 9000 times `a`. The words after `fastcgi`: `HEAD`
 * the request's method, `keep` the connection is to be kept, `eof` it closes then. Field lines are compared where
 * the block has any; `stays` says that the connection may be used again.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { ending, hear, record, TYPES } from '../../../test/support/fastcgi.ts';
import { bytesOf } from '../../../test/support/fixture.ts';
import { cut } from '../../../test/support/http1.ts';

const folder = join(import.meta.dirname, 'fixtures');

for (const file of readdirSync(folder).toSorted()) {
  describe(`fixtures/${file}`, () => {
    for (const section of readFileSync(join(folder, file), 'utf8').split(/^## /m).slice(1)) {
      const heading = section.slice(0, section.indexOf('\n'));
      const blocks = [...section.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)];
      const why = section.slice(heading.length).replaceAll(/^```.*?^```$/gms, '');
      test(heading, () => {
        assert.match(why, /(?:RFC \d+|FastCGI 1\.0 §|sluice's own limit)/, 'a rule says where it comes from');
        assert.ok(blocks.length >= 2, 'a rule has an example');
        for (let i = 0; i < blocks.length; i += 2) {
          assert.deepEqual([blocks[i]?.[1], blocks[i + 1]?.[1]], ['fastcgi', 'events'], `blocks of "${heading}"`);
          run(blocks[i][2].trim().split(/\s+/), linesOf(blocks[i][3]), linesOf(blocks[i + 1][3]));
        }
      });
    }
  });
}

function run(words: readonly string[], sent: readonly string[], expected: readonly string[]): void {
  const input = Buffer.concat(sent.map(recordOf));
  const fields = expected.some((line) => line.startsWith('>'));
  const shown = sent.join(' | ').slice(0, 300);
  const events = (...at: number[]): string[] => eventsOf(cut(input, ...at), words, fields);
  assert.deepEqual(events(), expected, shown);
  const step = input.length > 2000 ? Math.ceil(input.length / 60) : 1;
  for (let i = 1; i < input.length; i += step) assert.deepEqual(events(i), expected, `cut at ${i}: ${shown}`);
  if (input.length > 40_000) return;
  assert.deepEqual(events(...input.keys()), expected, `byte by byte: ${shown}`);
}

function eventsOf(pieces: readonly Buffer[], words: readonly string[], fields: boolean): string[] {
  const method = words.includes('HEAD') ? 'HEAD' : 'GET';
  const heard = hear(pieces, words.includes('eof'), { method, keep: words.includes('keep') });
  assert.equal(heard.late, false, 'heard something after the end');
  const out = [...heard.events];
  const lines = fields ? linesOf(heard.lines).map((line) => `> ${line}`) : [];
  if (heard.body !== '') lines.push(`body ${visible(heard.body)}`);
  out.splice(1, 0, ...lines);
  for (const [index, line] of heard.notes.entries()) {
    if (line === heard.notes[index - 1]) continue;
    let times = 1;
    while (heard.notes[index + times] === line) times++;
    out.push(`note ${line.length > 100 ? `(${line.length} bytes)` : line}${times > 1 ? ` (${times} times)` : ''}`);
  }
  if (heard.reusable) out.push('stays');
  return out;
}

function recordOf(line: string): Buffer {
  const [, word = '', type, id, padding, text = ''] =
    /^(\w+)(?:=(\d+))?(?::(\d+))?(?:\/(\d+))?(?: (.*))?$/.exec(line) ?? assert.fail(`not a record: ${line}`);
  const content = bytesOf(text);
  const more = Number(padding ?? 0);
  switch (word) {
    case 'raw':
      return content;
    case 'end': {
      const [exit, status] = text.split(' ').map(Number);
      return ending(exit, status, more);
    }
    case 'type':
      return record(Number(type), content, more, id === undefined ? 1 : Number(id));
    case 'stdout':
      return record(TYPES.stdout, content, more);
    case 'stderr':
      return record(TYPES.stderr, content, more);
    default:
      return assert.fail(`not a record: ${line}`);
  }
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/).filter((line) => line !== '');
}

function visible(text: string): string {
  return text.replaceAll('\n', '\\n').replaceAll('\r', '\\r');
}
