import assert from 'node:assert/strict';
import test from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { crc32 } from './crc32.ts';

test('the check value of CRC-32, and nothing of nothing', () => {
  assert.equal(crc32('123456789') >>> 0, 0xcbf43926);
  assert.equal(crc32(''), 0);
});

test('what lighttpd computed for its trace of 2006', () => {
  assert.equal(crc32('/wiki/Main_Page') >>> 0, 0xf126b240);
  assert.equal(crc32('127.0.0.1:1445') >>> 0, 0xae48a4fd);
  assert.equal(crc32('207.142.131.204:80') >>> 0, 0x5566c7d9);
});

test('wider characters count as their UTF-8 bytes', () => {
  for (const text of ['/caf\u00e9', '/\u65e5\u672c', '/\u{1f600}']) assert.equal(crc32(text) >>> 0, zlib.crc32(text));
});

test('the same as zlib, for every text', () => {
  const texts = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
  fc.assert(fc.property(texts, (text) => assert.equal(crc32(text) >>> 0, zlib.crc32(text))));
});
