/** Bytes one read can take in: the window of one direction of an exchange. */
export const BLOCK_SIZE = 65_536;

/** Free blocks kept for reuse: 64 × 64 KiB = 4 MiB a thread, enough for 64 busy transfers without allocation. */
const KEPT = 64;

/**
 * 64 KiB of memory that a socket reads into and another may still be writing from. Whoever needs the bytes to stay
 * holds it; the last to release it gives it back.
 */
export class Block {
  readonly bytes: Buffer = Buffer.allocUnsafeSlow(BLOCK_SIZE);
  holders = 0;
  #view: Buffer = this.bytes;

  /** Its first `size` bytes. */
  view(size: number): Buffer {
    if (this.#view.length !== size) this.#view = this.bytes.subarray(0, size);
    return this.#view;
  }
}

const free: Block[] = [];
/** By the memory itself, so that every view of a block leads to it. */
const owners = new WeakMap<ArrayBufferLike, Block>();

/** A block held once. */
export function takeBlock(): Block {
  let block = free.pop();
  if (block === undefined) {
    block = new Block();
    owners.set(block.bytes.buffer, block);
  }
  block.holders = 1;
  return block;
}

export function holdBlock(block: Block): void {
  block.holders++;
}

export function releaseBlock(block: Block): void {
  if (--block.holders === 0 && free.length < KEPT) free.push(block);
}

/** The block that this memory is, or `undefined` for other memory. */
export function blockOf(buffer: Buffer): Block | undefined {
  return owners.get(buffer.buffer);
}

/**
 * The thread's one buffer for everything short: heads, small bodies. Its content is valid until the current read
 * callback returns, so it is never handed to a write that may outlive it.
 */
export const sharedBuffer: Buffer = Buffer.allocUnsafeSlow(BLOCK_SIZE);

const sharedViews = new Map<number, Buffer>([[BLOCK_SIZE, sharedBuffer]]);

/** The first `size` bytes of the shared buffer; the same object for the same size. */
export function sharedView(size: number): Buffer {
  let view = sharedViews.get(size);
  if (view === undefined) sharedViews.set(size, (view = sharedBuffer.subarray(0, size)));
  return view;
}

/** Whether this is a view of the shared buffer. */
export function isShared(buffer: Buffer): boolean {
  return buffer.buffer === sharedBuffer.buffer;
}
