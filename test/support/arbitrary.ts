/** Requests and cuts of any kind, for properties of codecs. */
import fc from 'fast-check';

const tokenLetters = "abcXYZ019-!#$%&'*+.^_`|~".split('');

/** RFC 9110 §5.6.2: a token. */
const fieldName: fc.Arbitrary<string> = fc.string({
  unit: fc.constantFrom(...tokenLetters),
  minLength: 1,
  maxLength: 12,
});

/** Bytes that a field may hold, one character each. */
const fieldValue: fc.Arbitrary<string> = fc
  .string({
    unit: fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code !== 0x7f)
      .map((code) => String.fromCharCode(code)),
    maxLength: 300,
  })
  .map((text) => `x${text}`.trim());

export const fieldLines: fc.Arbitrary<[name: string, value: string][]> = fc.array(fc.tuple(fieldName, fieldValue), {
  maxLength: 30,
});

/** Targets with escapes, dots and scripts in them. */
export const anyTarget: fc.Arbitrary<string> = fc
  .array(fc.constantFrom('/', 'a', '.php', '%2f', '%41', '%e9', '..', '.', '%0a', '%c3%bc', '?', '='), {
    maxLength: 12,
  })
  .map((parts) => `/${parts.join('')}`);

/** A body as it comes in. */
export const pieces: fc.Arbitrary<Buffer[]> = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { maxLength: 5 })
  .map((all) => all.map((one) => Buffer.from(one)));

/** Where to cut. */
export const offsets: fc.Arbitrary<number[]> = fc.array(fc.nat(600), { maxLength: 8 });

/** What the variables of these fields come to: each by its name, joined, without those that are left out. */
export function variablesOf(fields: readonly (readonly [string, string])[]): Map<string, string> {
  const made = new Map<string, string>();
  for (const [name, value] of fields) {
    const upper = name.toUpperCase().replaceAll('-', '_');
    if (!/^[a-z0-9-]+$/i.test(name) || upper === 'TE' || upper === 'HOST') continue;
    const before = made.get(`HTTP_${upper}`);
    made.set(`HTTP_${upper}`, before === undefined ? value : `${before}, ${value}`);
  }
  return made;
}
