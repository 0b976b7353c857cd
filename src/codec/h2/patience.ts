/** Frames in a row that bring nothing: far more than a busy peer sends between two that do. */
const MOST_USELESS = 10_000;
/** Replies of ours that nothing shows to have been read: as nghttp2 bounds those that wait to be written. */
const MOST_UNREAD = 1000;
/** After so many we ask. */
const ASK_AFTER = 64;

/**
 * Bounds what a peer can make us do for nothing, without a clock. Each PING and SETTINGS wants a reply (CVE-2019-9512,
 * CVE-2019-9515); whoever sends them and does not read would make replies pile up. So from time to time a PING of ours
 * goes out among them, and only its echo shows that those before it have been read. Someone who pings once a minute for
 * years is never over the bound.
 */
export class Patience {
  #useless = 0;
  #unread = 0;
  /** Replies that the echo will vouch for; 0 when none is awaited. */
  #asked = 0;

  /** A frame that changes nothing. False when there have been too many. */
  useless(): boolean {
    return ++this.#useless <= MOST_USELESS;
  }

  /** Something that was asked for, or that somebody asks. */
  useful(): void {
    this.#useless = 0;
  }

  /** A reply is written: `ask` for an echo after it, `enough` is enough. */
  replied(): 'go on' | 'ask' | 'enough' {
    if (++this.#unread > MOST_UNREAD) return 'enough';
    if (this.#asked > 0 || this.#unread < ASK_AFTER) return 'go on';
    this.#asked = this.#unread;
    return 'ask';
  }

  /** An echo has come; false when none was asked for. */
  echoed(): boolean {
    if (this.#asked === 0) return false;
    this.#unread -= this.#asked;
    this.#asked = 0;
    return true;
  }
}
