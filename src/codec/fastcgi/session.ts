import { Answer, type AnswerSink, type ByteSink, lets } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Request } from '../../core/request.ts';
import { CgiHeadReader } from '../cgi/answer-head.ts';
import { Complaints } from '../cgi/complaints.ts';
import { written } from '../cgi/environment.ts';
import { scriptOf } from '../cgi/script.ts';
import type { Asker, CodecLimits, CodecSession, RequestTarget } from '../codec.ts';
import { FAILED, MORE } from '../http1/lines.ts';
import * as records from './records.ts';

/** Bytes that an application may send beyond its answer's end before we stop waiting for its END_REQUEST. */
const MOST_SURPLUS = 65_536;

/** `body` once the head has come; how long that is, `#left` says. */
type State = 'idle' | 'head' | 'body' | 'broken';

/** One thread reads one head at a time, and whoever gets it copies what it wants to keep. */
const scratch = new Answer();

/**
 * FastCGI 1.0 towards a responder: a request becomes PARAMS and STDIN, STDOUT the answer, STDERR lines of the log. One
 * exchange at a time: hardly any application takes more on one connection; `SharedFastCgiSession` is for those that do.
 */
export class FastCgiSession implements CodecSession {
  readonly slots = 1;
  readonly idleLimit = -1;
  // §5.5: OVERLOADED and CANT_MPX_CONN.
  readonly mayDecline = true;
  reusable = true;
  readonly #out: ByteSink;
  readonly #keep: boolean;
  readonly #id: number;
  readonly #frames: records.Frames;
  readonly #head: CgiHeadReader;
  #state: State = 'idle';
  #into: AnswerSink | null = null;
  #complaints: Complaints | null = null;
  #headRequest = false;
  /** The application is asked as an authorizer. */
  #authorizes = false;
  /** It lets the request pass: then it has to have ended well. */
  #yes = false;
  /** Bytes of the body that are still to come; Infinity when its end is that of STDOUT. */
  #left = 0;
  #surplus = 0;
  #stdoutEnded = false;
  // The record that is being read.
  readonly #header = new Uint8Array(records.HEADER);
  #headerSize = 0;
  #type = 0;
  #content = 0;
  #padding = 0;
  readonly #ending = new Uint8Array(records.END_LENGTH);
  #endingSize = 0;

  /**
   * @param keep asks the application to keep the connection open
   * @param id of the requests that are told, one after the other
   */
  constructor(out: ByteSink, limits: CodecLimits, keep: boolean, id: number = records.REQUEST_ID) {
    this.#out = out;
    this.#keep = keep;
    this.#id = id;
    this.#frames = records.framesOf(id);
    this.#head = new CgiHeadReader(limits.head, limits.fields);
  }

  open(request: Request, target: RequestTarget, into: AnswerSink, from: Asker): number | ErrorCode {
    const script = scriptOf(request, target.cgi);
    if (typeof script === 'string') return script;
    this.#into = into;
    this.#state = 'head';
    this.#head.reset(target.cgi.localRedirect);
    this.#headRequest = request.method === 'HEAD';
    this.#authorizes = from.authorizes === true;
    this.#yes = false;
    this.#complaints = null;
    this.#surplus = 0;
    this.#stdoutEnded = false;
    if (!this.#keep) this.reusable = false;
    const pairs = written(request, target, from, script, records.pair);
    const { begin, noMoreStdin } = this.#frames;
    const stdin = request.framing === 'none' ? noMoreStdin : '';
    this.#out.text(begin[(this.#keep ? 1 : 0) + (this.#authorizes ? 2 : 0)] + records.params(pairs, this.#id) + stdin);
    return 0;
  }

  body(_id: number, buffer: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += records.MOST_CONTENT) {
      const stop = Math.min(end, at + records.MOST_CONTENT);
      this.#out.text(records.header(records.STDIN, stop - at, this.#id));
      this.#out.bytes(buffer, at, stop);
    }
  }

  /** There is no place for trailers. */
  end(): void {
    this.#out.text(this.#frames.noMoreStdin);
  }

