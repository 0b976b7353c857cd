import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { keySource } from './key.ts';

const schema = keySource('What decides.', 'path');

test('path, uri, address, and the names of headers and cookies', () => {
  assert.equal(schema.parse(undefined), 'path');
  for (const source of ['path', 'uri', 'address', 'header:X-User', 'cookie:sid', 'cookie:__Host-a.b'])
    assert.equal(schema.parse(source), source);
});

test('nothing else', () => {
  for (const source of ['', 'none', 'Path', 'header', 'header:', 'header:a b', 'cookie:a=b', 'paths', 'header:x\n', 1])
    assert.equal(schema.safeParse(source).success, false, String(source));
});

test('the JSON Schema has the pattern, the default and the description', () => {
  const { pattern, default: fallback, description } = z.toJSONSchema(schema, { io: 'input' });
  assert.match('header:a', new RegExp(String(pattern)));
  assert.deepEqual([fallback, description], ['path', 'What decides.']);
});
