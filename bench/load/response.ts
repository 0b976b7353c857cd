/** Finds where one answer ends and the next begins, so that a load generator knows when a request is done. */

const headEnd = '\r\n\r\n';
const lastChunk = '\r\n0\r\n\r\n';

export class ResponseReader {
  #head = '';
  /** Bytes of body still to come; -1 while the head is read, Infinity while a body is chunked. */
  #left = -1;
  #tail = '';
  /** Of the answer that is being read, 0 before its head is complete. */
  status = 0;
  /** True when the head said that the connection ends after this answer. */
  closing = false;

  /** Takes what has arrived; true when an answer is complete with it. Without pipelining nothing follows an answer. */
  read(bytes: Uint8Array): boolean {
    let at = 0;
    if (this.#left < 0) {
      const before = this.#head.length;
      this.#head += latin1(bytes, 0);
      const end = this.#head.indexOf(headEnd);
      if (end < 0) return false;
      at = end + headEnd.length - before;
      this.#startBody(this.#head.slice(0, end + 2));
    }
    if (this.#left === Number.POSITIVE_INFINITY) {
      this.#tail = (this.#tail + latin1(bytes, Math.max(at, bytes.length - lastChunk.length))).slice(-lastChunk.length);
      return this.#tail.endsWith(lastChunk) && this.#finish();
    }
    this.#left -= bytes.length - at;
    return this.#left <= 0 && this.#finish();
  }

  #startBody(head: string): void {
    this.status = Number(head.slice(9, 12));
    this.closing = /\r\nconnection: *close/i.test(head);
    this.#left = /\r\ntransfer-encoding: *chunked/i.test(head)
      ? Number.POSITIVE_INFINITY
      : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    this.#tail = '\r\n'; // so that an empty chunked body ends like any other
  }

  #finish(): true {
    this.#head = '';
    this.#left = -1;
    return true;
  }
}

function latin1(bytes: Uint8Array, from: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', from);
}
