/** What fixtures of codecs have in common: bytes written as text, and requests written as they are sent. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { cgiSchema } from '../../src/codec/cgi/options.ts';
import type { Asker, CodecSession, RequestTarget } from '../../src/codec/codec.ts';
import type { Request } from '../../src/core/request.ts';
import { exchangeOf } from './exchange.ts';
import { blocks } from './markdown.ts';
import { requestOf } from './request.ts';
import { Heard, Sent } from './session.ts';

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '0': '\0', '\\': '\\' };

/** `\r \n \t \0 \\ \xNN` are bytes, and `{a*9000}` is 9000 times `a`. */
export function bytesOf(text: string): Buffer {
  const repeated = text.replaceAll(/\{(.+?)\*(\d+)\}/g, (_, one: string, times: string) => one.repeat(Number(times)));
  const plain = repeated.replaceAll(/\\(?:x([0-9a-f]{2})|(.))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? (ESCAPES[letter] ?? assert.fail(`\\${letter}`)) : String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(plain, 'latin1');
}

interface Told {
  readonly request: Request;
  readonly target: RequestTarget;
  readonly from: Asker;
  readonly body: Buffer;
  /** Of the codec. */
  readonly options: object;
}

/**
 * A request of a fixture: its head, and its body behind an empty line. Lines that begin with `;` come first and are JSON:
 * `; client {…}` who has connected, `; remote "…"` who asks, when that is somebody else, `; target {…}` how the origin is addressed,
 * `; cgi {…}` and `; options {…}` the config, `; variables {…}` what an authorizer has said.
 */
export function requestIn(block: string): Told {
  const lines = block.split('\n').filter((line) => line !== '' || !block.startsWith('\n'));
  const settings: Record<string, unknown> = {};
  while (lines[0]?.startsWith(';') === true) {
    const [, name = '', json = ''] =
      /^; (\w+) (.*)$/.exec(lines.shift() ?? '') ?? assert.fail(`not a setting: ${block}`);
    settings[name] = JSON.parse(json);
  }
  const { client = {}, remote, target = {}, cgi = {}, options = {}, variables, ...rest } = settings;
  assert.deepEqual(rest, {}, 'a setting that nobody knows');
  const empty = lines.indexOf('');
  const head = (empty < 0 ? lines : lines.slice(0, empty)).map((line) => bytesOf(line).latin1Slice());
  const body = bytesOf(
    empty < 0
      ? ''
      : lines
          .slice(empty + 1)
          .join('\n')
          .replace(/\n$/, ''),
  );
  const request = requestOf(...head);
  request.minor = head[0]?.endsWith('HTTP/1.0') === true ? 0 : 1;
  const length = /^content-length: *(\d+)$/im.exec(head.join('\n'))?.[1];
  if (length !== undefined && Number(length) > 0) Object.assign(request, { framing: 'length', length: Number(length) });
  else if (head.some((line) => /^transfer-encoding: *chunked$/i.test(line))) request.framing = 'chunked';
  const exchange = exchangeOf(client as object, 'GET / HTTP/1.1');
  if (typeof remote === 'string') exchange.remote = remote;
  if (variables !== undefined) exchange.variables = new Map(Object.entries(variables as Record<string, string>));
  return {
    request,
    target: { authority: 'origin:8009', replaceHost: false, ...(target as object), cgi: cgiSchema.parse(cgi) },
    from: exchange,
    body,
    options: options as object,
  };
}

/**
 * Runs the fixtures of a folder: each `##` is a rule, says where it comes from, and has pairs of blocks.
 *
 * @param sources what a rule may refer to
 * @param run for the words behind the fence of the first block, its text, and the text of the second
 */
export function fixtures(
  folder: string,
  sources: RegExp,
  run: (words: readonly string[], given: string, expected: string) => void,
): void {
  for (const file of readdirSync(folder).toSorted()) {
    describe(`fixtures/${file}`, () => {
      for (const section of readFileSync(join(folder, file), 'utf8').split(/^## /m).slice(1)) {
        test(section.slice(0, section.indexOf('\n')), () => {
          assert.match(section, sources, 'a rule says where it comes from');
          const all = blocks(section);
          assert.ok(all.length > 0 && all.length % 2 === 0, 'a rule has examples');
          for (let i = 0; i < all.length; i += 2) run(all[i].language.split(' '), all[i].text, all[i + 1].text.trim());
        });
      }
    });
  }
}

/** What a session sends of this request, its body byte by byte; or `refused CODE`, when nothing was sent. */
export function sentOf(make: (options: object, sent: Sent) => CodecSession, asked: string): Buffer | string {
  const { request, target, from, body, options } = requestIn(asked);
  const sent = new Sent();
  const session = make(options, sent);
  const opened = session.open(request, target, new Heard(), from);
  if (typeof opened === 'string') {
    assert.deepEqual([sent.take().length, session.reusable], [0, true], 'the connection is as it was');
    return `refused ${opened}`;
  }
  for (let i = 0; i < body.length; i++) session.body(opened, body, i, i + 1);
  session.end(opened, '');
  return sent.take();
}

/** The lines of a block about variables: those, and the body. */
export function compareRequest(pairs: readonly (readonly [string, string])[], rest: Buffer, expected: string): void {
  const lines = expected.split('\n');
  const body = lines.filter((line) => line.startsWith('body ')).map((line) => bytesOf(line.slice(5)).latin1Slice());
  assert.equal(rest.latin1Slice(), body.join(''));
  compareVariables(
    pairs,
    lines.filter((line) => !line.startsWith('body ')),
  );
}

/** Pairs of an encoding of variables, held against lines `NAME=value`. A line `…` stands for any others. */
function compareVariables(pairs: readonly (readonly [string, string])[], lines: readonly string[]): void {
  const names = pairs.map(([name]) => name);
  assert.equal(new Set(names).size, names.length, `a name comes twice: ${names.join(' ')}`);
  const told = pairs.map(([name, value]) => `${name}=${value}`);
  const wanted = lines.filter((line) => line !== '…').map((line) => bytesOf(line).latin1Slice());
  if (wanted.length === lines.length) return assert.deepEqual(told, wanted);
  const unset = wanted.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  for (const name of unset) assert.ok(!names.includes(name), `${name} is told`);
  const listed = wanted.filter((line) => !line.startsWith('!'));
  const shown = told.filter((line) =>
    listed.some((one) => one.slice(0, one.indexOf('=')) === line.slice(0, line.indexOf('='))),
  );
  assert.deepEqual(shown, listed);
}
