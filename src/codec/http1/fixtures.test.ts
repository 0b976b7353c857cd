/**
 * The fixtures are Markdown to be read: a heading is a rule, a sentence says why and cites its source, an `http` block is
 * what arrives and an `events` block what becomes of it. This runs them, whole, cut in two at every place, and byte by byte.
 *
 * In an `http` block line breaks mean nothing; `\r \n \t \0 \\ \xNN` are bytes, and `{a*9000}` is 9000 times `a`. The words
 * after `http` are for answers: `HEAD` the request's method, `upgrade=x` what it offered, `eof` the origin closes then.
 * Field lines (`> Name: value`) are compared where the block has any.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { cut, readAnswers, readRequests } from '../../../test/support/http1.ts';
import { errors } from '../../core/errors.ts';

interface Case {
  readonly words: readonly string[];
  readonly input: Buffer;
  readonly events: readonly string[];
}

interface Rule {
  readonly heading: string;
  readonly why: string;
  readonly cases: readonly Case[];
}

const folder = join(import.meta.dirname, 'fixtures');

for (const file of readdirSync(folder).toSorted()) {
  const answers = file.startsWith('answer-');
  describe(`fixtures/${file}`, () => {
    for (const rule of rulesOf(readFileSync(join(folder, file), 'utf8'))) {
      test(rule.heading, () => {
        assert.match(rule.why, /(?:RFC \d+|CVE-\d+|sluice's own limit)/, 'a rule says where it comes from');
        assert.ok(rule.cases.length > 0, 'a rule has an example');
        for (const one of rule.cases) run(one, answers ? answerEvents : requestEvents);
      });
    }
  });
}

function run(one: Case, events: (pieces: readonly Buffer[], one: Case, fields: boolean) => string[]): void {
  const fields = one.events.some((line) => line.startsWith('>'));
  const shown = JSON.stringify(one.input.toString('latin1').slice(0, 300));
  assert.deepEqual(events([one.input], one, fields), one.events, shown);
  const step = one.input.length > 2000 ? Math.ceil(one.input.length / 40) : 1;
  for (let i = 1; i < one.input.length; i += step) {
    assert.deepEqual(events(cut(one.input, i), one, fields), one.events, `cut at ${i}: ${shown}`);
  }
  if (step > 1) return;
  const single = cut(one.input, ...one.input.keys());
  assert.deepEqual(events(single, one, fields), one.events, `byte by byte: ${shown}`);
}

function requestEvents(pieces: readonly Buffer[], _one: Case, fields: boolean): string[] {
  const out: string[] = [];
  const read = readRequests(pieces);
  for (const request of read.requests) {
    const words = [request.method, brief(request.target), `1.${request.minor}`, request.form];
    words.push(request.framing === 'length' ? `length=${request.length}` : request.framing);
    words.push(request.keepAlive ? 'keep' : 'close');
    if (request.expectsContinue) words.push('continue');
    if (request.upgrade !== '') words.push(`upgrade=${request.upgrade}`);
    out.push(`request ${words.join(' ')}`);
    if (fields) out.push(...linesOf(request.lines));
    if (request.body !== '') out.push(`body ${brief(request.body)}`);
    if (request.trailers !== '') out.push(`trailers ${visible(request.trailers)}`);
    if (request.framing !== 'none' && request.complete) out.push('end');
  }
  if (read.error !== '') out.push(`error ${errors[read.error].status} ${read.error}`);
  else if (read.waiting > 0) out.push(`waits with ${read.waiting} bytes`);
  return out;
}

function answerEvents(pieces: readonly Buffer[], { words }: Case, fields: boolean): string[] {
  const upgrade = words.find((word) => word.startsWith('upgrade='))?.slice('upgrade='.length) ?? '';
  const method = words.find((word) => /^[A-Z]+$/.test(word)) ?? 'GET';
  const out: string[] = [];
  const read = readAnswers(pieces, words.includes('eof'), { method, upgrade });
  for (const answer of read.answers) {
    const interim = answer.status < 200 && answer.status !== 101;
    const framing = answer.framing === 'length' ? `length=${answer.length}` : answer.framing;
    out.push(`${interim ? 'interim' : 'answer'} ${visible(answer.line)}${interim ? '' : ` (${framing})`}`);
    if (fields) out.push(...linesOf(answer.lines));
    if (answer.body !== '') out.push(`body ${brief(answer.body)}`);
    if (answer.trailers !== '') out.push(`trailers ${visible(answer.trailers)}`);
    if (answer.complete && !interim) out.push('end');
  }
  if (read.error !== '') out.push(`error ${errors[read.error].status} ${read.error}`);
  out.push(`channel ${read.reusable ? 'stays' : 'closes'}`);
  return out;
}

function linesOf(lines: string): string[] {
  return lines
    .split('\r\n')
    .slice(0, -1)
    .map((line) => `> ${brief(line)}`.trimEnd());
}

function visible(text: string): string {
  return text
    .replaceAll('\r', '\\r')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replace(/[^ -~]/g, (one) => {
      return `\\x${one.charCodeAt(0).toString(16).padStart(2, '0')}`;
    });
}

function brief(text: string): string {
  return text.length > 100 ? `(${text.length} bytes)` : visible(text);
}

function rulesOf(markdown: string): Rule[] {
  const rules: Rule[] = [];
  for (const section of markdown.split(/^## /m).slice(1)) {
    const heading = section.slice(0, section.indexOf('\n'));
    const blocks = [...section.matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)];
    const cases: Case[] = [];
    for (let i = 0; i < blocks.length; i += 2) {
      assert.deepEqual([blocks[i]?.[1], blocks[i + 1]?.[1]], ['http', 'events'], `blocks of "${heading}"`);
      const events = blocks[i + 1][3].split('\n').map((line) => line.trim());
      cases.push({
        words: blocks[i][2].trim().split(/\s+/),
        input: bytesOf(blocks[i][3]),
        events: events.filter((line) => line !== ''),
      });
    }
    const why = section
      .slice(heading.length)
      .replaceAll(/^```.*?^```$/gms, '')
      .trim();
    rules.push({ heading, why, cases });
  }
  return rules;
}

function bytesOf(block: string): Buffer {
  const text = block
    .replaceAll('\n', '')
    .replaceAll(/\{((?:\\.|[^*{}])+)\*(\d+)\}/g, (_, unit: string, times: string) => unit.repeat(Number(times)))
    .replaceAll(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex: string | undefined, letter: string) => {
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
      const code = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' }[letter];
      return code ?? assert.fail(`no escape \\${letter}`);
    });
  return Buffer.from(text, 'latin1');
}
