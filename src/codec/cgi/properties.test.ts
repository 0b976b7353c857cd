/** What holds of SCGI, uwsgi and CGI programs for any request and any bytes: nothing arrives as something else, or gets further than it may. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anyTarget, fieldLines, offsets, pieces, variablesOf } from '../../../test/support/arbitrary.ts';
import { exchangeOf } from '../../../test/support/exchange.ts';
import { cut } from '../../../test/support/http1.ts';
import { requestOf } from '../../../test/support/request.ts';
import { asker, converse, feed, Heard, Sent, TARGET } from '../../../test/support/session.ts';
import { readScgi, readUwsgi, type Variables } from '../../../test/support/variables.ts';
import type { CodecLimits, CodecSession } from '../codec.ts';
import type { Exit } from '../../core/program.ts';
import { scgi } from '../scgi/scgi.ts';
import { uwsgi } from '../uwsgi/uwsgi.ts';
import { cgiSchema } from './options.ts';
import { ProgramSession } from './program.ts';

const LIMITS = { head: 4096, fields: 50 };

interface Subject {
  readonly make: (sent: Sent, limits: CodecLimits) => CodecSession;
  readonly read: (bytes: Buffer) => Variables;
}

const SUBJECTS: Readonly<Record<string, Subject>> = {
  scgi: { make: (sent, limits) => scgi.create({}, sent, limits), read: readScgi },
  uwsgi: { make: (sent, limits) => uwsgi.create({ modifier1: 0, modifier2: 0 }, sent, limits), read: readUwsgi },
};

const ends = (heard: Heard): string[] => heard.events.filter((event) => /^(?:end|error)/.test(event));

/** What an application, or somebody in its place, may get wrong. */
const SHARDS = [
  ...['\n', '\r\n', '\r\n\r\n', '\n\n', ':', ' ', '\0', '\xff', 'Status: 404 x\n', 'Status: 99\n', 'X: y\r\n'],
  ...[
    'Location: /\n',
    'HTTP/1.1 200 OK\r\n',
    'HTTP/1.1 100\r\n\r\n',
    'Content-Length: 3\n',
    '3\r\nabc\r\n',
    '0\r\n\r\n',
  ],
  'Transfer-Encoding: chunked\r\n',
];
const soup = fc
  .array(fc.constantFrom(...SHARDS), { maxLength: 10 })
  .map((parts) => Buffer.from(parts.join(''), 'latin1'));

const GOOD: readonly string[] = [
  'Status: 200 OK\r\nContent-Length: 3\r\nX: y\r\n\r\nabc',
  'Status: 200 OK\nX: y\n\nabc',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n',
];

for (const [name, { make, read }] of Object.entries(SUBJECTS)) {
  describe(name, () => {
    test('any request arrives as it was: every field once, under one name, and the body whole', () => {
      const property = fc.property(anyTarget, fieldLines, pieces, fc.boolean(), (target, fields, parts, splits) => {
        const lines = fields.map(([field, value]) => `${field}: ${value}`);
        const exchange = exchangeOf({}, `POST ${target} HTTP/1.1`, 'Host: a', ...lines);
        const { request } = exchange;
        fc.pre(!request.climbs);
        const body = Buffer.concat(parts);
        Object.assign(request, body.length === 0 ? {} : { framing: 'length', length: body.length });
        const sent = new Sent();
        const session = make(sent, LIMITS);
        const cgi = cgiSchema.parse(splits ? { root: '/r', split: ['.php'], front: '/front.php' } : {});
        assert.equal(session.open(request, { ...TARGET, cgi }, new Heard(), exchange), 0);
        for (const part of parts) session.body(0, part, 0, part.length);
        session.end(0, '');
        const { pairs, rest } = read(sent.take());
        assert.ok(rest.equals(body));
        const variables = new Map(pairs);
        assert.equal(variables.size, pairs.length, 'no name comes twice');
        for (const [variable, value] of pairs) {
          assert.match(variable, /^[A-Z][A-Z0-9_]*$/);
          assert.ok(!value.includes('\0'), variable);
        }
        assert.equal(variables.get('REQUEST_URI'), target);
        assert.equal(variables.has('HTTP_PROXY'), false);
        for (const [variable, value] of variablesOf(fields)) assert.equal(variables.get(variable), value, variable);
      });
      fc.assert(property, { numRuns: 300 });
    });

    test('a good answer with any byte changed: one result for every split, and no exception', () => {
      const change = fc.tuple(fc.nat(200), fc.integer({ min: 0, max: 255 }));
      const changes = fc.array(change, { minLength: 1, maxLength: 3 });
      const property = fc.property(fc.constantFrom(...GOOD), changes, offsets, (good, some, cuts) => {
        const bad = Buffer.from(good, 'latin1');
        for (const [at, byte] of some) bad[at % bad.length] = byte;
        const run = (all: readonly Buffer[]): Heard =>
          converse(make(new Sent(), LIMITS), requestOf('GET / HTTP/1.1', 'Host: a'), all, { eof: true });
        const whole = run([bad]);
        assert.equal(ends(whole).length, 1, whole.events.join());
        assert.deepEqual(run(cut(bad, ...cuts)).all, whole.all);
        assert.deepEqual(run(cut(bad, ...bad.keys())).all, whole.all, 'byte by byte');
      });
      fc.assert(property, { numRuns: 1000 });
    });

    test('limits of the head give one result for every split', () => {
      const limits = fc.record({ head: fc.integer({ min: 1, max: 60 }), fields: fc.nat(3) });
      const property = fc.property(limits, soup, (bounds, tail) => {
        const all = Buffer.concat([Buffer.from('Status: 200\nA: b\r\nC: d\n\nbody'), tail]);
        const run = (...at: number[]): object => {
          const heard = converse(make(new Sent(), bounds), requestOf('GET / HTTP/1.1', 'Host: a'), cut(all, ...at), {
            eof: true,
          });
          return heard.all;
        };
        const whole = run();
        for (let i = 1; i < all.length; i++) assert.deepEqual(run(i), whole, `cut at ${i}`);
      });
      fc.assert(property, { numRuns: 300 });
    });
  });
}

