import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { requestOf } from '../../test/support/request.ts';
import { Fields } from './fields.ts';
import * as names from './names.ts';

/** `Name: value` as a list of pairs, and what `Fields` does with it done the plain way. */
class Model {
  list: [name: string, value: string][];

  constructor(list: readonly [string, string][]) {
    this.list = [...list];
  }

  delete(name: string): void {
    this.list = this.list.filter(([other]) => other.toLowerCase() !== name.toLowerCase());
  }

  lines(): string {
    return this.list.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  }
}

function fieldsOf(...lines: string[]): Fields {
  return requestOf('GET / HTTP/1.1', ...lines).fields;
}

const LINES = ['Host: a', 'accept: x', 'X-One:1', 'ACCEPT:  y ', 'x-one: 2', 'Cookie:'];

describe('fields', () => {
  test('untouched, they go out byte for byte', () => {
    const text = LINES.map((line) => `${line}\r\n`).join('');
    assert.equal(fieldsOf(...LINES).lines(), text);
  });

  test('found by number, read by any spelling, repeats in order', () => {
    const fields = fieldsOf('Host: a', 'accept: x', 'X-One: 1', 'ACCEPT: y', 'x-one: 2');
    assert.equal(fields.count, 5);
    assert.equal(fields.find(names.ACCEPT), 1);
    assert.equal(fields.find(names.COOKIE), -1);
    assert.equal(fields.name(3), 'ACCEPT');
    assert.equal(fields.value(3), 'y');
    assert.equal(fields.get('AcCePt'), 'x');
    assert.deepEqual(fields.getAll('accept'), ['x', 'y']);
    assert.deepEqual(fields.getAll('X-ONE'), ['1', '2']);
    assert.equal(fields.get('x-on'), undefined);
    assert.equal(fields.get('x-one '), undefined);
    assert.deepEqual(fields.getAll('nothing'), []);
  });

  test('each run of kept lines survives around dropped ones, at the ends too', () => {
    for (let mask = 0; mask < 2 ** LINES.length; mask++) {
      const fields = fieldsOf(...LINES);
      const kept: string[] = [];
      for (const [i, line] of LINES.entries()) {
        if (mask & (1 << i)) fields.drop(i);
        else kept.push(`${line}\r\n`);
      }
      assert.equal(fields.lines(), kept.join(''), mask.toString(2));
    }
  });

  test('dropping twice is dropping once', () => {
    const fields = fieldsOf('A: 1', 'B: 2');
    fields.drop(0);
    fields.drop(0);
    assert.equal(fields.dropped, 1);
    assert.equal(fields.lines(), 'B: 2\r\n');
  });

  test('a dropped field is found by nobody', () => {
    const fields = fieldsOf('Accept: x', 'Accept: y');
    fields.drop(0);
    assert.equal(fields.find(names.ACCEPT), 1);
    assert.equal(fields.get('accept'), 'y');
    fields.dropAll(names.ACCEPT);
    assert.equal(fields.find(names.ACCEPT), -1);
    assert.deepEqual(fields.entries(), []);
  });

  test('delete and set reach received and added ones, and nothing that only starts alike', () => {
    const fields = fieldsOf('X-One: 1', 'X-One-More: 2', 'x-one: 3');
    fields.append('X-One', '4');
    fields.append('X-One-More', '5');
    fields.set('x-ONE', '6');
    assert.equal(fields.lines(), 'X-One-More: 2\r\nX-One-More: 5\r\nx-ONE: 6\r\n');
    fields.delete('X-ONE-MORE');
    fields.delete('x-one');
    assert.equal(fields.lines(), '');
    assert.equal(fields.get('x-one'), undefined);
  });

  test('an added value may hold a colon, or nothing', () => {
    const fields = fieldsOf();
    fields.append('A', 'x: y');
    fields.append('B', '');
    assert.deepEqual(fields.entries(), [
      ['A', 'x: y'],
      ['B', ''],
    ]);
  });

  test('more fields than there was room for', () => {
    const lines = Array.from({ length: 300 }, (_, i) => `X-${i}: ${i}`);
    const fields = fieldsOf(...lines);
    for (let i = 0; i < 300; i += 2) fields.drop(i);
    assert.equal(fields.count, 300);
    assert.equal(fields.get('x-299'), '299');
    assert.equal(
      fields.lines(),
      lines
        .filter((_, i) => i % 2 === 1)
        .map((line) => `${line}\r\n`)
        .join(''),
    );
  });

  test('a copy stays as it was when the original changes or is used again, and the other way round', () => {
    const fields = fieldsOf('A: 1', 'B: 2');
    fields.drop(0);
    fields.append('C', '3');
    const copy = new Fields(1);
    copy.copy(fields);
    copy.append('D', '4');
    copy.drop(1);
    assert.equal(fields.lines(), 'B: 2\r\nC: 3\r\n');
    fields.clear();
    fields.text = 'E: 5\r\n';
    fields.push(names.OTHER, 0, 1, 3, 4);
    fields.end = 6;
    assert.equal(fields.lines(), 'E: 5\r\n');
    assert.equal(copy.lines(), 'C: 3\r\nD: 4\r\n');
  });

  test('any sequence of changes gives what a plain list gives', () => {
    const name = fc.constantFrom(
      'Host',
      'host',
      'Accept',
      'ACCEPT',
      'X-A',
      'x-a',
      'X-Ab',
      'Cookie',
      'Content-Length',
      'Proxy',
    );
    const value = fc.constantFrom('', '1', 'a b', 'x: y', 'ÿ');
    const pair = fc.tuple(name, value);
    const change = fc.oneof(
      fc.record({ do: fc.constantFrom('append' as const, 'set' as const), pair }),
      fc.record({ do: fc.constantFrom('delete' as const, 'drop' as const, 'dropAll' as const), pair }),
    );
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 40 }), fc.array(change, { maxLength: 8 }), (received, changes) => {
        const fields = fieldsOf(...received.map(([key, text]) => `${key}: ${text}`.trimEnd()));
        const model = new Model(received);
        for (const {
          do: what,
          pair: [key, text],
        } of changes) {
          switch (what) {
            case 'append':
              fields.append(key, text);
              model.list.push([key, text]);
              break;
            case 'set':
              fields.set(key, text);
              model.delete(key);
              model.list.push([key, text]);
              break;
            case 'delete':
              fields.delete(key);
              model.delete(key);
              break;
            case 'drop': {
              const index = fields.find(names.identifyText(key));
              if (index < 0 || names.identifyText(key) === names.OTHER) break;
              fields.drop(index);
              model.list.splice(
                model.list.findIndex(([other]) => other.toLowerCase() === key.toLowerCase()),
                1,
              );
              break;
            }
            default: {
              // Of received ones only: added ones have no number.
              if (names.identifyText(key) === names.OTHER || fields.added !== '') break;
              fields.dropAll(names.identifyText(key));
              model.delete(key);
            }
          }
        }
        assert.deepEqual(fields.entries(), model.list);
        assert.equal(fields.lines().replaceAll(':\r', ': \r'), model.lines());
        for (const key of ['HOST', 'accept', 'x-A', 'X-AB', 'proxy', 'none']) {
          const wanted = model.list
            .filter(([other]) => other.toLowerCase() === key.toLowerCase())
            .map(([, text]) => text);
          assert.deepEqual(fields.getAll(key), wanted);
          assert.equal(fields.get(key), wanted[0]);
        }
      }),
      { numRuns: 500 },
    );
  });
});
