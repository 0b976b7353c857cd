import { CR, HEX_VALUE, HTAB, LF, SEMICOLON, SP } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/errors.ts';
import { Fields } from '../../core/fields.ts';
import { BEFORE, BEGIN, extensionStep, LINE_END, WRONG } from './chunk-extension.ts';
import { FAILED, LineReader, MORE } from './lines.ts';

/** 13 hex digits are 2^52 - 1: beyond any real chunk, and still an exact number. */
const LONGEST_SIZE = 13;
/** Bytes that one chunk's size line may have besides its size: leading zeros and extensions, which are never used. */
const MOST_EXCESS = 1024;
/**
 * The same for a whole body, beyond what its data pays for. Without it one byte of data per kilobyte of extension would
 * be a cheap attack; with a fixed sum, a long body whose every chunk is signed would end in an error.
 */
const MOST_UNPAID = 16_384;

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers' | 'done';

/** Fields that may not come as trailers: they frame, route, guard or vouch for the message (RFC 9110 §6.5.1). */
const NOT_TRAILERS = new Set([
  ...['age', 'authorization', 'cache-control', 'connection', 'content-encoding', 'content-length', 'content-location'],
  ...['content-range', 'content-type', 'cookie', 'date', 'expect', 'expires', 'forwarded', 'host', 'http2-settings'],
  ...['keep-alive', 'location', 'max-forwards', 'pragma', 'proxy', 'proxy-authenticate', 'proxy-authorization'],
  ...[
    'proxy-connection',
    'range',
    'retry-after',
    'set-cookie',
    'status',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
  ],
  ...['vary', 'via', 'www-authenticate', 'x-real-ip', 'x-request-id'],
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
  /** Where in an extension we are. */
  #step = BEFORE;
  #excess = 0;
  #unpaid = 0;
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
          const code = buffer[i++];
          const digit = HEX_VALUE[code];
          if (digit !== 255) {
            // Leading zeros are legal and endless; they count as excess.
            if (this.#left > 0 || digit > 0) this.#digits++;
            else if (this.#excess++ > MOST_EXCESS) return FAILED;
            if (this.#digits > LONGEST_SIZE) return FAILED;
            this.#left = this.#left * 16 + digit;
          } else if (this.#digits === 0 && this.#excess === 0) return FAILED;
          else if (code === CR) this.#state = 'size-lf';
          else if (code === SEMICOLON || code === SP || code === HTAB) {
            // White space may come before an extension ("BWS"), but not before the line's end.
            this.#step = code === SEMICOLON ? BEGIN : BEFORE;
            this.#state = 'extension';
          } else return FAILED;
          break;
        }
        case 'extension':
          this.#step = extensionStep(this.#step, buffer[i++]);
          if (this.#step === WRONG || ++this.#excess > MOST_EXCESS) return FAILED;
          if (this.#step === LINE_END) this.#state = 'size-lf';
          break;
        case 'size-lf':
          if (buffer[i++] !== LF) return FAILED;
          if (!this.#pay()) return FAILED;
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
          this.#excess = 0;
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

  /** A size line is complete: what it had too much of is set off against the data it announces. */
  #pay(): boolean {
    if (this.#excess === 0) return true;
    this.#unpaid = Math.max(0, this.#unpaid + this.#excess - 16 - this.#left);
    return this.#unpaid <= MOST_UNPAID;
  }

  #readTrailers(buffer: Buffer, start: number, end: number): number {
    // Nearly always the section is one empty line that is there already.
    if (this.#section === null && end - start >= 2 && buffer[start] === CR && buffer[start + 1] === LF) {
      this.#state = 'done';
      return start + 2;
    }
    const before = this.#section?.length ?? 0;
    const section =
      this.#section === null
        ? Buffer.from(buffer.subarray(start, end))
        : Buffer.concat([this.#section, buffer.subarray(start, end)]);
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
    for (let i = 0; i < fields.count; i++) if (!mayTrail(fields.name(i).toLowerCase())) fields.drop(i);
    this.trailers = fields.lines();
    this.#section = null;
    this.#state = 'done';
    return start + after - before;
  }
}

/**
 * Whether a field, its name in lower case, may be passed on as a trailer. Also not: conditions, what proxies assert, and names that some servers fold onto one of
 * those in the list.
 */
export function mayTrail(name: string): boolean {
  return !NOT_TRAILERS.has(name) && !name.startsWith('if-') && !name.startsWith('x-forwarded-') && !name.includes('_');
}
