import type { Fields } from '../../core/fields.ts';

/** Whether a comma-separated field, over all its lines, holds this token (lower case). */
export function hasListToken(fields: Fields, id: number, token: string): boolean {
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) !== id || !fields.kept(i)) continue;
    const value = fields.value(i);
    // `Connection: close` and `Connection: keep-alive` alone are nearly all there is.
    if (value.length === token.length && value.toLowerCase() === token) return true;
    if (value.length > token.length && value.split(',').some((part) => part.trim().toLowerCase() === token)) return true;
  }
  return false;
}

/** All members of a comma-separated field, trimmed and lower-cased, empty ones left out. */
export function listMembers(fields: Fields, id: number): string[] {
  const members: string[] = [];
  for (let i = 0; i < fields.count; i++) {
    if (fields.id(i) !== id || !fields.kept(i)) continue;
    for (const part of fields.value(i).split(',')) {
      const member = part.trim().toLowerCase();
      if (member !== '') members.push(member);
    }
  }
  return members;
}
