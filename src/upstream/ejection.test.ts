import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errors, type ErrorCode } from '../core/errors.ts';
import { Ejection, ejectSchema, failureOf, mayEject, type Decision, type Standing } from './ejection.ts';

/** An origin's failures with what health does about them: `ejected` takes it out, `back` lets one request try it. */
class Tried implements Standing {
  inRow = 0;
  times = 0;
  since = 0;
  resting = false;
  testing = false;
  readonly #ejection: Ejection;

  constructor(given: Parameters<typeof ejectSchema.parse>[0]) {
    this.#ejection = new Ejection(ejectSchema.parse(given), this);
  }

  addFailure(): number {
    return ++this.inRow;
  }

  answered(status: number, now: number): Decision {
    const decision = this.#ejection.answered(status, now);
    if (this.inRow === 0) this.testing = false;
    return decision;
  }

  failed(code: ErrorCode, now: number): Decision {
    return this.#ejection.failed(code, now);
  }

  ejected(now: number): number {
    this.resting = true;
    this.testing = false;
    return this.#ejection.ejected(now);
  }

  back(now: number): void {
    this.resting = false;
    this.testing = true;
    this.since = now;
    this.inRow = 1;
    this.#ejection.back();
  }
}

const make = (given: Parameters<typeof ejectSchema.parse>[0] = {}): Tried => new Tried(given);

/** Tells outcomes 10 ms apart, from 1 s on: `+` good, `-` 503, `?` an error that is not the origin's; answers `e` for eject. */
function decisions(ejection: Tried, outcomes: string, from = 1000, step = 10): string {
  const tell = (one: string, now: number): Decision => {
    if (one === '?') return ejection.failed('client-gone', now);
    return ejection.answered(one === '+' ? 200 : 503, now);
  };
  return outcomes
    .split('')
    .map((one, i) => (tell(one, from + i * step) === 'eject' ? 'e' : '.'))
    .join('');
}

describe('what counts', () => {
  test('every error that is the origin’s has a class, and no other', () => {
    for (const code of Object.keys(errors) as ErrorCode[])
      assert.equal(failureOf(code) !== undefined, errors[code].side === 'origin', code);
  });

  test('by default connects, timeouts, resets and 502, 503, 504', () => {
    const counts = (tell: (ejection: Tried) => Decision): boolean => {
      const ejection = make({ failures: 1 });
      return tell(ejection) === 'eject';
    };
    for (const code of [
      'connect-refused',
      'name-not-found',
      'answer-timeout',
      'origin-closed',
      'answer-incomplete',
    ] as const)
      assert.equal(
        counts((one) => one.failed(code, 1000)),
        true,
        code,
      );
    for (const code of ['bad-answer', 'client-gone', 'backlog-full', 'origin-removed', 'internal'] as const)
      assert.equal(
        counts((one) => one.failed(code, 1000)),
        false,
        code,
      );
    for (const status of [502, 503, 504])
      assert.equal(
        counts((one) => one.answered(status, 1000)),
        true,
      );
    for (const status of [101, 200, 404, 429, 500, 501, 505, 599])
      assert.equal(
        counts((one) => one.answered(status, 1000)),
        false,
      );
  });

  test('or what the options say', () => {
    const ejection = make({ failures: 1, on: [429, 'invalid'] });
    assert.equal(ejection.answered(503, 1000), 'stay');
    assert.equal(ejection.failed('answer-timeout', 1000), 'stay');
    assert.equal(ejection.failed('connect-refused', 1000), 'stay');
    assert.equal(ejection.answered(429, 1000), 'eject');
    assert.equal(ejection.failed('bad-answer', 1000), 'eject');
    const never = make({ failures: 1, on: [] });
    assert.equal(never.answered(503, 1000), 'stay');
    assert.equal(never.failed('connect-refused', 1000), 'stay');
  });
});

