import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tickets } from './tickets.ts';

const session = (text: string): Buffer => Buffer.from(text);

test('the last one first, and the very last again and again', () => {
  const tickets = new Tickets();
  const origin = {};
  assert.equal(tickets.take(origin, 'a', 0), undefined);
  tickets.keep(origin, 'a', session('a'), 100);
  tickets.keep(origin, 'a', session('b'), 100);
  const taken = [1, 2, 3].map((wall) => tickets.take(origin, 'a', wall)?.session.toString());
  assert.deepEqual(taken, ['b', 'a', 'a']);
  assert.equal(tickets.take({}, 'a', 1), undefined, 'each origin has its own');
});

test('not once the certificate behind it has ended', () => {
  const tickets = new Tickets();
  const origin = {};
  tickets.keep(origin, 'a', session('long'), 100);
  tickets.keep(origin, 'a', session('short'), 50);
  assert.equal(tickets.take(origin, 'a', 50)?.session.toString(), 'long');
  assert.equal(tickets.take(origin, 'a', 100), undefined);
});

test('few are kept, and none after a failure', () => {
  const tickets = new Tickets();
  const origin = {};
  for (let i = 0; i < 1000; i++) tickets.keep(origin, 'a', session(String(i)), 100);
  const all = new Set(Array.from({ length: 20 }, () => tickets.take(origin, 'a', 0)?.session.toString()));
  assert.deepEqual([...all], ['999', '998', '997', '996']);
  tickets.forget(origin);
  assert.equal(tickets.take(origin, 'a', 0), undefined);
});

test('only for the name it was got with', () => {
  const tickets = new Tickets();
  const origin = {};
  tickets.keep(origin, 'a', session('for a'), 100);
  tickets.keep(origin, 'b', session('for b'), 100);
  assert.equal(tickets.take(origin, 'a', 0)?.session.toString(), 'for a');
  assert.equal(tickets.take(origin, 'c', 0), undefined);
});
