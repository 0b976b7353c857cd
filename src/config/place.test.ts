import assert from 'node:assert/strict';
import { test } from 'node:test';
import { position } from './place.ts';

test('line and column count from 1, and the caret stands below', () => {
  const text = 'one\ntwo three\n';
  assert.deepEqual(position(text, { start: 8, end: 13 }), {
    line: 2,
    column: 5,
    excerpt: '  2 | two three\n    |     ^^^^^',
  });
  assert.equal(position(text, { start: 0, end: 0 }).excerpt, '  1 | one\n    | ^');
});

test('a span over several lines is marked to the end of its first', () => {
  assert.equal(position('ab cd\nef', { start: 3, end: 8 }).excerpt, '  1 | ab cd\n    |    ^^');
});

test('tabs stay tabs, so that the caret keeps its place; line ends of Windows are no part of the line', () => {
  assert.equal(position('\ta\tb\r\nc', { start: 3, end: 4 }).excerpt, '  1 | \ta\tb\n    | \t \t^');
});

test('behind the end is at the end', () => {
  assert.deepEqual(position('ab\n', { start: 99, end: 120 }), { line: 2, column: 1, excerpt: '  2 | \n    | ^' });
});

test('of a long line the part around the span is shown', () => {
  const line = `${'x'.repeat(500)}HERE${'y'.repeat(500)}`;
  const { excerpt, column } = position(line, { start: 500, end: 504 });
  assert.equal(column, 501);
  const [shown = '', carets = ''] = excerpt.split('\n');
  assert.ok(shown.length < 120);
  assert.equal(shown.slice(carets.indexOf('^'), carets.lastIndexOf('^') + 1), 'HERE');
  assert.match(shown, /^ {2}1 \| …x.*y…$/);
});