describe('failures in a row', () => {
  test('five, and a success between them begins the count anew', () => {
    assert.equal(decisions(make(), '----+-----'), '.........e');
    assert.equal(decisions(make({ failures: 2 }), '-+--'), '...e');
    assert.equal(decisions(make({ failures: 'off' }), '-'.repeat(1000)), '.'.repeat(1000));
  });

  test('errors that are not the origin’s neither count nor excuse', () => {
    assert.equal(decisions(make({ failures: 3 }), '-?-??-'), '.....e');
    assert.equal(decisions(make({ failures: 1 }), '????'), '....');
  });

  test('a status that does not count is a success', () => {
    const ejection = make({ failures: 2 });
    ejection.answered(503, 1);
    ejection.answered(500, 2);
    assert.equal(ejection.answered(503, 3), 'stay');
    assert.equal(ejection.answered(503, 4), 'eject');
  });

  test('a failed connect is enough', () => {
    assert.equal(make().failed('connect-timeout', 1000), 'eject');
  });

  test('a decision that is not carried out comes again', () => {
    assert.equal(decisions(make({ failures: 2 }), '----+--'), '.eee..e');
  });

  test('whatever comes, it is as a count of the whole history', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(fc.constantFrom('+', '-', '?')), (failures, list) => {
        const told = decisions(make({ failures }), list.join(''));
        for (const [i, one] of list.entries()) {
          const row =
            /-*$/.exec(
              list
                .slice(0, i + 1)
                .filter((each) => each !== '?')
                .join(''),
            )?.[0].length ?? 0;
          assert.equal(told[i] === 'e', one === '-' && row >= failures, list.join(''));
        }
      }),
    );
  });
});

