import { type Answer, type AnswerSink, lets } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';

/**
 * Keeps the end of an authorizer's yes until it is known how its program has ended: one that says yes, and then fails at
 * what it wanted to look up, has not meant it. Whatever its head says of a length, the answer is not whole before that.
 * A no goes on as it comes: a script may well end with 1 after it.
 */
export class HeldYes implements AnswerSink {
  /** The answer is a yes. */
  said = false;
  #into: AnswerSink | null;
  #trailers: string | null = null;

  constructor(into: AnswerSink) {
    this.#into = into;
  }

  interim(answer: Answer): void {
    this.#into?.interim(answer);
  }

  head(answer: Answer): void {
    this.said = lets(answer.status);
    this.#into?.head(answer);
  }

  body(buffer: Buffer, start: number, end: number): void {
    this.#into?.body(buffer, start, end);
  }

  end(trailers: string): void {
    if (this.said) this.#trailers = trailers;
    else this.#into?.end(trailers);
  }

  note(line: string): void {
    this.#into?.note?.(line);
  }

  fail(code: ErrorCode, detail?: string): void {
    this.#into?.fail(code, detail);
  }

  flush(): boolean {
    return this.#into?.flush() ?? true;
  }

  /** The program has ended well: an end that was kept follows. */
  release(): void {
    const trailers = this.#trailers;
    this.#trailers = null;
    if (trailers !== null) this.#into?.end(trailers);
  }

  /** It has not: the answer fails instead. */
  revoke(code: ErrorCode, detail: string): void {
    if (this.#trailers === null) return;
    this.#trailers = null;
    this.#into?.fail(code, detail);
  }

  /** Nobody wants to hear anything more. */
  forget(): void {
    this.#into = null;
  }
}
