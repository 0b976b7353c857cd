import type { Fields } from '../../core/fields.ts';
import type { BlockWriter } from './block-writer.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import { type Name, nameOf } from './names.ts';

/** Writes the fields of a message of ours, but for those that HTTP/2 does not have, and the one named `without`. */
export function writeFields(fields: Fields, encoder: HpackEncoder, into: BlockWriter, without = ''): void {
  for (let i = 0; i < fields.count; i++) {
    if (fields.kept(i)) write(nameOf(fields.name(i)), fields.value(i), without, encoder, into);
  }
  writeLines(fields.added, encoder, into, without);
}

/** The same for complete field lines. */
export function writeLines(lines: string, encoder: HpackEncoder, into: BlockWriter, without = ''): void {
  for (let at = 0; at < lines.length;) {
    const end = lines.indexOf('\r\n', at);
    const colon = lines.indexOf(':', at);
    if (end < 0 || colon < 0 || colon > end) return;
    write(nameOf(lines.slice(at, colon)), lines.slice(colon + 1, end).trim(), without, encoder, into);
    at = end + 2;
  }
}

/** Complete field lines as a block of trailers. */
export function writeTrailers(lines: string, encoder: HpackEncoder, into: BlockWriter): void {
  encoder.begin(into);
  writeLines(lines, encoder, into);
}

function write(name: Name, value: string, without: string, encoder: HpackEncoder, into: BlockWriter): void {
  if (!name.dropped && name.text !== without) encoder.field(name, value, into);
}
