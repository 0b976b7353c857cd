import type { Answer } from '../../core/answer.ts';
import { phraseOf } from '../../core/error-answer.ts';
import * as names from '../../core/names.ts';
import type { CodecLimits } from '../codec.ts';
import { mayTrail } from '../http1/chunks.ts';
import { isPadded, parseLength } from '../http1/framing.ts';
import type { Field } from './field.ts';
import type { FieldSink } from './hpack-decoder.ts';

/** Makes an answer, or lines of trailers, from decoded fields, and judges them (RFC 9113 §8.2, §8.3.2). */
export class AnswerHead implements FieldSink {
  /** What is wrong, for the log; '' when nothing is. */
  fault = '';
  /** Only its size is. */
  tooLarge = false;
  readonly #limits: CodecLimits;
  #answer: Answer | null = null;
  #text = '';
  #count = 0;
  #status = 0;
  #length = -1;

  constructor(limits: CodecLimits) {
    this.#limits = limits;
  }

  /** @param answer null for trailers */
  begin(answer: Answer | null): void {
    this.fault = '';
    this.tooLarge = false;
    this.#answer = answer;
    this.#text = '';
    this.#count = 0;
    this.#status = 0;
    this.#length = -1;
    answer?.clear();
  }

  field(field: Field): void {
    // The rest is decoded for the table's sake only.
    if (this.fault !== '') return;
    if (field.fault !== '') this.fault = `field ${this.#count + 1}: ${field.fault}`;
    else if (field.pseudo) this.#pseudo(field);
    else this.#regular(field);
  }

  /** The lines that may be passed on. */
  get trailers(): string {
    return this.#text;
  }

  /**
   * Completes the answer; false with `fault` set when it is none.
   * @param head the request was HEAD
   * @param ends the answer has no body
   */
  finish(head: boolean, ends: boolean): boolean {
    const answer = this.#answer as Answer;
    const status = this.#status;
    if (this.fault === '' && status === 0) this.fault = 'no :status';
    // RFC 9113 §8.6.
    else if (this.fault === '' && status === 101) this.fault = '101, which HTTP/2 does not have';
    else if (this.fault === '' && status < 200 && ends) this.fault = `${status} as the whole answer`;
    if (this.fault !== '') return false;
    const { fields } = answer;
    fields.text = this.#text;
    fields.end = this.#text.length;
    answer.status = status;
    answer.line = `${status} ${phraseOf(status)}`;
    const bodiless = head || status < 200 || status === 204 || status === 304;
    const length = this.#length;
    answer.length = length;
    // RFC 9110 §8.6: no length may go out with these.
    if (length >= 0 && (status < 200 || status === 204)) fields.delete('content-length');
    if (bodiless) answer.framing = 'none';
    else if (ends) {
      if (length > 0) {
        this.fault = `no body, and content-length ${length}`;
        return false;
      }
      answer.framing = 'none';
      answer.length = 0;
      if (length < 0) fields.append('Content-Length', '0');
    } else if (length >= 0) answer.framing = length === 0 ? 'none' : 'length';
    // The end of the stream ends it: nobody has to close for that.
    else answer.framing = 'chunked';
    return true;
  }

  #pseudo(field: Field): void {
    if (this.#answer === null) this.fault = `${field.name} in trailers`;
    else if (field.name !== ':status') this.fault = `unknown pseudo-field ${field.name}`;
    else if (this.#status !== 0) this.fault = ':status twice';
    else if (this.#count > 0) this.fault = ':status after other fields';
    else if (!/^[1-9]\d\d$/.test(field.value)) this.fault = 'bad :status';
    else this.#status = Number(field.value);
  }

  #regular(field: Field): void {
    const { id, name, value } = field;
    switch (id) {
      case names.CONNECTION:
      case names.KEEP_ALIVE:
      case names.PROXY_CONNECTION:
      case names.TRANSFER_ENCODING:
      case names.UPGRADE:
        // RFC 9113 §8.2.2: it would say something about a connection that is none of ours.
        this.fault = `the connection field ${name}`;
        return;
      default:
    }
    if (this.#text.length + name.length + value.length + 4 > this.#limits.head) return this.#large('bytes');
    if (this.#count++ >= this.#limits.fields) return this.#large('fields');
    if (this.#answer === null) {
      if (mayTrail(name)) this.#text += `${name}: ${value}\r\n`;
      return;
    }
    if (id === names.CONTENT_LENGTH && !this.#stated(value)) return;
    const at = this.#text.length;
    this.#text += `${name}: ${value}\r\n`;
    this.#answer.fields.push(id, at, at + name.length, at + name.length + 2, at + name.length + 2 + value.length);
  }

  /** Whether the field goes on: the first one that states the length, if it is well written. */
  #stated(value: string): boolean {
    const length = parseLength(value);
    const before = this.#length;
    if (length < 0) this.fault = 'bad content-length';
    else if (before >= 0 && length !== before) this.fault = 'contradictory content-length';
    if (this.fault !== '') return false;
    this.#length = length;
    if (before < 0 && isPadded(value)) this.#answer?.fields.append('Content-Length', String(length));
    return before < 0 && !isPadded(value);
  }

  #large(what: 'bytes' | 'fields'): void {
    this.tooLarge = true;
    this.fault = `more than ${what === 'bytes' ? this.#limits.head : this.#limits.fields} ${what}`;
  }
}