describe('the share within a window', () => {
  const half = { failures: 'off', share: 0.5, requests: 10 } as const;

  test('is looked at from the fewest requests on', () => {
    assert.equal(decisions(make(half), '-+'.repeat(6)), '..........e.');
    assert.equal(decisions(make(half), '-'.repeat(10)), '.........e');
    assert.equal(decisions(make(half), '-++'.repeat(100)), '.'.repeat(300));
    assert.equal(decisions(make(), '-+'.repeat(100)), '.'.repeat(200));
  });

  test('begins with the first failure: good times before it excuse nothing', () => {
    assert.equal(decisions(make(half), `${'+'.repeat(90)}${'-'.repeat(10)}`), `${'.'.repeat(99)}e`);
    assert.equal(decisions(make(half), `-${'+'.repeat(90)}${'-'.repeat(10)}`), '.'.repeat(101));
  });

  test('what is older than the window is forgotten', () => {
    // Nine failures, then nothing for more than the window: they do not make the tenth.
    const ejection = make(half);
    assert.equal(decisions(ejection, '-'.repeat(9), 1000), '.........');
    assert.equal(decisions(ejection, '-'.repeat(10), 11_500), '.........e');
    // However long that was.
    for (let gap = 10_000; gap < 45_000; gap += 500) {
      const one = make(half);
      decisions(one, '-'.repeat(9), 1000);
      assert.equal(decisions(one, '-', 1000 + gap), '.', `after ${gap} ms`);
    }
    // And those of 9 s ago do.
    const other = make(half);
    decisions(other, '-'.repeat(9), 1000);
    assert.equal(decisions(other, '-', 9900), 'e');
  });

  test('is of whole tenths of the window, from the first failure on', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ good: fc.boolean(), gap: fc.integer({ min: 0, max: 700 }) }), { maxLength: 200 }),
        (list) => {
          const ejection = make({ ...half, window: 1000 });
          let now = 5000;
          const seen: { now: number; good: boolean }[] = [];
          for (const { good, gap } of list) {
            now += gap;
            seen.push({ now, good });
            const decision = ejection.answered(good ? 200 : 503, now);
            if (good) {
              assert.equal(decision, 'stay');
              continue;
            }
            // The window as it is: whole tenths, from the first failure on.
            const start = (Math.floor(now / 100) - 9) * 100;
            const young = seen.filter((one) => one.now >= start);
            const failures = young.filter((one) => !one.good).length;
            const counted = young.slice(young.findIndex((one) => !one.good)).length;
            if (decision === 'eject') assert.ok(counted >= 10 || young.length >= 10);
            if (decision === 'eject') assert.ok(failures >= 0.5 * counted);
            if (counted >= 10 && failures >= 0.5 * young.length) assert.equal(decision, 'eject');
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('time out', () => {
  const times = { first: '1s', longest: '8s', failures: 1 } as const;

  test('doubles up to the longest, while it fails when it comes back', () => {
    const ejection = make(times);
    let now = 1000;
    for (const wanted of [1000, 2000, 4000, 8000, 8000, 8000]) {
      assert.equal(ejection.answered(503, now), 'eject');
      assert.equal(ejection.ejected(now), wanted);
      now += wanted;
      ejection.back(now);
    }
  });

  test('halves for each longest time without trouble', () => {
    const ejection = make(times);
    const out = (now: number): number => {
      const rest = ejection.ejected(now);
      ejection.back(now + rest);
      return rest;
    };
    assert.deepEqual([0, 1000, 3000, 7000].map(out), [1000, 2000, 4000, 8000]);
    // Back at 15 s; one good while and a bit.
    assert.equal(out(15_000 + 8500), 4000);
    // Back at 27.5 s.
    assert.equal(out(27_500 + 7900), 8000);
    assert.equal(out(43_400 + 1_000_000), 1000);
  });

  test('what ends while it is out, changes nothing', () => {
    const ejection = make({ failures: 2, first: '1s' });
    decisions(ejection, '--');
    ejection.ejected(1100);
    assert.equal(decisions(ejection, '+---', 1200), '....');
    assert.equal(ejection.failed('connect-refused', 1300), 'stay');
    assert.equal(ejection.ejected(1400), 2000);
  });

  test('when it is back one failure is enough, and one success is too', () => {
    const ejection = make({ failures: 3, share: 0.1 });
    ejection.ejected(1000);
    ejection.back(11_000);
    assert.equal(decisions(ejection, '?-', 11_000), '.e');
    ejection.ejected(11_020);
    ejection.back(31_000);
    assert.equal(decisions(ejection, '+---', 31_000), '...e');
    // Also when nothing was wrong with it but that it could not be reached.
    const gone = make({ failures: 2 });
    gone.ejected(1000);
    gone.back(11_000);
    assert.equal(decisions(gone, '+-', 11_000), '..');
  });

  test('when it is back, what it did before is no share of anything', () => {
    const ejection = make({ failures: 'off', share: 0.5, requests: 10 });
    decisions(ejection, '-'.repeat(10));
    ejection.ejected(1100);
    ejection.back(1200);
    assert.equal(decisions(ejection, `+${'-'.repeat(10)}`, 1200), '..........e');
  });
});

describe('how many may be out', () => {
  test('a share of all, never the last', () => {
    const most = (origins: number, share: number): number => {
      let out = 0;
      while (mayEject(origins, out, share)) out++;
      return out;
    };
    assert.deepEqual(
      [0, 1, 2, 3, 4, 5, 10].map((origins) => most(origins, 0.5)),
      [0, 0, 1, 1, 2, 2, 5],
    );
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((origins) => most(origins, 1)),
      [0, 0, 1, 2, 3],
    );
    assert.deepEqual(
      [5, 10, 19, 20].map((origins) => most(origins, 0.1)),
      [0, 1, 1, 2],
    );
    assert.equal(most(100, 0.29), 29);
    assert.equal(most(100, 0), 0);
  });

  test('those that are out for other reasons count', () => {
    assert.equal(mayEject(4, 2, 0.5), false);
    assert.equal(mayEject(4, 4, 1), false);
  });
});
