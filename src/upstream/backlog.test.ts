import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Backlog, type Waiter } from './backlog.ts';

interface Named extends Waiter {
  readonly name: number;
}

function waiter(name: number, deadline = Infinity, expired: (self: Named) => void = () => {}): Named {
  return {
    name,
    deadline,
    nextWaiter: null,
    previousWaiter: null,
    waiting: false,
    ticket: 0,
    picky: false,
    since: 1,
    show: () => ({ id: String(name), method: 'GET', host: '', target: '/', client: '' }),
    expired() {
      expired(this);
    },
  };
}

/** Forwards, and backwards to see that both directions agree. */
function inLine(backlog: Backlog): number[] {
  const line: number[] = [];
  let last: Waiter | null = null;
  for (let one = backlog.first as Named | null; one !== null; one = one.nextWaiter as Named | null) {
    assert.equal(one.previousWaiter, last);
    assert.ok(one.waiting);
    line.push(one.name);
    last = one;
  }
  assert.equal(backlog.length, line.length);
  return line;
}

describe('backlog', () => {
  test('first in, first out', () => {
    const backlog = new Backlog(10);
    for (let name = 0; name < 5; name++) assert.ok(backlog.push(waiter(name)));
    const served: number[] = [];
    for (let first = backlog.first as Named | null; first !== null; first = backlog.first as Named | null) {
      backlog.remove(first);
      served.push(first.name);
    }
    assert.deepEqual(served, [0, 1, 2, 3, 4]);
  });

  test('bounded: one too many is refused and left as it was', () => {
    const backlog = new Backlog(2);
    assert.ok(backlog.push(waiter(0)));
    assert.ok(backlog.push(waiter(1)));
    const third = waiter(2);
    assert.equal(backlog.push(third), false);
    assert.equal(third.waiting, false);
    assert.deepEqual(inLine(backlog), [0, 1]);
    backlog.remove(backlog.first as Waiter);
    assert.ok(backlog.push(third));
    assert.deepEqual(inLine(backlog), [1, 2]);
    assert.equal(new Backlog(0).push(waiter(0)), false);
  });

  test('time up ends the waiting, wherever they stand and whatever their order', () => {
    const told: number[] = [];
    const backlog = new Backlog(10);
    for (const [name, deadline] of [300, 100, 400, 200, 100].entries()) {
      backlog.push(waiter(name, deadline, (self) => told.push(self.name)));
    }
    backlog.expire(99);
    assert.deepEqual(told, []);
    backlog.expire(100);
    assert.deepEqual(told, [1, 4]);
    assert.deepEqual(inLine(backlog), [0, 2, 3]);
    backlog.expire(399);
    assert.deepEqual(told, [1, 4, 0, 3]);
    assert.deepEqual(inLine(backlog), [2]);
  });

  test('who is told may remove others and come back', () => {
    const backlog = new Backlog(10);
    const told: number[] = [];
    const second = waiter(1, 100, (self) => told.push(self.name));
    const first = waiter(0, 100, (self) => {
      told.push(self.name);
      assert.equal(self.waiting, false);
      backlog.remove(second);
      backlog.push(waiter(2, 200));
    });
    backlog.push(first);
    backlog.push(second);
    backlog.expire(100);
    assert.deepEqual(told, [0]);
    assert.deepEqual(inLine(backlog), [2]);
  });

  test('any sequence of coming and leaving keeps the line that a list keeps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 6 }), fc.array(fc.nat(9), { maxLength: 60 }), (size, steps) => {
        const backlog = new Backlog(size);
        const model: number[] = [];
        const waiters = Array.from({ length: 10 }, (_, name) => waiter(name));
        for (const name of steps) {
          const one = waiters[name];
          if (one.waiting) {
            backlog.remove(one);
            model.splice(model.indexOf(name), 1);
          } else if (backlog.push(one)) model.push(name);
          else {
            assert.equal(model.length, size);
            // Not in line: nothing to remove.
            backlog.remove(one);
          }
          assert.deepEqual(inLine(backlog), model);
        }
      }),
    );
  });
});
