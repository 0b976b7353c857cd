import type { Answer, BodySink } from './answer.ts';
import type { ErrorCode } from './errors.ts';
import { METER } from './meter.ts';
import type { Networks } from './networks.ts';
import type { Origin } from './origin.ts';
import type { Request } from './request.ts';
import type { WireLike } from './wire.ts';

/** `head` being routed · `waiting` for a slot or a connection · `sending` to an origin · `answering` the client · `done`. */
export type ExchangeState = 'head' | 'waiting' | 'sending' | 'answering' | 'done';

/** What the client's side of a listener says about itself; one object per connection. */
export interface ClientAddress {
  /** The peer's IP address, or `unix:`. */
  readonly address: string;
  readonly port: number;
  /** The listener is told apart by this in logs and metrics. */
  readonly listener: string;
  readonly scheme: 'http' | 'https';
  /** The port the client connected to; 0 on a unix socket. */
  readonly localPort: number;
  /** The IP address the client connected to; '' on a unix socket, and when the connection is gone. Asked of the system when first read. */
  readonly localAddress: string;
  /** The peer is in `trustedProxies`: its `X-Forwarded-*` and `Forwarded` are appended to, not replaced. */
  readonly trusted: boolean;
  /** Whose word about the client before them counts. */
  readonly proxies: Networks;
  /** The numbers of the listener, see core/meter.ts. */
  readonly meter: Float64Array;
  /** Field lines that are the same for all requests of the connection; filled by the pass that sends them. */
  lines: string;
}

/** The client's side of an exchange, as the line sees it: pull the request body, push the answer. */
export interface Front extends BodySink {
  readonly client: ClientAddress;
  /** Milliseconds a tunnel of this client may be silent. */
  readonly tunnelIdle: number;
  /** Starts the delivery of the request body. True when its first bytes, and a flush, follow within this turn. */
  readBody(into: BodySink): boolean;
  /** Nobody wants the rest of the request body: it is read and thrown away, within bounds, or the connection closed. */
  discardBody(): void;
  /** The body's sink can take more. */
  resumeBody(): void;
  /** The body's sink is away for now: nothing is taken in until `resumeBody`. */
  holdBody(): void;
  /** Sends an interim answer. */
  interim(answer: Answer): void;
  /** Sends the final head; `body` and `end` follow unless its framing is `none`. */
  answer(answer: Answer): void;
  /** Sends a complete short answer made here. `lines` are complete field lines. */
  respond(status: number, lines: string, body: string): void;
  /** Cuts the connection so that nobody takes what was sent for a complete answer. */
  truncate(): void;
  /** Gives up the connection's bytes to a tunnel; `early` was received already, `ended`: the client's FIN too. */
  tunnel(): { readonly wire: WireLike; readonly early: Buffer | null; readonly ended: boolean };
  /** The tunnel is over. */
  tunnelled(): void;
}

/** What the client's side tells whoever works on an exchange. */
export interface Carrier {
  /** The client left, or was cut off, before the exchange was done. */
  clientGone(): void;
  /** A `flush` of the answer that answered false has been made good. */
  clientFlushed(): void;
}

/** Most failed attempts that are remembered of one exchange. */
const LONGEST_TRAIL = 16;

/**
 * One request and its answer: the thing that travels along the line, and the record the log is written from.
 * Times are clock milliseconds; 0 means "not reached".
 */
export class Exchange {
  readonly front: Front;
  readonly request: Request;
  /** Who asks: the peer's address, or the one that trusted proxies name. What routes, balancers and logs go by. */
  remote: string;
  state: ExchangeState = 'head';
  /** `X-Request-Id`; '' when switched off. */
  id = '';
  /** Of W3C Trace Context, as the origin gets them; '' when tracing is off or the request did not come so far. */
  traceId = '';
  spanId = '';
  /** What a tracer made for it; ended with the exchange. */
  span: object | null = null;
  route = '';
  upstream = '';
  /** The upstream's numbers; `null` when none is asked. */
  upstreamMeter: Float64Array | null = null;
  origin: Origin | null = null;
  /** How many times an origin was asked or dialled. */
  attempts = 0;
  /** Status sent to the client; 0 when none was. */
  status = 0;
  /** Why it ended other than by an origin's complete answer; '' when it did not. */
  error: ErrorCode | '' = '';
  errorDetail = '';
  readonly started: number;
  /** When the first slot was given: the end of queueing. */
  assigned = 0;
  /** When the channel that carried it was ready. */
  connected = 0;
  /** When the head of the answer was complete. */
  answered = 0;
  /** When it was over. */
  ended = 0;
  /** Body bytes from and to the client, without framing. */
  bytesIn = 0;
  bytesOut = 0;
  /** The channel had carried an exchange before. */
  reused = false;
  /** What was tried and failed, in order: `127.0.0.1:3000 connect-refused ECONNREFUSED`; at most `LONGEST_TRAIL`. */
  trail: string[] | null = null;
  /** The question is whether another exchange may go on. */
  authorizes = false;
  /** What authorizers said about it: variables for the application. */
  variables: ReadonlyMap<string, string> | null = null;
  /** Whether a field of this name is an authorizer's to send, and not the client's; `null` when none was asked. */
  reserves: ((name: string) => boolean) | null = null;
  /** How many exchanges it is within: it has been led elsewhere so often, authorizers included. */
  detours = 0;
  /** Whoever works on the exchange now, and so hears of the client. */
  carrier: Carrier | null = null;

  constructor(front: Front, request: Request, started: number) {
    this.front = front;
    this.remote = front.client.address;
    this.request = request;
    this.started = started;
  }

  /** Remembers a failed attempt: the first ones, and the last. */
  failed(origin: Origin | null, code: ErrorCode, detail: string): void {
    if (origin !== null) origin.meter[METER.failed]++;
    const trail = (this.trail ??= []);
    const line = `${origin === null ? '-' : origin.name} ${code}${detail === '' ? '' : ` ${detail}`}`;
    if (trail.length === LONGEST_TRAIL) trail[LONGEST_TRAIL - 1] = line;
    else trail.push(line);
  }
}
