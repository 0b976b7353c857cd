import type { ByteSink } from './answer.ts';

/** A read longer than this many bytes belongs to a long body: the wire reads on into blocks (see wire/blocks.ts). */
export const BULK = 16_384;

/** Who uses a wire. Nothing is called after `closed`. */
export interface WireOwner {
  /** Bytes arrived; they are valid until this returns. False stops reading until `resume`. */
  received(buffer: Buffer, length: number): boolean;
  /** The peer has sent its last byte (FIN). */
  ended(): void;
  /** A `flush` that answered false has been made good. */
  flushed(): void;
  /** The socket is gone, for whatever reason; exactly once. */
  closed(error: NodeJS.ErrnoException | null): void;
  /** A defect: this owner threw. The wire is destroyed after this. */
  defect(error: unknown): void;
}

/** One socket as the data path sees it; `wire/wire.ts` is the one that exists outside of tests. */
export interface WireLike extends ByteSink {
  readonly dead: boolean;
  /** A long body is arriving here: read into memory that the other side can write from. */
  bulk: boolean;
  adopt(owner: WireOwner): void;
  /** True when the kernel took everything; false announces `flushed`. */
  flush(): boolean;
  /** Bytes not yet taken by the kernel; tells a slow reader from one that does not read. */
  readonly queued: number;
  pause(): void;
  resume(): void;
  end(): void;
  finish(): void;
  destroy(reset?: boolean): void;
}
