import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Need, type Sizes } from './need.ts';

function need(sizes: Partial<Sizes> = {}): { need: Need; look: (load: object, there?: object, ms?: number) => number } {
  const made = new Need({ min: 1, max: 4, load: Infinity, slots: 1, idleTimeout: 1000, ...sizes });
  let now = 5000;
  return {
    need: made,
    look: (load, there = {}, ms = 50) => {
      made.look({ waiting: 0, inFlight: 0, requests: 0, ...load }, { ready: 0, starting: 0, ...there }, (now += ms));
      return made.wanted;
    },
  };
}

test('without load there are as many as are always to be there', () => {
  assert.equal(need({ min: 2 }).look({}), 2);
  assert.equal(need({ min: 0 }).look({}), 0);
});

test('the first request starts the first child, at once, also when children take any number of requests', () => {
  for (const slots of [1, 5, Infinity]) {
    assert.equal(need({ min: 0, slots }).look({ waiting: 1 }), 1);
  }
  assert.equal(need({ min: 0, slots: Infinity, load: 1000 }).look({ waiting: 100 }), 1);
});

test('children that take any number: another one for 32 requests each, if there may be more', () => {
  const { look } = need({ min: 1, slots: Infinity });
  assert.equal(look({ inFlight: 32 }, { ready: 1 }), 1);
  assert.equal(look({ inFlight: 33 }, { ready: 1 }), 2);
  assert.equal(look({ inFlight: 500 }, { ready: 2 }), 4);
  assert.equal(need({ min: 2, max: 2, slots: Infinity }).look({ inFlight: 500 }, { ready: 2 }), 2);
});

test('as many are started as it takes to serve who waits, and not more than there may be', () => {
  assert.equal(need({ min: 0, slots: 2 }).look({ waiting: 5 }), 3);
  assert.equal(need({ min: 0, slots: 2 }).look({ waiting: 500 }), 4);
});

test('where there are children, a request has to be seen waiting twice', () => {
  const { look } = need({ slots: 1 });
  assert.equal(look({ waiting: 1, inFlight: 1 }, { ready: 1 }), 1);
  assert.equal(look({ waiting: 1, inFlight: 1 }, { ready: 1 }), 2);
});

test('those that are starting are not started again', () => {
  const { look } = need({ min: 0, slots: 1 });
  assert.equal(look({ waiting: 2 }), 2);
  assert.equal(look({ waiting: 2 }, { starting: 2 }), 2);
  assert.equal(look({ waiting: 2 }, { starting: 2 }), 2);
});

test('grows by the load of each child before anybody waits', () => {
  const { look } = need({ slots: Infinity, load: 10 });
  assert.equal(look({ inFlight: 10 }, { ready: 1 }), 1);
  assert.equal(look({ inFlight: 11 }, { ready: 1 }), 2);
  assert.equal(look({ inFlight: 35 }, { ready: 2 }), 4);
});

test('shrinks when what is above was not needed for the whole time', () => {
  const { look } = need({ min: 0, slots: 1 });
  assert.equal(look({ waiting: 3 }), 3);
  for (let i = 0; i < 15; i++) assert.equal(look({ inFlight: 2 }, { ready: 3 }), 3);
  for (let i = 0; i < 10; i++) look({ inFlight: 2 }, { ready: 3 });
  assert.equal(look({ inFlight: 2 }, { ready: 3 }), 2, 'the third was idle for a second');
  assert.equal(look({}, { ready: 2 }, 999), 2);
  assert.equal(look({}, { ready: 2 }, 2), 0, 'both were needed last at the same time');
});

test('short requests that no look sees in flight keep one child', () => {
  const { look } = need({ min: 0, slots: 1 });
  look({ waiting: 1 });
  for (let i = 1; i < 100; i++) assert.equal(look({ requests: i }, { ready: 1 }), 1);
  assert.equal(look({ requests: 99 }, { ready: 1 }, 1001), 0);
});

test('a pool that may never shrink does not', () => {
  const { look } = need({ min: 0, idleTimeout: Infinity });
  look({ waiting: 4 });
  assert.equal(look({}, { ready: 4 }, 1e9), 4);
});

test('other sizes are in force at once', () => {
  const { need: made, look } = need({ min: 1, max: 4 });
  look({ waiting: 4 });
  look({ waiting: 4 }, { ready: 1 });
  made.update({ min: 1, max: 2, load: Infinity, slots: 1, idleTimeout: 1000 });
  assert.equal(made.wanted, 2);
  made.update({ min: 3, max: 8, load: Infinity, slots: 1, idleTimeout: 1000 });
  assert.equal(made.wanted, 3);
});
