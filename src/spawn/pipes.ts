import { Duplex, type Readable, type Writable } from 'node:stream';

/**
 * A program's standard input and output as one stream, as the data path has it with sockets. They are two pipes, not one
 * socket: that would not end when a program closes its output and keeps its input, and it would fail, with what is still
 * in it, when a program ends without having read all.
 */
export class Pipes extends Duplex {
  /** `null`: there is nothing to be written. */
  readonly #input: Writable | null;
  readonly #output: Readable;

  constructor(input: Writable | null, output: Readable) {
    super();
    this.#input = input;
    this.#output = output;
    // Nobody has to read what he is sent (RFC 3875 §4.2).
    input?.on('error', () => {});
    output.on('error', () => {});
    output.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) output.pause();
    });
    // After 'end', too, and whatever comes first counts.
    output.on('close', () => this.#end());
    output.on('end', () => this.#end());
    output.pause();
  }

  override _read(): void {
    this.#output.resume();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, done: () => void): void {
    if (this.#input === null) done();
    else this.#input.write(chunk, encoding, () => done());
  }

  override _writev(chunks: readonly { chunk: Buffer | string; encoding: BufferEncoding }[], done: () => void): void {
    if (this.#input === null) return done();
    this.#input.cork();
    for (const [i, { chunk, encoding }] of chunks.entries())
      this.#input.write(chunk, encoding, i === chunks.length - 1 ? () => done() : undefined);
    this.#input.uncork();
  }

  override _final(done: () => void): void {
    this.#input?.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#input?.destroy();
    this.#output.destroy();
    done(error);
  }

  #end(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null);
  }
}
