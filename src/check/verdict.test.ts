import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Verdict, type VerdictRule } from './verdict.ts';

const rules: fc.Arbitrary<VerdictRule> = fc.record({
  rise: fc.integer({ min: 1, max: 5 }),
  fall: fc.integer({ min: 1, max: 5 }),
  first: fc.constantFrom('pass', 'block'),
});

/** What the documents say, over the whole history: written without looking at how it is done. */
function verdictOf(history: readonly boolean[], { rise, fall, first }: VerdictRule): boolean | undefined {
  let verdict: boolean | undefined;
  let since = 0;
  for (let end = 1; end <= history.length; end++) {
    const last = (passed: boolean, count: number): boolean => {
      const run = history.slice(Math.max(since, end - count), end);
      return run.length === count && run.every((one) => one === passed);
    };
    let next = verdict;
    if (verdict === undefined && (history[end - 1] === true || first === 'block')) next = history[end - 1];
    else if (verdict !== false && last(false, fall)) next = false;
    else if (verdict === false && last(true, rise)) next = true;
    if (next !== verdict) since = end;
    verdict = next;
  }
  return verdict;
}

test('whatever probes say, the verdict turns by the rule, and only turns are told', () => {
  fc.assert(
    fc.property(rules, fc.array(fc.boolean(), { maxLength: 60 }), (rule, history) => {
      const verdict = new Verdict(rule);
      for (const [i, passed] of history.entries()) {
        const before = verdict.healthy;
        const turned = verdict.add(passed);
        assert.equal(verdict.healthy, verdictOf(history.slice(0, i + 1), rule));
        assert.equal(turned, verdict.healthy !== before);
      }
    }),
  );
});

/** The turns of a history: `+` and `-`, `.` for none. */
function turns(rule: Partial<VerdictRule>, history: string): string {
  const verdict = new Verdict({ rise: 2, fall: 3, first: 'pass', ...rule });
  return history
    .split('')
    .map((one) => (verdict.add(one === '+') ? (verdict.healthy === true ? '+' : '-') : '.'))
    .join('');
}

test('rise and fall', () => {
  assert.equal(turns({}, '+--+---+-++-'), '+.....-...+.');
  assert.equal(turns({ rise: 1, fall: 1 }, '+-+--++'), '+-+-.+.');
});

test('an origin that is trusted has to fail as often as any other; one that is not is decided about at once', () => {
  assert.equal(turns({}, '--+---'), '..+..-');
  assert.equal(turns({}, '---++'), '..-.+');
  assert.equal(turns({ first: 'block' }, '+---'), '+..-');
  assert.equal(turns({ first: 'block' }, '-+-++'), '-...+');
});
