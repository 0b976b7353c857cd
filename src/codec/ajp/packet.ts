/** Bytes before a packet's content: two that say who sends it, two of length. */
export const PACKET_HEAD = 4;
/** A packet of body bytes has their number before them. */
export const BODY_HEAD = PACKET_HEAD + 2;

const FIRST = 0x12;
const SECOND = 0x34;

/** Writes one packet towards the container. What does not fit is remembered, not written: see `overflow`. */
export class PacketWriter {
  /** More was written than the packet has room for. */
  overflow = false;
  readonly #bytes: Buffer;
  #at = PACKET_HEAD;

  /** @param size of the whole packet, its head included */
  constructor(size: number) {
    this.#bytes = Buffer.allocUnsafe(size);
  }

  byte(value: number): void {
    if (this.#room(1)) this.#bytes[this.#at++] = value;
  }

  word(value: number): void {
    if (this.#room(2)) this.#at = this.#bytes.writeUInt16BE(value, this.#at);
  }

  /** Length, latin1 bytes, NUL. */
  string(text: string): void {
    if (!this.#room(text.length + 3)) return;
    this.word(text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
    this.byte(0);
  }

  /** The whole packet. */
  finish(): Buffer {
    return sealed(this.#bytes.subarray(0, this.#at));
  }

  #room(length: number): boolean {
    if (this.#at + length > this.#bytes.length) this.overflow = true;
    return !this.overflow;
  }
}

/** The head of a packet that carries `length` bytes of a body. */
export function bodyHead(length: number): Buffer {
  const head = Buffer.from([FIRST, SECOND, 0, 0, 0, 0]);
  head.writeUInt16BE(length + 2, 2);
  head.writeUInt16BE(length, PACKET_HEAD);
  return head;
}

/** The packet that ends a body. */
export const EMPTY_PACKET: Buffer = Buffer.from([FIRST, SECOND, 0, 0]);

/** Completes the head of a packet in place. */
export function sealed(packet: Buffer): Buffer {
  packet[0] = FIRST;
  packet[1] = SECOND;
  packet.writeUInt16BE(packet.length - PACKET_HEAD, 2);
  return packet;
}
