import type { Socket } from 'node:net';
import type { WireLike, WireOwner } from '../core/wire.ts';
import { type Block, BLOCK_SIZE, blockOf, holdBlock, isShared, releaseBlock, sharedView, takeBlock } from './blocks.ts';

/**
 * Up to this many characters a message is built as one latin1 string and leaves in one `write(2)`. Node encodes strings
 * of up to 16 KiB on the stack and writes them without an allocation; above that, copying costs more than a `writev`.
 */
const TEXT_LIMIT = 16_384;
const NOTHING = Buffer.alloc(0);

/**
 * Over TLS Node says that a write is out only when the turn of the event loop is over, although the kernel has mostly taken it
 * at once. So many bytes, a record of TLS, count as taken: else every write would be followed by the question whether it is
 * out, which is an empty write of its own, and by an answer.
 */
const TLS_SLACK = 16_384;

/** A socket that carries its wire, so that one function serves all sockets' events. */
type WiredSocket = Socket & { wire?: Wire };

/** The part of `net.Socket`'s options that makes it read into memory of ours. */
export interface ReadInto {
  readonly buffer: () => Buffer;
  readonly callback: (length: number, buffer: Uint8Array) => boolean;
}

/**
 * One socket as the data path wants it: reads land in memory that is there already, and everything written during one
 * turn leaves in one system call.
 *
 * Reads go to the thread's shared buffer. While a long body passes through (`bulk`), they go to a block of the wire's
 * own instead, which the other side's wire can write from without a copy; see blocks.ts for who holds it how long.
 */
export class Wire implements WireLike {
  readonly socket!: Socket;
  /** True once the socket is destroyed or being destroyed: writes go nowhere. */
  dead = false;
  /** The peer takes nothing any more, though it may have said something before; see `readOnAfterWrites`. */
  deaf = false;
  /** A long body is arriving here: read into blocks. Set and cleared by the owner. */
  bulk = false;
  /** Nothing is read until `resume`. */
  stopped = false;
  #owner: WireOwner;
  readonly #window: number;
  readonly #shared: Buffer;
  #buffer: Buffer;
  #block: Block | null = null;
  /** Bytes that may wait in the socket and count as taken. */
  #slack = 0;
  #text = '';
  #corked = false;
  #waiting = false;
  #ending = false;
  #started = false;
  #onFlushed: ((error?: Error | null) => void) | null = null;

  /** @param window most bytes one read takes in: 1 to `BLOCK_SIZE` */
  constructor(owner: WireOwner, window: number = BLOCK_SIZE) {
    this.#owner = owner;
    this.#window = window;
    this.#shared = sharedView(window);
    this.#buffer = this.#shared;
  }

  /** Hands the wire to another owner: a tunnel takes over both ends of an exchange. */
  adopt(owner: WireOwner): void {
    this.#owner = owner;
  }

  /** For `new Socket({ onread })` and `connect({ onread })`. */
  readInto(): ReadInto {
    return {
      buffer: () => this.#nextBuffer() as Buffer,
      callback: (length) => this.#received(this.#buffer, length),
    };
  }

