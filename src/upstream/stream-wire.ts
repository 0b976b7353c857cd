import type { WireLike, WireOwner } from '../core/wire.ts';

/** What a wire on a shared connection does to its stream. */
export interface StreamSide {
  /** Bytes of the whole connection that the kernel has not taken. */
  readonly queued: number;
  requestBody(buffer: Buffer, start: number, end: number): void;
  requestEnd(trailers: string): void;
  requestFlush(): boolean;
  pause(): void;
  resume(): void;
  close(): void;
  defect(error: unknown): void;
}

/** A stream of a shared connection as a tunnel sees it: as if it were a socket of its own. */
export class StreamWire implements WireLike {
  dead = false;
  /** Reads are the connection's: nothing to choose here. */
  bulk = false;
  #owner: WireOwner | null = null;
  readonly #stream: StreamSide;
  #ended = false;
  /** Closes as soon as everything is out. */
  #finishing = false;

  constructor(stream: StreamSide) {
    this.#stream = stream;
  }

  adopt(owner: WireOwner): void {
    this.#owner = owner;
  }

  text(text: string): void {
    const bytes = Buffer.from(text, 'latin1');
    this.bytes(bytes, 0, bytes.length);
  }

  bytes(buffer: Buffer, start: number, end: number): void {
    if (!this.dead && !this.#ended) this.#stream.requestBody(buffer, start, end);
  }

  flush(): boolean {
    return this.dead || this.#stream.requestFlush();
  }

  get queued(): number {
    return this.dead ? 0 : this.#stream.queued;
  }

  pause(): void {
    if (!this.dead) this.#stream.pause();
  }

  resume(): void {
    if (!this.dead) this.#stream.resume();
  }

  end(): void {
    if (this.dead || this.#ended) return;
    this.#ended = true;
    this.#stream.requestEnd('');
    this.#stream.requestFlush();
  }

  finish(): void {
    this.end();
    if (this.dead) return;
    if (this.#stream.requestFlush()) this.destroy();
    else this.#finishing = true;
  }

  /** One stream is never reset harder than another: the codec tells the peer that it was given up. */
  destroy(): void {
    if (this.dead) return;
    this.dead = true;
    this.#stream.close();
    // As a socket's: never from within a call of the owner, who may be in the middle of ending both sides.
    queueMicrotask(() => this.#closed(null));
  }

  // ---- called by the stream

  received(buffer: Buffer, start: number, end: number): boolean {
    if (this.dead) return true;
    return this.#owner?.received(buffer.subarray(start, end), end - start) ?? true;
  }

  over(): void {
    if (!this.dead) this.#owner?.ended();
  }

  flushed(): void {
    if (this.dead) return;
    if (this.#finishing) this.destroy();
    else this.#owner?.flushed();
  }

  lost(error: NodeJS.ErrnoException | null): void {
    if (this.dead) return;
    this.dead = true;
    this.#closed(error);
  }

  #closed(error: NodeJS.ErrnoException | null): void {
    const owner = this.#owner;
    this.#owner = null;
    try {
      owner?.closed(error);
    } catch (defect) {
      this.#stream.defect(defect);
    }
  }
}
