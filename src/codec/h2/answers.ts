import { Answer } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { CodecLimits } from '../codec.ts';
import { AnswerHead } from './answer-head.ts';
import * as codes from './codes.ts';
import type { FieldSink } from './hpack-decoder.ts';
import type { Stream } from './stream.ts';
import { switched } from './switched.ts';

/** Interim answers one request may get; a peer that sends more only keeps us busy. */
const MOST_INTERIM = 64;

/** One thread reads one head at a time, and whoever gets it copies what it wants to keep. */
const scratch = new Answer();

/** Why a stream is given up, and the error code that its peer is told. */
export interface Refusal {
  readonly row: ErrorCode;
  readonly detail: string;
  readonly code: number;
}

export function refusal(row: ErrorCode, detail: string, code: number = codes.PROTOCOL_ERROR): Refusal {
  return { row, detail, code };
}

/** Turns heads and data of streams into what their sinks hear, in the order that RFC 9113 §8.1 allows. */
export class Answers {
  readonly #head: AnswerHead;

  constructor(limits: CodecLimits) {
    this.#head = new AnswerHead(limits);
  }

  /** Takes the fields of the next block: of an answer, or of trailers. */
  begin(stream: Stream | undefined): FieldSink {
    this.#head.begin(stream?.headed === true ? null : scratch);
    return this.#head;
  }

  /** A block is complete that is no trailers. */
  headed(stream: Stream, ends: boolean): Refusal | undefined {
    const head = this.#head;
    if (!head.finish(stream.head, ends)) {
      return refusal(head.tooLarge ? 'answer-head-too-large' : 'bad-answer', head.fault);
    }
    if (scratch.status < 200) {
      if (++stream.interims > MOST_INTERIM) return refusal('bad-answer', `more than ${MOST_INTERIM} interim answers`);
      stream.into.interim(scratch);
      return undefined;
    }
    stream.headed = true;
    if (stream.accept !== '' && scratch.status < 300) {
      stream.tunnel = true;
      stream.left = Infinity;
      switched(scratch, stream.accept);
    } else {
      const { framing, length } = scratch;
      stream.left = framing === 'none' ? 0 : framing === 'length' ? length : Infinity;
    }
    stream.into.head(scratch);
    return undefined;
  }

  /** A block of trailers is complete: its lines, or what is wrong. */
  trailers(ends: boolean): string | Refusal {
    const { fault, tooLarge, trailers } = this.#head;
    if (!ends) return refusal('bad-answer', 'a second head');
    if (fault !== '') return refusal(tooLarge ? 'answer-head-too-large' : 'bad-answer', `trailers: ${fault}`);
    return trailers;
  }

  /** Some of the body. */
  body(stream: Stream, bytes: Buffer, start: number, end: number): Refusal | undefined {
    const take = Math.min(stream.left, end - start);
    stream.left -= take;
    if (take > 0) stream.into.body(bytes, start, start + take);
    if (take === end - start) return undefined;
    return refusal('bad-answer', stream.head ? 'a body for HEAD' : 'more body than its length');
  }

  /** Whether the body may end here. */
  ended(stream: Stream): Refusal | undefined {
    if (stream.left === 0 || stream.left === Infinity) return undefined;
    return refusal('answer-incomplete', `${stream.left} bytes less than content-length`);
  }
}

/** What became of a request whose stream the origin has given up (RFC 9113 §8.7). */
export function resetRow(stream: Stream, code: number): ErrorCode {
  if (stream.headed) return 'answer-incomplete';
  if (code === codes.REFUSED_STREAM) return 'stream-refused';
  return code === codes.HTTP_1_1_REQUIRED ? 'version-refused' : 'stream-reset';
}

/**
 * Whether it was given up because it was one too many, sent before anybody could know that: which says nothing about the origin.
 * RFC 9113 §5.1.2 has two codes for it.
 */
export function isExcess({ rank, headed }: Stream, code: number, most: number): boolean {
  return rank > most && !headed && (code === codes.REFUSED_STREAM || code === codes.PROTOCOL_ERROR);
}
