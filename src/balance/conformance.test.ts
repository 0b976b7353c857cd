/** What every policy promises, one list for all. A new one gets a row here, and says what it does not promise and why. */
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { ask, origin, seeded, tally, weighted } from '../../test/support/origins.ts';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerTools } from './balancer.ts';
import { balancers, findBalancer, type BalancerName } from './index.ts';

interface Row {
  readonly policy: BalancerName;
  readonly given?: Record<string, unknown>;
  /** How far shares may be from the weights, relatively; or why they need not match. */
  readonly weights: number | string;
  /** `all`: everybody gets something when all are equal. Otherwise: why not. */
  readonly serves: string;
  /** The same key leads to the same origin, whatever the load, the dice and the order of the list. */
  readonly affinity: boolean;
  /** Bytes that a pick leaves on the heap. */
  readonly garbage: number;
}

const SECRET = 'a secret for tests, long enough';

const rows: readonly Row[] = [
  { policy: 'random-two', weights: 0.1, serves: 'all', affinity: false, garbage: 0 },
  { policy: 'round-robin', weights: 0.01, serves: 'all', affinity: false, garbage: 0 },
  { policy: 'least-busy', weights: 0.01, serves: 'all', affinity: false, garbage: 0 },
  { policy: 'hash', weights: "lighttpd's score has none", serves: 'all', affinity: true, garbage: 0 },
  { policy: 'hash', given: { key: 'address' }, weights: 'as above', serves: 'all', affinity: true, garbage: 0 },
  { policy: 'carp', weights: 0.4, serves: 'all', affinity: true, garbage: 0 },
  { policy: 'first', weights: 'only order counts', serves: 'only the first', affinity: false, garbage: 0 },
  { policy: 'sticky', given: { secret: SECRET }, weights: 0.1, serves: 'all', affinity: false, garbage: 40 },
  { policy: 'sticky', given: { by: 'address' }, weights: 0.1, serves: 'all', affinity: true, garbage: 0 },
];

function make(row: Row, tools: BalancerTools = seeded()): Balancer {
  const kind = findBalancer(row.policy) ?? assert.fail(`no ${row.policy}`);
  return kind.create(kind.options.parse(row.given ?? {}), tools);
}

/** Two decimals of weight, a tenth of them 0, some backups, any load. */
const pools = fc.array(
  fc.record({
    weight: fc.oneof(
      { weight: 1, arbitrary: fc.constant(0) },
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 999 }) },
    ),
    backup: fc.boolean(),
    inFlight: fc.integer({ min: 0, max: 50 }),
  }),
  { maxLength: 12 },
);
type Pool = typeof pools extends fc.Arbitrary<infer Made> ? Made : never;

function build(pool: Pool): Origin[] {
  return pool.map(({ weight, backup, inFlight }, i) => {
    const made = origin(`10.0.0.${i + 1}:8080`, { weight: weight / 100, backup });
    made.inFlight = inFlight;
    return made;
  });
}

/** A question under the contract of `usable`: backups refuse while a primary is usable. */
function question(key: string, up: ReadonlySet<Origin>): Ask {
  const primary = [...up].some((one) => !one.backup);
  return ask({ key, usable: (one) => up.has(one) && !(one.backup && primary) });
}

const steps = fc.array(
  fc.record({ key: fc.string(), mask: fc.nat(0xfff), members: fc.oneof(fc.constant(0xfff), fc.nat(0xfff)) }),
  { minLength: 1, maxLength: 30 },
);

const KEYS = Array.from({ length: 20_000 }, (_, i) => ask({ key: `/page/${i}.html` }));

const collect = (() => {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
})();