  abort(): void {
    // §5.4. The connection closes as well, but an application may look at its input only.
    if (this.#into !== null) this.#out.text(this.#frames.abort);
    this.#into = null;
    this.#state = 'broken';
    this.reusable = false;
  }

  receive(buffer: Buffer, start: number, end: number): void {
    let i = start;
    while (i < end) {
      const into = this.#into;
      if (into === null) {
        // Bytes nobody asked for: they could be taken for another request's answer.
        this.reusable = false;
        return;
      }
      if (this.#headerSize < records.HEADER) {
        this.#header[this.#headerSize++] = buffer[i++];
        if (this.#headerSize < records.HEADER) continue;
        if (!this.#begins()) return;
      } else if (this.#content > 0) {
        const stop = Math.min(end, i + this.#content);
        this.#content -= stop - i;
        this.#take(buffer, i, stop, into);
        i = stop;
      } else {
        const skip = Math.min(this.#padding, end - i);
        this.#padding -= skip;
        i += skip;
      }
      if (this.#content === 0 && this.#padding === 0 && this.#into !== null) this.#ends();
    }
  }

  eof(): void {
    this.reusable = false;
    if (this.#into === null) return;
    if (this.#state === 'head') {
      this.#fail('origin-closed', this.#head.begun ? 'within the head' : undefined);
    } else if (this.#yes) this.#fail('answer-incomplete', 'closed before END_REQUEST');
    else if (this.#left === 0 || (this.#left === Infinity && this.#stdoutEnded)) this.#complete();
    else this.#fail('answer-incomplete', 'closed before END_REQUEST');
  }

  /** A header is complete. False when it ends everything. */
  #begins(): boolean {
    const header = this.#header;
    const id = header[2] * 256 + header[3];
    this.#type = header[1];
    this.#content = header[4] * 256 + header[5];
    this.#padding = header[6];
    this.#endingSize = 0;
    if (header[0] !== records.VERSION) return this.#fail('bad-answer', 'not FastCGI 1');
    if (id !== this.#id) {
      // §4.1: about the connection. We have asked nothing, and may pass over what we do not know.
      if (id === 0) this.#type = 0;
      else return this.#fail('bad-answer', `a record of request ${id}, which is none`);
    }
    if (this.#type === records.END_REQUEST && this.#content !== records.END_LENGTH) {
      return this.#fail('bad-answer', `END_REQUEST of ${this.#content} bytes`);
    }
    return true;
  }

  /** A piece of a record's content. */
  #take(buffer: Buffer, start: number, end: number, into: AnswerSink): void {
    switch (this.#type) {
      case records.STDOUT:
        return this.#stdout(buffer, start, end, into);
      case records.STDERR:
        if (into.note !== undefined) {
          this.#complaints ??= new Complaints((line) => into.note?.(line));
          this.#complaints.push(buffer, start, end);
        }
        return;
      case records.END_REQUEST:
        for (let i = start; i < end; i++) this.#ending[this.#endingSize++] = buffer[i];
        return;
      default:
      // Of a type that is not for us: passed over, as lighttpd does.
    }
  }

  /** A record is complete, with its padding. */
  #ends(): void {
    this.#headerSize = 0;
    // §3.3: a stream ends with an empty record.
    if (this.#type === records.STDOUT && this.#header[4] === 0 && this.#header[5] === 0) this.#stdoutEnded = true;
    else if (this.#type === records.END_REQUEST) this.#ended();
  }

  #stdout(buffer: Buffer, start: number, end: number, into: AnswerSink): void {
    let at = start;
    if (this.#state === 'head') {
      at = this.#head.read(buffer, start, end, scratch, this.#headRequest);
      if (at === MORE) return;
      if (at === FAILED) {
        return void this.#fail(this.#head.tooLarge ? 'answer-head-too-large' : 'bad-answer', this.#head.detail);
      }
      const { framing, length } = scratch;
      this.#left = framing === 'none' ? 0 : framing === 'length' ? length : Infinity;
      this.#state = 'body';
      this.#yes = this.#authorizes && lets(scratch.status);
      into.head(scratch);
    }
    const take = Math.min(this.#left, end - at);
    if (take > 0 && this.#into === into) {
      this.#left -= take;
      into.body(buffer, at, at + take);
    }
    if (at + take < end && this.#into === into) this.#beyond(end - at - take);
  }

  /** A body for HEAD, or more than the head has said: it goes nowhere, and is not waited for without end. */
  #beyond(bytes: number): void {
    this.#surplus += bytes;
    if (this.#surplus <= MOST_SURPLUS) return;
    this.reusable = false;
    if (this.#yes) this.#fail('bad-answer', 'more than its head has said');
    else this.#complete();
  }

  #ended(): void {
    const ending = this.#ending;
    const exit = ((ending[0] << 24) | (ending[1] << 16) | (ending[2] << 8) | ending[3]) >>> 0;
    const status = ending[4];
    if (status !== records.REQUEST_COMPLETE) this.#refused(status);
    else if (this.#state === 'head') {
      const what = this.#head.begun ? 'ended within the head' : 'no answer';
      this.#fail('bad-answer', exit === 0 ? what : `${what}, exit status ${exit}`);
    } else if (this.#left !== 0 && this.#left !== Infinity) {
      this.#fail('answer-incomplete', `${this.#left} bytes less than Content-Length`);
    } else if (this.#yes && exit !== 0) this.#fail('answer-incomplete', `exit status ${exit}`);
    else this.#complete();
  }

  /** §5.5. Who is overloaded, or takes one request at a time only, has not begun with this one. */
  #refused(status: number): void {
    if (this.#state !== 'head') this.#fail('answer-incomplete', `protocol status ${status}`);
    else if (status === records.OVERLOADED) this.#fail('origin-overloaded', 'OVERLOADED');
    else if (status === records.CANT_MPX_CONN) this.#fail('origin-overloaded', 'CANT_MPX_CONN');
    else this.#fail('bad-answer', status === records.UNKNOWN_ROLE ? 'UNKNOWN_ROLE' : `protocol status ${status}`);
  }

  #complete(): void {
    const into = this.#leave('idle');
    into?.end('');
  }

  #fail(code: ErrorCode, detail?: string): false {
    this.reusable = false;
    const into = this.#leave('broken');
    into?.fail(code, detail);
    return false;
  }

  #leave(state: State): AnswerSink | null {
    this.#complaints?.end();
    this.#complaints = null;
    const into = this.#into;
    this.#into = null;
    this.#state = state;
    this.#head.reset();
    return into;
  }
}
