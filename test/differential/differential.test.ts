/**
 * sluice's parsers against llhttp, on a corpus of spoilt messages: every disagreement is in request-classes.ts or answer-classes.ts. And what sluice
 * sends on of a message that it takes is, for llhttp, exactly that message: nothing can be hidden in one to come out as two.
 *
 * 20,000 messages of each kind; with SLUICE_CORPUS=full, as in CI, 200,000. SLUICE_UPDATE=1 writes README.md.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { hopByHop } from '../../src/rewrite/hop-by-hop.ts';
import type { Exchange } from '../../src/core/exchange.ts';
import type { Answer } from '../../src/core/answer.ts';
import { Request } from '../../src/core/request.ts';
import type { WireLike } from '../../src/core/wire.ts';
import type { Clock } from '../../src/core/clock.ts';
import { AnswerWriter, DateLine } from '../../src/listen/answer-writer.ts';
import { forward, readAnswers, type ReadRequest, readRequests } from '../support/http1.ts';
import { answerClasses } from './answer-classes.ts';
import { type Class, classOf } from './classes.ts';
import { compareAnswers, compareRequests, type Parting } from './compare.ts';
import { answer, request } from './corpus.ts';
import { tell } from './llhttp.ts';
import { requestClasses } from './request-classes.ts';

const COUNT = process.env['SLUICE_CORPUS'] === 'full' ? 200_000 : 20_000;

/** Sorts the partings of the whole corpus into classes; those that fit none are the failure. */
function explain(classes: readonly Class[], parting: (number: number) => Parting | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  const unexplained: string[] = [];
  for (let number = 0; number < COUNT; number++) {
    const found = parting(number);
    if (found === undefined) continue;
    const known = classOf(classes, found);
    if (known !== undefined) counts.set(known.name, (counts.get(known.name) ?? 0) + 1);
    else unexplained.push(`${number}: sluice ${found.ours}, llhttp ${found.theirs}: ${JSON.stringify(found.text)}`);
  }
  assert.deepEqual(unexplained.slice(0, 20), [], `${unexplained.length} disagreements are in no class`);
  return counts;
}

function noneIsEmpty(classes: readonly Class[], counts: ReadonlyMap<string, number>): void {
  // Some are too rare for the short run.
  if (COUNT < 200_000) return;
  for (const { name } of classes) assert.ok(counts.has(name), `nothing is in the class "${name}" any more`);
}

test(`${COUNT} requests: every disagreement with llhttp is explained`, (t) => {
  const counts = explain(requestClasses, (number) => compareRequests(request(number)));
  t.diagnostic(`${[...counts.values()].reduce((a, b) => a + b, 0)} disagreements in ${counts.size} classes`);
  noneIsEmpty(requestClasses, counts);
});

test(`${COUNT} answers: every disagreement with llhttp is explained`, (t) => {
  const counts = explain(answerClasses, (number) => compareAnswers(answer(number), number % 8 === 0));
  t.diagnostic(`${[...counts.values()].reduce((a, b) => a + b, 0)} disagreements in ${counts.size} classes`);
  noneIsEmpty(answerClasses, counts);
});

test('a request that is taken goes on as one request, and says the same', () => {
  const known = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'QUERY', 'TRACE', 'M-SEARCH']);
  let sent = 0;
  for (let number = 0; number < COUNT; number++) {
    readRequests([request(number)], undefined, (taken, read) => {
      if (taken.method === 'CONNECT') return;
      const bytes = sendOn(taken, read);
      const shown = JSON.stringify([request(number).latin1Slice(), bytes.latin1Slice()]);
      sent++;
      const again = readRequests([bytes]);
      assert.deepEqual([again.requests.length, again.error, again.waiting], [1, '', 0], shown);
      const [one] = again.requests;
      assert.deepEqual([one.method, one.target, one.body], [taken.method, taken.pathAndQuery, read.body], shown);
      assert.deepEqual([one.trailers, one.upgrade, one.minor], [read.trailers, read.upgrade, 1], shown);
      if (!known.has(taken.method)) return;
      const told = tell('requests', bytes, true);
      assert.deepEqual([told.messages.length, told.error], [1, ''], shown);
      const [{ start, body, complete }] = told.messages;
      assert.deepEqual([start, body, complete], [`${taken.method} ${taken.pathAndQuery}`, read.body, true], shown);
    });
  }
  assert.ok(sent > COUNT / 4, `only ${sent}`);
});

test('an answer that is taken goes on as one answer, and says the same', () => {
  const asked = new Request();
  let sent = 0;
  for (let number = 0; number < COUNT; number++) {
    const head = number % 8 === 0;
    asked.clear();
    asked.method = head ? 'HEAD' : 'GET';
    const parts: string[] = [];
    let body = '';
    let status = 0;
    const writer = new AnswerWriter(wireInto(parts), new DateLine({ wall: () => 0 } as Clock));
    const client = {
      head(given: Answer): void {
        ({ status } = given);
        hopByHop.answer?.({ request: asked } as Exchange, given);
        writer.head(given, asked, true);
      },
      body(buffer: Buffer, start: number, end: number): void {
        body += buffer.latin1Slice(start, end);
        writer.body(buffer, start, end);
      },
      end(trailers: string): void {
        writer.end(trailers);
        sent++;
        const told = tell('answers', Buffer.from(parts.join(''), 'latin1'), true, head);
        const shown = JSON.stringify([answer(number).latin1Slice(), parts.join('')]);
        assert.deepEqual([told.messages.length, told.error], [1, ''], shown);
        const [one] = told.messages;
        assert.deepEqual([one.status, one.body, one.complete], [status, body, true], shown);
        // To HEAD llhttp asks for a length before it believes that the connection stays.
        assert.ok(one.keepAlive || head, shown);
      },
    };
    readAnswers([answer(number)], true, { method: asked.method }, client);
  }
  assert.ok(sent > COUNT / 4, `only ${sent}`);
});

test('README.md is the table', () => {
  const path = join(import.meta.dirname, 'README.md');
  const rows = (classes: readonly Class[]): string =>
    classes.map(({ name, right, source, why }) => `| ${name} | ${right} | ${source} | ${why} |`).join('\n');
  const columns = '| disagreement | right | source | why |\n|---|---|---|---|';
  const page = `# Where sluice and llhttp disagree

Generated from \`request-classes.ts\` and \`answer-classes.ts\` by \`SLUICE_UPDATE=1 npm test -- differential\`. The corpus (\`corpus.ts\`) is ordinary messages, spoilt one to
three times each by a dice with a fixed seed: 200,000 requests and as many answers in CI. llhttp is Node's own, in its strict
mode. A disagreement that is in no row fails the test, and so does a row that nothing falls into any more.

## Requests

${columns}
${rows(requestClasses)}

## Answers

${columns}
${rows(answerClasses)}
`;
  if (process.env['SLUICE_UPDATE'] === '1') writeFileSync(path, page);
  assert.equal(readFileSync(path, 'utf8'), page, 'SLUICE_UPDATE=1 npm test -- differential');
});

function sendOn(taken: Request, read: ReadRequest): Buffer {
  hopByHop.request?.({ request: taken } as Exchange);
  return forward(taken, read.body, read.trailers);
}

function wireInto(parts: string[]): WireLike {
  const sink: Pick<WireLike, 'text' | 'bytes'> = {
    text: (text) => void parts.push(text),
    bytes: (buffer, start, end) => void parts.push(buffer.latin1Slice(start, end)),
  };
  return sink as WireLike;
}
