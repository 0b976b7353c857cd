import type { AnswerSink } from '../../core/answer.ts';
import type { Request } from '../../core/request.ts';
import type { RequestTarget } from '../codec.ts';
import type { Outgoing } from './sender.ts';

/** One exchange on a connection. */
export class Stream implements Outgoing {
  readonly id: number;
  readonly into: AnswerSink;
  readonly head: boolean;
  /** The Sec-WebSocket-Accept of a WebSocket; '' for everything else. */
  readonly accept: string;
  /** It is neither open nor waiting any more: nothing may be said about it. */
  over = false;

  // What we send.
  /** The request, while its head has not been sent. */
  unsent: { readonly request: Request; readonly target: RequestTarget } | null = null;
  /** Sent before the peer's SETTINGS had come: the how manieth of those that were open; else 0. */
  rank = 0;
  window = 0;
  held: Buffer[] = [];
  owed = -1;
  bodyEnded = false;
  trailers = '';
  sentEnd = false;

  // What we get.
  /** Bytes that the peer may still send. */
  credit: number;
  /** Bytes received that it has not been given back. */
  taken = 0;
  paused = false;
  /** The final head has come. */
  headed = false;
  /** Bytes of the body that are to come; Infinity when only its end tells. */
  left = 0;
  interims = 0;
  /** It is a WebSocket: both directions end for themselves. */
  tunnel = false;
  gotEnd = false;

  get waits(): boolean {
    return this.unsent !== null;
  }

  constructor(id: number, into: AnswerSink, request: Request, accept: string, credit: number) {
    this.id = id;
    this.into = into;
    this.head = request.method === 'HEAD';
    this.accept = accept;
    this.credit = credit;
    if (request.framing === 'length') this.owed = request.length;
    if (request.framing === 'none' && accept === '') this.bodyEnded = true;
  }
}
