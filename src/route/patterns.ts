/** Every pattern of `narrow` is covered by one of `wide`. */
export function everyCovered<Pattern>(
  wide: readonly Pattern[],
  narrow: readonly Pattern[],
  covers: (wide: Pattern, narrow: Pattern) => boolean,
): boolean {
  return narrow.every((one) => wide.some((other) => covers(other, one)));
}

/** `"a"`, `"a" or "b"`, for messages. */
export function listed(patterns: readonly string[]): string {
  return patterns.map((pattern) => JSON.stringify(pattern)).join(' or ');
}

/** `token` of RFC 9110 §5.6.2: what methods and field names are made of. */
export const TOKEN: RegExp = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;