describe('a program', () => {
  /** What may come of it, in the order that its pipes and its end happen to have. */
  type Event =
    | { readonly out: Buffer }
    | { readonly err: Buffer }
    | { readonly exit: Exit }
    | 'silent'
    | 'eof'
    | 'abort';
  const exit = fc.constantFrom<Exit>(
    { code: 0, signal: null },
    { code: 1, signal: null },
    { code: null, signal: 'SIGKILL' },
  );
  const event: fc.Arbitrary<Event> = fc.oneof(
    { weight: 4, arbitrary: soup.map((out) => ({ out })) },
    { weight: 1, arbitrary: fc.constantFrom(...GOOD).map((good) => ({ out: Buffer.from(good) })) },
    {
      weight: 2,
      arbitrary: fc.constantFrom('one\n', 'two', '\n', '\xff\0\n').map((text) => ({ err: Buffer.from(text) })),
    },
    { weight: 1, arbitrary: exit.map((one) => ({ exit: one })) },
    { weight: 1, arbitrary: fc.constantFrom<Event>('silent', 'eof', 'abort') },
  );

  test('whatever it writes, and however it ends: at most one end, exactly one once it has ended, and no exception', () => {
    const property = fc.property(fc.array(event, { maxLength: 12 }), fc.boolean(), (events, split) => {
      const heard = new Heard();
      const session = new ProgramSession(new Sent(), LIMITS);
      session.open(requestOf('GET / HTTP/1.1', 'Host: a'), { ...TARGET, program: '/bin/app' }, heard, asker());
      let aborted = false;
      let before = 0;
      for (const one of events) {
        if (one === 'silent') session.silent();
        else if (one === 'eof') session.eof();
        else if (one === 'abort') {
          if (!aborted) before = heard.events.length;
          aborted = true;
          session.abort();
        } else if ('out' in one)
          for (const piece of split ? cut(one.out, ...one.out.keys()) : [one.out]) feed(session, piece);
        else if ('err' in one) session.complained(one.err);
        else session.exited(one.exit);
      }
      session.eof();
      assert.equal(session.reusable, false);
      if (aborted) assert.equal(heard.events.length, before, 'nothing is heard after an abort');
      else assert.equal(ends(heard).length, 1, heard.events.join());
      assert.ok(heard.notes.length <= 101);
    });
    fc.assert(property, { numRuns: 1500 });
  });

  test('any request: its environment has every name once, and no NUL', () => {
    const property = fc.property(anyTarget, fieldLines, (target, fields) => {
      const lines = fields.map(([field, value]) => `${field}: ${value}`);
      const exchange = exchangeOf({}, `GET ${target} HTTP/1.1`, 'Host: a', ...lines);
      fc.pre(!exchange.request.climbs);
      const session = new ProgramSession(new Sent(), LIMITS);
      assert.equal(session.open(exchange.request, { ...TARGET, program: '/bin/app' }, new Heard(), exchange), 0);
      const { env } = session.running.command;
      const variables = new Map(env);
      assert.equal(variables.size, env.length);
      for (const [name, value] of env) assert.ok(/^[A-Z][A-Z0-9_]*$/.test(name) && !value.includes('\0'), name);
      for (const [name, value] of variablesOf(fields)) assert.equal(variables.get(name), value, name);
    });
    fc.assert(property, { numRuns: 200 });
  });
});
