import type { Answer } from '../../core/answer.ts';
import type { BlockWriter } from './block-writer.ts';
import { writeFields, writeLines } from './field-lines.ts';
import type { HpackEncoder } from './hpack-encoder.ts';
import { nameOf } from './names.ts';

const STATUS = nameOf(':status');

/**
 * RFC 9113 §8.3.2: the head of an answer as one block.
 * @param lines complete field lines to add
 */
export function writeAnswer(answer: Answer, lines: string, encoder: HpackEncoder, into: BlockWriter): void {
  encoder.begin(into);
  encoder.field(STATUS, String(answer.status), into);
  writeFields(answer.fields, encoder, into);
  writeLines(lines, encoder, into);
}

/** The same for an answer made here. */
export function writeLinesAnswer(status: number, lines: string, encoder: HpackEncoder, into: BlockWriter): void {
  encoder.begin(into);
  encoder.field(STATUS, String(status), into);
  writeLines(lines, encoder, into);
}
