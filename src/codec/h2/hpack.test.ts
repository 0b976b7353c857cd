import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BlockWriter } from './block-writer.ts';
import { HpackDecoder } from './hpack-decoder.ts';
import { HpackEncoder } from './hpack-encoder.ts';
import { codedLength, decode, encode, mostDecoded } from './huffman.ts';
import { nameOf } from './names.ts';
import { STATIC } from './static-table.ts';

function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

/** The fields of a block as `name: value`, or what is wrong. */
function read(decoder: HpackDecoder, block: Buffer): string[] | string {
  const fields: string[] = [];
  const sink = { field: (one: { name: string; value: string }) => void fields.push(`${one.name}: ${one.value}`) };
  const memory = Buffer.concat([Buffer.from('..'), block, Buffer.from('..')]);
  return decoder.read(memory, 2, 2 + block.length, sink) ? fields : decoder.detail;
}

/** Each block and its fields, then the size of the table (RFC 7541 Appendix C). */
const EXAMPLES: Readonly<Record<string, { table?: number; steps: readonly [string, string, number][] }>> = {
  'C.2.1': {
    steps: [['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', 'custom-key: custom-header', 55]],
  },
  'C.2.2': { steps: [['040c 2f73 616d 706c 652f 7061 7468', ':path: /sample/path', 0]] },
  'C.2.3': { steps: [['1008 7061 7373 776f 7264 0673 6563 7265 74', 'password: secret', 0]] },
  'C.2.4': { steps: [['82', ':method: GET', 0]] },
  'C.3': {
    steps: [
      [
        '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
        ':method: GET|:scheme: http|:path: /|:authority: www.example.com',
        57,
      ],
      [
        '8286 84be 5808 6e6f 2d63 6163 6865',
        ':method: GET|:scheme: http|:path: /|:authority: www.example.com|cache-control: no-cache',
        110,
      ],
      [
        '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
        ':method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value',
        164,
      ],
    ],
  },
  'C.4': {
    steps: [
      [
        '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
        ':method: GET|:scheme: http|:path: /|:authority: www.example.com',
        57,
      ],
      [
        '8286 84be 5886 a8eb 1064 9cbf',
        ':method: GET|:scheme: http|:path: /|:authority: www.example.com|cache-control: no-cache',
        110,
      ],
      [
        '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
        ':method: GET|:scheme: https|:path: /index.html|:authority: www.example.com|custom-key: custom-value',
        164,
      ],
    ],
  },
  'C.5': {
    table: 256,
    steps: [
      [
        `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54
        6e17 6874 7470 733a 2f2f 7777 772e 6578 616d 706c 652e 636f 6d`,
        ':status: 302|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com',
        222,
      ],
      [
        '4803 3330 37c1 c0bf',
        ':status: 307|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com',
        222,
      ],
      [
        `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d
        4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572
        7369 6f6e 3d31`,
        ':status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|' +
          'content-encoding: gzip|set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
        215,
      ],
    ],
  },
  'C.6': {
    table: 256,
    steps: [
      [
        `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b
        97c8 e9ae 82ae 43d3`,
        ':status: 302|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com',
        222,
      ],
      [
        '4883 640e ffc1 c0bf',
        ':status: 307|cache-control: private|date: Mon, 21 Oct 2013 20:13:21 GMT|location: https://www.example.com',
        222,
      ],
      [
        `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf
        cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07`,
        ':status: 200|cache-control: private|date: Mon, 21 Oct 2013 20:13:22 GMT|location: https://www.example.com|' +
          'content-encoding: gzip|set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1',
        215,
      ],
    ],
  },
};

describe('RFC 7541 Appendix C', () => {
  for (const [name, { table = 4096, steps }] of Object.entries(EXAMPLES)) {
    test(name, () => {
      const decoder = new HpackDecoder(table);
      for (const [block, fields, size] of steps) {
        assert.deepEqual(read(decoder, hex(block)), fields.split('|'));
        assert.equal(decoder.size, size);
      }
    });
  }

  test('C.1: numbers', () => {
    const number = (prefix: number, value: number): string => {
      const writer = new BlockWriter();
      writer.integer(0, prefix, value);
      return Buffer.from(writer.text(0, writer.length), 'latin1').toString('hex');
    };
    assert.deepEqual([number(5, 10), number(5, 1337), number(8, 42)], ['0a', '1f9a0a', '2a']);
  });

  test('Appendix A has 61 entries', () => {
    assert.equal(STATIC.length, 61);
    assert.deepEqual(
      [STATIC[7], STATIC[13], STATIC[15], STATIC[60]],
      [
        [':status', '200'],
        [':status', '500'],
        ['accept-encoding', 'gzip, deflate'],
        ['www-authenticate', ''],
      ],
    );
  });
});

