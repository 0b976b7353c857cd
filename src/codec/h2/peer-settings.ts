import * as codes from './codes.ts';

/** What the peer has said about itself, RFC 9113 §6.5.2. */
export class PeerSettings {
  /** The first SETTINGS have come. */
  known = false;
  readonly #ofClient: boolean;
  /** Streams that may be open at once. */
  streams = Infinity;
  /** The window that each stream begins with, for what we send. */
  window: number = codes.DEFAULT_WINDOW;
  /** Bytes of payload that a frame to it may have. */
  frame: number = codes.DEFAULT_FRAME;
  /** Bytes of fields that a request may have. */
  head = Infinity;
  /** Bytes of the table that it keeps for us. */
  table: number = codes.DEFAULT_TABLE;
  /** It takes WebSockets (RFC 8441 §3). */
  connect = false;
  /** What is wrong, with `code`. */
  detail = '';
  code: number = codes.PROTOCOL_ERROR;

  /** @param ofClient the peer asks, and we answer */
  constructor(ofClient = false) {
    this.#ofClient = ofClient;
  }

  /** Takes a SETTINGS frame's payload; false when it is wrong. */
  apply(bytes: Buffer, start: number, end: number): boolean {
    for (let i = start; i < end; i += 6) {
      if (!this.#set(bytes.readUInt16BE(i), bytes.readUInt32BE(i + 2))) return false;
    }
    this.known = true;
    return true;
  }

  #set(id: number, value: number): boolean {
    switch (id) {
      case codes.HEADER_TABLE_SIZE:
        this.table = value;
        return true;
      case codes.ENABLE_PUSH:
        if (this.#ofClient) return value <= 1 || this.#wrong(`ENABLE_PUSH ${value}`);
        return value === 0 || this.#wrong('ENABLE_PUSH from a server');
      case codes.MAX_CONCURRENT_STREAMS:
        this.streams = value;
        return true;
      case codes.INITIAL_WINDOW_SIZE:
        if (value > codes.MOST_WINDOW) {
          return this.#wrong(`INITIAL_WINDOW_SIZE ${value}`, codes.FLOW_CONTROL_ERROR);
        }
        this.window = value;
        return true;
      case codes.MAX_FRAME_SIZE:
        this.frame = value;
        return (value >= codes.DEFAULT_FRAME && value <= 0xff_ffff) || this.#wrong(`MAX_FRAME_SIZE ${value}`);
      case codes.MAX_HEADER_LIST_SIZE:
        this.head = value;
        return true;
      case codes.ENABLE_CONNECT_PROTOCOL:
        if (value > 1 || (value === 0 && this.connect)) return this.#wrong(`ENABLE_CONNECT_PROTOCOL ${value}`);
        this.connect = value === 1;
        return true;
      default:
        // RFC 9113 §6.5.2: unknown ones are passed over.
        return true;
    }
  }

  #wrong(detail: string, code: number = codes.PROTOCOL_ERROR): false {
    this.detail = detail;
    this.code = code;
    return false;
  }
}
