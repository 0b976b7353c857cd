import type { Answer } from '../core/answer.ts';

/**
 * An answer that waits for an asynchronous hook: its head, and what arrived of its body in the same read. The origin is
 * not read any further meanwhile, so this is never more than one read buffer.
 */
export class HeldAnswer {
  readonly answer: Answer;
  readonly pieces: Buffer[] = [];
  /** Set when the answer is complete already. */
  trailers: string | null = null;

  constructor(answer: Answer) {
    this.answer = answer;
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.pieces.push(Buffer.from(buffer.subarray(start, end)));
  }
}