describe('Huffman', () => {
  test('any bytes come back, in as many bytes as was said', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const text = Buffer.from(bytes).latin1Slice();
      const coded = Buffer.alloc(text.length * 4 + 4);
      const end = encode(text, coded, 1);
      assert.equal(end - 1, codedLength(text));
      const plain = Buffer.alloc(mostDecoded(end - 1) + 1);
      const length = decode(coded, 1, end, plain);
      assert.equal(plain.latin1Slice(0, length), text);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test('padding of eight bits, of zeros, and the end symbol are wrong', () => {
    const into = Buffer.alloc(20);
    assert.equal(decode(hex('1f'), 0, 1, into), 1);
    assert.equal(into[0], 0x61);
    for (const bad of ['1fff', '18', '1e', 'ff', 'ffffffff', '3fffffff', 'fffffffc']) {
      assert.equal(decode(hex(bad), 0, hex(bad).length, into), -1, bad);
    }
  });
});

describe('what a decoder refuses', () => {
  const cases: Readonly<Record<string, string>> = {
    '80': 'an index beyond the table',
    be: 'an index beyond the table',
    ff80808001: 'an index beyond the table',
    ff: 'a number is cut off',
    ffffffffffffffff0f: 'a number is too large',
    '7f80808080808000': 'a number is too large',
    '40': 'a string is missing',
    '400a6375': 'a string is cut off',
    '0001': 'a string is cut off',
    '000161': 'a string is missing',
    '008161': 'a bad Huffman code',
    '3fe220': 'a table larger than allowed',
    '202020': 'a table size update out of place',
    '8220': 'a table size update out of place',
  };
  for (const [block, detail] of Object.entries(cases)) {
    test(`${block}: ${detail}`, () => assert.equal(read(new HpackDecoder(4096), hex(block)), detail));
  }

  test('the table never has more than it may, whatever comes', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const decoder = new HpackDecoder(200);
      read(decoder, Buffer.from(bytes));
      assert.ok(decoder.size <= 200);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test('a field larger than the table empties it', () => {
    const decoder = new HpackDecoder(60);
    assert.deepEqual(read(decoder, hex('4001610162')), ['a: b']);
    assert.equal(decoder.size, 34);
    assert.deepEqual(read(decoder, hex('40016120' + '62'.repeat(32))), [`a: ${'b'.repeat(32)}`]);
    assert.equal(decoder.size, 0);
    assert.equal(read(decoder, hex('be')), 'an index beyond the table');
  });
});

describe('the encoder', () => {
  const blockOf = (encoder: HpackEncoder, fields: readonly (readonly [string, string])[]): Buffer => {
    const writer = new BlockWriter();
    encoder.begin(writer);
    for (const [name, value] of fields) encoder.field(nameOf(name), value, writer);
    return Buffer.from(writer.text(0, writer.length), 'latin1');
  };

  test('whatever it writes, a decoder of the same size reads it, and the tables stay the same', () => {
    const text = (alphabet: string): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...alphabet.split('')), minLength: 1, maxLength: 4 });
    const field = fc.tuple(
      fc.oneof(text('aBc-'), fc.constantFrom('Accept', ':path', 'cookie', 'User-Agent', 'authorization')),
      fc.oneof(text('xyz \xe9\0'), fc.constantFrom('gzip, deflate', '/', 'v'.repeat(200), '')),
    );
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.array(field, { maxLength: 12 }) },
      { weight: 1, arbitrary: fc.constantFrom(0, 64, 200, 1000, 4096, 100_000) },
    );
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const encoder = new HpackEncoder();
      let decoder = new HpackDecoder(100_000);
      read(decoder, hex('3fe11f'));
      let most = 4096;
      for (const one of steps) {
        if (typeof one === 'number') {
          encoder.resize(one);
          most = Math.min(one, 4096);
          continue;
        }
        const block = blockOf(encoder, one);
        assert.deepEqual(
          read(decoder, block),
          one.map(([name, value]) => `${name.toLowerCase()}: ${value}`),
        );
        assert.equal(encoder.size, decoder.size);
        assert.ok(encoder.size <= most);
      }
      decoder = new HpackDecoder(0);
    });
    fc.assert(property, { numRuns: 500 });
  });

  test('what comes again costs a byte, from the third time on', () => {
    const encoder = new HpackEncoder();
    const fields = [
      ['User-Agent', 'Mozilla/5.0 (X11; Linux x86_64)'],
      ['X-Own', 'one two three'],
    ] as const;
    const sizes = [1, 2, 3, 4].map(() => blockOf(encoder, fields).length);
    assert.ok(sizes[0] > 30);
    assert.deepEqual(sizes.slice(2), [2, 2]);
  });

  test('secrets are never indexed, and no table has them', () => {
    const encoder = new HpackEncoder();
    for (let i = 0; i < 3; i++) {
      const block = blockOf(encoder, [
        ['Cookie', 'a=b'],
        ['authorization', 'Basic x'],
        ['Proxy-Authorization', 'y'],
      ]);
      assert.equal(block[0], 0x1f);
      assert.equal(encoder.size, 0);
    }
  });

  test('a new size is told before the next block, and the smallest in between', () => {
    const encoder = new HpackEncoder();
    encoder.resize(100);
    encoder.resize(0);
    encoder.resize(1000);
    assert.equal(blockOf(encoder, []).toString('hex'), '203fc907');
    assert.equal(blockOf(encoder, []).length, 0);
    encoder.resize(4096);
    encoder.resize(1_000_000);
    assert.equal(blockOf(encoder, []).toString('hex'), '3fe11f');
  });
});
