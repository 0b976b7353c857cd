import { CR, FIELD_VALUE, HEX_VALUE, HTAB, LF, SEMICOLON, SP } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { Fields } from '../../core/fields.ts';
import { FAILED, LineReader, MORE } from './lines.ts';

/** 13 hex digits are 2^52 - 1: beyond any real chunk, and still an exact number. */
const LONGEST_SIZE = 13;
/** Bytes of extension one chunk may carry. They are never used, so they are only a way to make us work. */
const LONGEST_EXTENSION = 1024;
/** Extension bytes of a whole body. Without it one byte of data per kilobyte of extension would be a cheap attack. */
const MOST_EXTENSION = 16_384;

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done';

/** Fields that may not come as trailers: they frame, route or guard the message (RFC 9110 §6.5.1). */
const NOT_TRAILERS = new Set([
  'authorization', 'cache-control', 'connection', 'content-encoding', 'content-length', 'content-range', 'content-type',
  'cookie', 'expect', 'forwarded', 'host', 'keep-alive', 'max-forwards', 'proxy-authenticate', 'proxy-authorization',
  'proxy-connection', 'range', 'set-cookie', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'www-authenticate',
]);

/** Receives decoded data; `Buffer` is valid during the call only. */
export interface ChunkSink {
  body(buffer: Buffer, start: number, end: number): void;
}

/**
 * Decodes the chunked coding (RFC 9112 §7.1), fed in any pieces. CRLF only, sizes of plain hex digits, extensions
 * checked and dropped, trailers as strict as heads.
 */
export class ChunkDecoder {
  /** Set when `decode` answers `FAILED`. */
  error: ErrorCode = 'bad-chunk';
  /** The trailer lines that may be passed on; '' without any. Valid once `done`. */
  trailers = '';
  #state: State = 'size';
  #left = 0;
  #digits = 0;
  #extension = 0;
  #extensions = 0;
  #spaced = false;
  #lines: LineReader | null = null;
  #section: Buffer | null = null;
  #fields: Fields | null = null;
  readonly #mostTrailer: number;
  readonly #mostFields: number;
  readonly #tooLarge: ErrorCode;

  constructor(mostTrailer: number, mostFields: number, tooLarge: ErrorCode) {
    this.#mostTrailer = mostTrailer;
    this.#mostFields = mostFields;
    this.#tooLarge = tooLarge;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Decodes `buffer[start, end)`; returns the offset of the first byte not used, or `FAILED`. */
  decode(buffer: Buffer, start: number, end: number, sink: ChunkSink): number {
    let i = start;
    while (i < end) {
      switch (this.#state) {
        case 'size': {
          const code = buffer[i] as number;
          const digit = HEX_VALUE[code] as number;
          if (digit !== 255 && !this.#spaced) {
            if (++this.#digits > LONGEST_SIZE) return FAILED;
            this.#left = this.#left * 16 + digit;
          } else if (this.#digits === 0) return FAILED;
          else if (code === CR && !this.#spaced) this.#state = 'size-lf';
          else if (code === SEMICOLON) this.#state = 'extension';
          // White space is allowed before an extension only ("BWS"), never before the line's end.
          else if ((code === SP || code === HTAB) && ++this.#extension <= 16) this.#spaced = true;
          else return FAILED;
          i++;
          break;
        }
        case 'extension': {
          const code = buffer[i++] as number;
          if (code === CR) this.#state = 'size-lf';
          else if (FIELD_VALUE[code] === 0 || ++this.#extension > LONGEST_EXTENSION) return FAILED;
          else if (++this.#extensions > MOST_EXTENSION) return FAILED;
          break;
        }
        case 'size-lf':
          if (buffer[i++] !== LF) return FAILED;
          this.#state = this.#left === 0 ? 'trailers' : 'data';
          break;
        case 'data': {
          const take = Math.min(this.#left, end - i);
          sink.body(buffer, i, i + take);
          i += take;
          this.#left -= take;
          if (this.#left === 0) this.#state = 'data-cr';
          break;
        }
        case 'data-cr':
          if (buffer[i++] !== CR) return FAILED;
          this.#state = 'data-lf';
          break;
        case 'data-lf':
          if (buffer[i++] !== LF) return FAILED;
          this.#state = 'size';
          this.#digits = 0;
          this.#extension = 0;
          this.#spaced = false;
          break;
        case 'trailers':
          i = this.#readTrailers(buffer, i, end);
          if (i === FAILED) return FAILED;
          break;
        default:
          return i;
      }
    }
    return i;
  }

  #readTrailers(buffer: Buffer, start: number, end: number): number {
    // Nearly always the section is one empty line that is there already.
    if (this.#section === null && end - start >= 2 && buffer[start] === CR && buffer[start + 1] === LF) {
      this.#state = 'done';
      return start + 2;
    }
    const before = this.#section?.length ?? 0;
    const section = this.#section === null ? Buffer.from(buffer.subarray(start, end)) : Buffer.concat([this.#section, buffer.subarray(start, end)]);
    this.#section = section;
    this.#lines ??= new LineReader(this.#tooLarge);
    const fields = (this.#fields ??= new Fields());
    const after = this.#lines.read(section, 0, section.length, this.#mostTrailer, this.#mostFields, fields);
    if (after === FAILED) {
      this.error = this.#lines.error;
      return FAILED;
    }
    if (after === MORE) return end;
    fields.text = section.latin1Slice(0, after);
    fields.end = after - 2;
    for (let i = 0; i < fields.count; i++) if (NOT_TRAILERS.has(fields.name(i).toLowerCase())) fields.drop(i);
    this.trailers = fields.lines();
    this.#section = null;
    this.#state = 'done';
    return start + after - before;
  }
}
