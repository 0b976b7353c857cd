/** How much and how long things may take on a client's connection where nobody needs to choose. Times in milliseconds. */

/** An unread body up to this long is read and dropped to keep the connection; a longer one costs more than it saves. */
export const WORTH_DRAINING = 65_536;

/** Milliseconds the rest of an answer that was cut may take to go out. */
export const LAST_BYTES = 5000;

/** Bytes of later requests that are taken in while one is served: reading is how a client is seen to leave. */
export const READ_AHEAD = 16_384;

/**
 * Milliseconds an answer may take to begin after the client has ended its side. Most clients that do so have left; but
 * some only say that they have asked everything (`nc -N`), and do so at once.
 */
export const HALF_CLOSED = 500;

/** Milliseconds an origin has to answer `Expect: 100-continue` before we do. */
export const CONTINUE_AFTER = 1000;

/**
 * Milliseconds a client of HTTP/2 has to end a request itself that was answered early. Then its stream is reset, which is no
 * error (RFC 9113 §8.1); but curl and others that are still sending take that for one, and throw the answer away.
 */
export const ANSWERED_EARLY = 1000;

/**
 * Milliseconds a client that was told nothing of it may still ask on a connection that is to go. Closing at once would
 * reset requests on their way. A second is the first retransmission timeout of TCP (RFC 6298): one lost packet is forgiven.
 */
export const PARTING = 1000;