  /** Listens to the socket. `byEvents` where it was created without `readInto`. */
  attach(socket: Socket, byEvents: boolean): void {
    (this as { socket: Socket }).socket = socket;
    (socket as WiredSocket).wire = this;
    if ((socket as Socket & { encrypted?: boolean }).encrypted === true) this.#slack = TLS_SLACK;
    if (byEvents) socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
    if (this.#ending) socket.end();
  }

  text(text: string): void {
    this.#text += text;
  }

  bytes(buffer: Buffer, start: number, end: number): void {
    const length = end - start;
    if (this.#text.length + length <= TEXT_LIMIT) {
      this.#text += buffer.latin1Slice(start, end);
      return;
    }
    if (this.dead) return;
    this.#cork();
    const owner = blockOf(buffer);
    if (owner !== undefined) {
      holdBlock(owner);
      this.socket.write(buffer.subarray(start, end), () => releaseBlock(owner));
    } else if (isShared(buffer)) {
      const block = takeBlock();
      buffer.copy(block.bytes, 0, start, end);
      this.socket.write(block.bytes.subarray(0, length), () => releaseBlock(block));
    } else {
      this.socket.write(buffer.subarray(start, end));
    }
  }

  /**
   * Whoever refuses an upload answers, closes, and so resets the connection of him who still sends. Node ends a socket
   * when a write fails, and the answer, received already, would be lost. From now on a failed write only sets `deaf`;
   * the end comes by reading, after the answer.
   */
  readOnAfterWrites(): void {
    const { socket } = this;
    if (Object.hasOwn(socket, '_write')) return;
    const write = socket._write.bind(socket);
    const writev = socket._writev?.bind(socket);
    const calm =
      (done: (error?: Error | null) => void) =>
      (error?: Error | null): void => {
        if (error !== undefined && error !== null) this.deaf = true;
        done();
      };
    socket._write = (chunk, encoding, done) => write(chunk, encoding, calm(done));
    if (writev !== undefined) socket._writev = (chunks, done) => writev(chunks, calm(done));
  }

  /** Something was added since the last flush. */
  get unsent(): boolean {
    return this.#text !== '' || this.#corked;
  }

  /**
   * Writes what was added. True when the kernel took all of it; false when some waits in memory: the owner should stop
   * its source, and hears `flushed` once everything is out.
   */
  flush(): boolean {
    if (this.dead) {
      this.#text = '';
      return true;
    }
    const socket = this.socket;
    if (this.#text !== '') {
      const text = this.#text;
      this.#text = '';
      socket.write(text, 'latin1');
    }
    if (this.#corked) {
      this.#corked = false;
      socket.uncork();
    }
    if (socket.writableLength <= this.#slack) return true;
    if (!this.#waiting) {
      this.#waiting = true;
      // An empty write ends when all before it have: cheaper than asking for 'drain' on every write.
      this.#onFlushed ??= (error) => {
        this.#waiting = false;
        // A write that failed is not out: 'close' tells the owner.
        if (!this.dead && (error === undefined || error === null)) this.#guard(flushedCall);
      };
      if (socket.writableEnded) socket.once('finish', this.#onFlushed);
      else socket.write(NOTHING, this.#onFlushed);
    }
    return false;
  }

  /**
   * Bytes written but not yet taken by the kernel. Node counts a write in progress as a whole; libuv's queue, where it
   * can be seen, shrinks with every byte the peer takes.
   */
  get queued(): number {
    if (this.dead) return 0;
    const handle = (this.socket as Socket & { _handle?: { writeQueueSize?: number } | null })._handle;
    return handle?.writeQueueSize ?? this.socket.writableLength;
  }

  pause(): void {
    this.stopped = true;
    if (!this.dead) this.socket.pause();
  }

  resume(): void {
    this.stopped = false;
    if (!this.dead) this.socket.resume();
  }

  /** Sends FIN once everything written is out; reading goes on. Before there is a socket, it is sent when there is one. */
  end(): void {
    if ((this.socket as Socket | undefined) === undefined) {
      this.#ending = true;
      return;
    }
    this.flush();
    if (!this.dead) this.socket.end();
  }

  /** Closes once everything written is out. */
  finish(): void {
    if (this.flush() && (this.dead || this.socket.writableLength === 0)) this.destroy();
    else if (!this.dead) this.socket.end(() => this.destroy());
  }

  /** Closes now; unsent bytes are lost. `reset` sends RST, which no client can mistake for a clean end. */
  destroy(reset = false): void {
    if (this.dead) return;
    this.dead = true;
    if ((this.socket as Socket | undefined) === undefined) return;
    if (reset && this.#mayReset()) this.socket.resetAndDestroy();
    else this.socket.destroy();
  }

  /**
   * A unix socket has no RST, and Node refuses to send one; nor does it below TLS, where the missing close_notify tells. While
   * a FIN is under way libuv refuses (EINVAL), and Node then neither closes the socket nor says that it is closed.
   * `remoteFamily` is a system call and some objects, so nobody else asks for it.
   */
  #mayReset(): boolean {
    const { socket } = this;
    if ((socket as Socket & { encrypted?: boolean }).encrypted === true) return false;
    return socket.remoteFamily !== undefined && !socket.writableEnded;
  }

  #cork(): void {
    if (!this.#corked) {
      this.#corked = true;
      this.socket.cork();
    }
    if (this.#text !== '') {
      this.socket.write(this.#text, 'latin1');
      this.#text = '';
    }
  }

  /** Asked by the socket after each read: memory for the next one, or nothing to keep the same. */
  #nextBuffer(): Buffer | undefined {
    if (!this.#started) {
      this.#started = true;
      return this.#shared;
    }
    if (!this.bulk) {
      if (this.#block !== null) {
        releaseBlock(this.#block);
        this.#block = null;
        return (this.#buffer = this.#shared);
      }
      return undefined;
    }
    // The other side still writes from this block: read on into another one.
    if (this.#block !== null && this.#block.holders > 1) {
      releaseBlock(this.#block);
      this.#block = null;
    }
    if (this.#block !== null) return undefined;
    this.#block = takeBlock();
    return (this.#buffer = this.#block.view(this.#window));
  }

  #received(buffer: Buffer, length: number): boolean {
    if (this.dead) return false;
    try {
      const more = this.#owner.received(buffer, length);
      if (!more) this.stopped = true;
      return more;
    } catch (error) {
      this.#defect(error);
      return false;
    }
  }

  #guard(call: (owner: WireOwner) => void): void {
    try {
      call(this.#owner);
    } catch (error) {
      this.#defect(error);
    }
  }

  #defect(error: unknown): void {
    this.#owner.defect(error);
    this.destroy(true);
  }

  /** For the socket's events only. */
  static event(wire: Wire, kind: 'ended' | 'closed', error: NodeJS.ErrnoException | null): void {
    if (kind === 'closed') {
      wire.dead = true;
      wire.#text = '';
      if (wire.#block !== null) {
        releaseBlock(wire.#block);
        wire.#block = null;
      }
      wire.#guard((owner) => owner.closed(error));
    } else if (!wire.dead) {
      wire.#guard(endedCall);
    }
  }

  /** For sockets without `readInto`. */
  static data(wire: Wire, chunk: Buffer): void {
    if (!wire.#received(chunk, chunk.length)) wire.pause();
  }
}

function flushedCall(owner: WireOwner): void {
  owner.flushed();
}

function endedCall(owner: WireOwner): void {
  owner.ended();
}

function onData(this: WiredSocket, chunk: Buffer): void {
  Wire.data(this.wire as Wire, chunk);
}

function onEnd(this: WiredSocket): void {
  // A connection that broke is no orderly end: 'close' follows.
  if (this.destroyed) return;
  Wire.event(this.wire as Wire, 'ended', null);
}

/** 'close' follows, and the error is kept for it. What is wrong with TLS after the handshake Node only tells. */
function onError(this: WiredSocket & { failure?: NodeJS.ErrnoException }, error: NodeJS.ErrnoException): void {
  this.failure ??= error;
  if (!this.destroyed) this.destroy();
}

function onClose(this: WiredSocket & { failure?: NodeJS.ErrnoException }): void {
  Wire.event(this.wire as Wire, 'closed', this.failure ?? null);
}
