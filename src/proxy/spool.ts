import type { BodySink } from '../core/answer.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Front } from '../core/exchange.ts';
import { Pieces } from '../core/pieces.ts';
import type { Link } from '../upstream/link.ts';
import type { RequestBody } from './upload.ts';

/** Where bytes go that are too many for the memory; `files/temporary.ts` is the one that exists outside of tests. */
export interface SpoolFile {
  write(bytes: Buffer, position: number, done: (error: Error | null) => void): void;
  read(into: Buffer, position: number, done: (error: Error | null, length: number) => void): void;
  close(): void;
}

export interface SpoolOptions {
  /** Bytes of one body in memory. */
  readonly memory: number;
  /** Bytes in memory of all bodies together. */
  readonly total: number;
  /** Bytes of one body altogether. */
  readonly size: number;
  readonly folder: string;
}

/** What all bodies of an upstream hold. */
export interface SpoolShare {
  /** Bytes in memory. */
  held: number;
}

/** How the gathering ended: with a whole body, or why not. */
export type Gathered = (error: ErrorCode | '', detail: string) => void;

/** Bytes read from the file at a time. */
const PIECE = 65_536;

/**
 * A request's body of unknown length, gathered before it is sent: first in memory, then in a file. The client is read no
 * faster than the disk takes it. Then it can be sent, as often as needed, no faster than the origin takes it.
 */
export class Spool implements BodySink, RequestBody {
  ended = false;
  readonly replayable = true;
  readonly #options: SpoolOptions;
  readonly #share: SpoolShare;
  readonly #front: Front;
  readonly #makeFile: () => SpoolFile;
  readonly #gathered: Gathered;
  /** Hears that the file cannot be read again. */
  readonly #lost: (detail: string) => void;
  readonly #kept = new Pieces();
  /** The same, for sending. */
  #pieces: Buffer[] = [];
  /** Bytes in `#kept`, in the file, and on their way there. */
  #inMemory = 0;
  #inFile = 0;
  readonly #waiting = new Pieces();
  #file: SpoolFile | null = null;
  #writing = false;
  #full = false;
  #whole = false;
  #told = false;
  #over = false;

  #channel: Link | null = null;
  #piece = 0;
  #at = 0;
  #reading = false;

  constructor(
    options: SpoolOptions,
    share: SpoolShare,
    front: Front,
    makeFile: () => SpoolFile,
    gathered: Gathered,
    lost: (detail: string) => void,
  ) {
    this.#options = options;
    this.#share = share;
    this.#front = front;
    this.#makeFile = makeFile;
    this.#gathered = gathered;
    this.#lost = lost;
  }

  /** Bytes of the whole body. */
  get length(): number {
    return this.#inMemory + this.#inFile;
  }

  // ---- from the client

  body(buffer: Buffer, start: number, end: number): void {
    if (this.#over || start === end) return;
    const { memory, total, size } = this.#options;
    const length = end - start;
    this.#full ||= this.length + length > size;
    // Said at the end of the read: nobody answers a request in the middle of one.
    if (this.#full) return;
    if (this.#inFile === 0 && this.#inMemory + length <= memory && this.#share.held + length <= total) {
      this.#kept.add(buffer, start, end);
      this.#inMemory += length;
      this.#share.held += length;
    } else {
      this.#inFile += length;
      this.#waiting.add(buffer, start, end);
    }
  }

  /** There is no place for trailers behind a stated length. */
  end(): void {
    this.#whole = true;
  }

  flush(): boolean {
    if (this.#over) return true;
    if (this.#full) {
      this.#fail('spool-full', `more than spool.size, ${this.#options.size} bytes`);
      return true;
    }
    if (this.#waiting.size > 0 && !this.#writing) this.#write();
    if (this.#writing) return false;
    if (this.#whole && !this.#told) {
      this.#told = true;
      this.#gathered('', '');
    }
    return true;
  }

  /** The exchange is over: gives memory and file back. */
  close(): void {
    this.#over = true;
    this.#channel = null;
    this.#pieces = [];
    this.#kept.clear();
    this.#share.held -= this.#inMemory;
    this.#inMemory = 0;
    this.#waiting.clear();
    this.#file?.close();
  }

  #write(): void {
    const waiting = this.#waiting.take();
    const bytes = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting);
    const position = this.#inFile - bytes.length;
    this.#writing = true;
    this.#file ??= this.#makeFile();
    this.#file.write(bytes, position, (error) => {
      this.#writing = false;
      if (this.#over) return;
      if (error !== null) return this.#fail('spool-failed', codeOf(error));
      if (this.flush()) this.#front.resumeBody();
    });
  }

  #fail(code: ErrorCode, detail: string): void {
    this.close();
    this.#gathered(code, detail);
  }

  // ---- to an origin

  use(channel: Link | null): void {
    this.#channel = channel;
    this.ended = false;
    this.#pieces = this.#kept.all;
    this.#piece = 0;
    this.#at = 0;
  }

  /** The channel can take more. */
  resume(): void {
    const channel = this.#channel;
    while (channel !== null && this.#channel === channel && !this.ended && !this.#reading) {
      if (this.#piece < this.#pieces.length) {
        const piece = this.#pieces[this.#piece++];
        channel.requestBody(piece, 0, piece.length);
        if (!channel.requestFlush()) return;
      } else if (this.#at < this.#inFile) this.#read(channel);
      else {
        this.ended = true;
        channel.requestEnd('');
        channel.requestFlush();
      }
    }
  }

  #read(channel: Link): void {
    this.#reading = true;
    const into = Buffer.allocUnsafe(Math.min(PIECE, this.#inFile - this.#at));
    (this.#file as SpoolFile).read(into, this.#at, (error, length) => {
      this.#reading = false;
      if (this.#over || this.#channel === null) return;
      // Another channel began from the beginning meanwhile.
      if (this.#channel !== channel) return this.resume();
      if (error !== null || length === 0) return this.#lost(error === null ? 'the file is too short' : codeOf(error));
      this.#at += length;
      channel.requestBody(into, 0, length);
      if (channel.requestFlush()) this.resume();
    });
  }
}

function codeOf(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}