for (const row of rows) {
  describe(row.given === undefined ? row.policy : `${row.policy} ${JSON.stringify(row.given)}`, () => {
    test('picks a usable member whenever there is one, and nobody else', () => {
      fc.assert(
        fc.property(pools, steps, fc.integer(), (pool, list, seed) => {
          const origins = build(pool);
          const balancer = make(row, seeded(seed));
          for (const { key, mask, members } of list) {
            const present = origins.filter((_, i) => (members >> i) & 1);
            balancer.update(present);
            const one = question(key, new Set(present.filter((_, i) => (mask >> i) & 1)));
            const usable = present.filter((who) => one.usable(who));
            for (let again = 0; again < 3; again++) {
              const chosen = balancer.pick(one);
              if (usable.length === 0) assert.equal(chosen, undefined);
              else assert.ok(chosen !== undefined && usable.includes(chosen), `chose ${chosen?.name}`);
            }
          }
        }),
      );
    });

    test('weight 0 is chosen only when nobody with a share is usable', () => {
      fc.assert(
        fc.property(pools, fc.string(), fc.nat(0xfff), (pool, key, mask) => {
          const origins = build(pool);
          const balancer = make(row);
          balancer.update(origins);
          const one = question(key, new Set(origins.filter((_, i) => (mask >> i) & 1)));
          const shared = origins.some((who) => who.weight > 0 && one.usable(who));
          const chosen = balancer.pick(one);
          assert.ok(!(shared && chosen?.weight === 0));
        }),
      );
    });

    test('the same dice give the same choices', () => {
      fc.assert(
        fc.property(pools, fc.array(fc.string()), fc.integer(), (pool, keys, seed) => {
          const origins = build(pool);
          const [one, other] = [make(row, seeded(seed)), make(row, seeded(seed))];
          one.update(origins);
          other.update(origins);
          for (const key of keys) assert.equal(one.pick(ask({ key })), other.pick(ask({ key })));
        }),
      );
    });

    test('an empty list, before and after others; and a single origin', () => {
      const balancer = make(row);
      const [only] = weighted(1);
      assert.equal(balancer.pick(ask({ key: '/a' })), undefined);
      balancer.update([only]);
      assert.equal(balancer.pick(ask({ key: '/a' })), only);
      assert.equal(balancer.pick(ask({ key: '' })), only);
      balancer.update([]);
      assert.equal(balancer.pick(ask({ key: '/a' })), undefined);
    });

    test('picking changes no origin and does not touch the list', () => {
      const origins = Object.freeze(weighted(1, 2, 0));
      const before = origins.map((one) => new Int32Array(one.board.memory.slice(0)));
      const balancer = make(row);
      balancer.update(origins);
      assert.notEqual(balancer.pick(ask({ key: '/a' })), undefined);
      const after = origins.map((one) => new Int32Array(one.board.memory.slice(0)));
      assert.deepEqual(after, before);
    });

    test('shares follow weights', { skip: typeof row.weights === 'string' && row.weights }, () => {
      const origins = weighted(1, 2, 3, 4, 5);
      const balancer = make(row);
      balancer.update(origins);
      const near = (counts: number[], due: number[]): void => {
        const sum = due.reduce((total, share) => total + share, 0);
        for (const [i, share] of due.entries())
          assert.ok(
            Math.abs(counts[i] * sum - share * KEYS.length) <= Number(row.weights) * share * KEYS.length,
            counts.join(' '),
          );
      };
      near(tally(balancer, origins, KEYS), [1, 2, 3, 4, 5]);
      const refuse = { usable: (one: Origin) => one !== origins[3] };
      near(
        tally(
          balancer,
          origins,
          KEYS.map((one) => ({ ...one, ...refuse })),
        ),
        [1, 2, 3, 0, 5],
      );
    });

    test('nobody starves among equals', { skip: row.serves !== 'all' && row.serves }, () => {
      const origins = weighted(1, 1, 1, 1, 1, 1, 1);
      const balancer = make(row);
      balancer.update(origins);
      for (const count of tally(balancer, origins, KEYS)) assert.ok(count > KEYS.length / 7 / 4, `${count}`);
    });

    test('a key has its origin', { skip: !row.affinity && 'not promised' }, () => {
      const keys = fc.string({ minLength: 1 });
      fc.assert(
        fc.property(pools, keys, fc.nat(11), fc.integer(), (pool, key, other, seed) => {
          const origins = build(pool);
          const balancer = make(row, seeded(seed));
          balancer.update(origins);
          const up = new Set(origins);
          const home = balancer.pick(question(key, up));
          const reversed = make(row, seeded(seed + 1));
          reversed.update(origins.toReversed());
          for (const one of origins) one.inFlight = 99 - one.inFlight;
          assert.equal(reversed.pick(question(key, up)), home, 'order, dice or load made a difference');
          // Losing another origin does not move the key, except that weight 0 and backups may come in.
          const lost = origins[other];
          if (lost === undefined || lost === home || home === undefined) return;
          up.delete(lost);
          assert.equal(balancer.pick(question(key, up)), home, `it moved when ${lost.name} went`);
        }),
      );
    });

    test('leaves nothing on the heap, also when everybody refuses', () => {
      const origins = weighted(1, 2, 3, 4, 5, 6);
      for (const [i, one] of origins.entries()) one.inFlight = i + 1;
      const balancer = make(row);
      balancer.update(origins);
      const questions = KEYS.slice(0, 64);
      const refused = questions.map((one) => ({ ...one, usable: () => false }));
      for (const list of [questions, refused]) {
        const leaves = (): number => {
          collect();
          const before = process.memoryUsage().heapUsed;
          for (let i = 0; i < 20_000; i++) balancer.pick(list[i % list.length]);
          return (process.memoryUsage().heapUsed - before) / 20_000;
        };
        // Until the code is compiled it leaves number objects, and the compilers use the heap too: the best round counts.
        let least = Infinity;
        for (let round = 0; round < 60 && least > row.garbage + 4; round++) least = Math.min(least, leaves());
        assert.ok(least <= row.garbage + 4, `${least.toFixed(1)} bytes for each pick`);
      }
    });
  });
}

test('every policy has a row', () => {
  const tested = new Set<string>(rows.map(({ policy }) => policy));
  assert.deepEqual(
    balancers.filter(({ name }) => !tested.has(name)),
    [],
  );
});

for (const kind of balancers) {
  test(`${kind.name}: options have defaults and descriptions, and unknown ones are refused`, () => {
    assert.ok(kind.options.safeParse({}).success);
    assert.equal(kind.options.safeParse({ unknown: 1 }).success, false);
    for (const [name, schema] of Object.entries(kind.options.shape)) assert.ok(schema.description, `${name} has none`);
    assert.match(kind.about, /\.$/);
  });
}
