import type { Answer } from '../../core/answer.ts';
import { isFieldValue, isToken } from '../../core/bytes.ts';
import { phraseOf } from '../../core/error-answer.ts';
import { AnswerHeadParser } from '../http1/answer-head.ts';
import type { CodecLimits } from '../codec.ts';
import { ANSWER_HEADERS } from './codes.ts';

const NULL_STRING = 0xffff;

/**
 * Reads SEND_HEADERS: status, message, and fields some of whose names are numbers. What it finds is written as an
 * HTTP/1.1 head and read like one, so that one place judges fields and framing.
 */
export class AnswerHeadReader {
  /** What is wrong, for the log. */
  detail = '';
  readonly #parser: AnswerHeadParser;
  readonly #fields: number;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  constructor({ head, fields }: CodecLimits) {
    this.#fields = fields;
    // Written out, a coded name is longer than it was, and names and values stand apart by four characters, not six.
    this.#parser = new AnswerHeadParser(head * 2 + 4096, fields, false);
  }

  /**
   * @param content the packet without its first byte
   * @param head the request was HEAD
   * @returns false with `detail` set when it is no head
   */
  read(content: Buffer, answer: Answer, head: boolean): boolean {
    this.#bytes = content;
    this.#at = 0;
    const text = this.#text();
    if (text === undefined) return false;
    const bytes = Buffer.from(text, 'latin1');
    answer.clear();
    this.#parser.reset();
    if (this.#parser.parse(bytes, 0, bytes.length, answer, head) === bytes.length) {
      // The end of a body is a packet here.
      if (answer.framing === 'close') answer.framing = 'chunked';
      return true;
    }
    this.detail = this.#parser.detail;
    return false;
  }

  #text(): string | undefined {
    const status = this.#word();
    const message = this.#string();
    const count = this.#word();
    if (status === undefined || message === undefined || count === undefined) return this.#refuse('cut short');
    if (status < 100 || status > 999) return this.#refuse(`status ${status}`);
    if (count > this.#fields) return this.#refuse('too many fields');
    // Tomcat sends the code again for want of a phrase.
    const phrase = message === '' || message === String(status) ? phraseOf(status) : message;
    if (!isFieldValue(phrase)) return this.#refuse('control characters in the status message');
    let text = `HTTP/1.1 ${status} ${phrase}\r\n`;
    for (let i = 0; i < count; i++) {
      const name = this.#name();
      const value = this.#string();
      if (name === undefined || value === undefined) return this.#refuse('cut short');
      // Before it becomes lines: a line end in a value would be a field of its own.
      if (!isToken(name) || !isFieldValue(value)) return this.#refuse(`field ${i + 1}: bad-field`);
      text += `${name}: ${value}\r\n`;
    }
    return `${text}\r\n`;
  }

  #name(): string | undefined {
    const code = this.#peek();
    if (code === undefined || code >>> 8 !== 0xa0) return this.#string();
    this.#at += 2;
    return ANSWER_HEADERS[(code & 0xff) - 1];
  }

  #peek(): number | undefined {
    return this.#at + 2 > this.#bytes.length ? undefined : this.#bytes.readUInt16BE(this.#at);
  }

  #word(): number | undefined {
    const value = this.#peek();
    this.#at += 2;
    return value;
  }

  #string(): string | undefined {
    const length = this.#word();
    if (length === undefined) return undefined;
    if (length === NULL_STRING) return '';
    const start = this.#at;
    this.#at += length + 1;
    return this.#at > this.#bytes.length ? undefined : this.#bytes.latin1Slice(start, start + length);
  }

  #refuse(detail: string): undefined {
    this.detail = detail;
    return undefined;
  }
}
