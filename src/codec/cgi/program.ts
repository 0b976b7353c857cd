import type { AnswerSink, ByteSink } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Command, Exit } from '../../core/program.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, CodecLimits, RequestTarget, Running } from '../codec.ts';
import { Complaints } from './complaints.ts';
import { environment } from './environment.ts';
import { bytesOf, scriptFileOf, scriptOf } from './script.ts';
import { type Head, SingleSession } from './single.ts';
import { HeldYes } from './yes.ts';

/** The variables are no part of what is sent: the program has them from its first moment. */
const NO_HEAD = { head: '' };

/**
 * A program for one request (RFC 3875): variables in its environment, the body as its standard input, and an answer as its
 * standard output. Where the answer states no length it is complete when the output ends and the program was not killed;
 * an authorizer's yes is, whatever it states, when the program has ended with 0.
 */
export class ProgramSession extends SingleSession implements Running {
  command: Command = { program: '', below: '', env: [], input: false };
  readonly #out: ByteSink;
  #asked = false;
  #hearer: AnswerSink | null = null;
  #complaints: Complaints | null = null;
  #exit: Exit | null = null;
  /** Of an authorizer: who lets requests pass has to have ended well. */
  #yes: HeldYes | null = null;
  /** The answer has not failed, so far. */
  #good = true;

  constructor(out: ByteSink, limits: CodecLimits) {
    const told: Head = (request, target, from) => {
      const command = commandOf(request, target, from);
      if (typeof command === 'string') return command;
      this.command = command;
      return NO_HEAD;
    };
    super(out, limits, told, true);
    this.#out = out;
  }

  get running(): Running {
    return this;
  }

  /** There is no program yet, or there was one. */
  override get reusable(): boolean {
    return !this.#asked && super.reusable;
  }

  override open(request: Request, target: RequestTarget, into: AnswerSink, from: Asker): number | ErrorCode {
    this.#asked = true;
    const yes = from.authorizes === true ? new HeldYes(into) : null;
    const opened = super.open(request, target, yes ?? into, from);
    if (typeof opened === 'string') return opened;
    this.#hearer = into;
    this.#yes = yes;
    this.#complaints = new Complaints((line) => this.#hearer?.note?.(line));
    if (request.framing === 'none') this.#out.end?.();
    return opened;
  }

  override end(): void {
    this.#out.end?.();
  }

  override abort(): void {
    this.#hearer = null;
    this.#yes?.forget();
    super.abort();
  }

  complained(bytes: Buffer): void {
    this.#complaints?.push(bytes, 0, bytes.length);
  }

  silent(): void {
    this.#complaints?.end();
  }

  exited(exit: Exit): void {
    this.#exit = exit;
    this.#remark();
  }

  override receive(buffer: Buffer, start: number, end: number): void {
    const early = this.#exit !== null && this.headless;
    super.receive(buffer, start, end);
    // Its end was heard of before its output was read.
    if (early) this.#remark();
  }

  override eof(): void {
    if (this.headless) {
      const output = this.begun ? 'its head is not complete' : 'no output';
      return this.fail('program-ended', `${manner(this.#exit)}, ${output}`);
    }
    // RFC 3875 has no word for an answer that is not complete, but who was killed had no chance to complete it.
    if (this.endless && this.#exit?.signal != null) return this.fail('answer-incomplete', manner(this.#exit));
    super.eof();
    if (this.#exit?.code === 0) this.#yes?.release();
    else this.#yes?.revoke('answer-incomplete', manner(this.#exit));
  }

  /** A bad end after an answer. Not before the head, nor after a yes: that is an error, which says it. */
  #remark(): void {
    const exit = this.#exit;
    if (exit === null || this.headless || !this.#good || this.#yes?.said === true) return;
    if ((exit.code ?? 0) > 0) {
      this.#hearer?.note?.(`${manner(exit)} after its answer`);
    }
  }

  protected override fail(code: ErrorCode, detail?: string): void {
    this.#good = false;
    const how = code === 'answer-incomplete' && detail === undefined ? manner(this.#exit) : detail;
    super.fail(code, how);
  }
}

/** How a program has ended, for the log. */
function manner(exit: Exit | null): string {
  if (exit === null) return 'it closed its output';
  return exit.signal === null ? `exit status ${exit.code}` : `killed by ${exit.signal}`;
}

/** What is run for a request, and what it is told. */
export function commandOf(request: Request, target: RequestTarget, from: Asker): Command | ErrorCode {
  const { cgi, program: fixed = '' } = target;
  const script = fixed === '' ? scriptFileOf(request, cgi) : scriptOf(request, cgi);
  if (typeof script === 'string') return script;
  const root = bytesOf(cgi.root);
  const program = fixed === '' ? root + script.name : bytesOf(fixed);
  const env: (readonly [string, string])[] = [];
  environment(request, target, from, script, (name, value) => void env.push([name, value]));
  // With a `root` it is the script that the program interprets.
  if (!env.some(([name]) => name === 'SCRIPT_FILENAME')) env.push(['SCRIPT_FILENAME', program]);
  return { program, below: fixed === '' ? root : '', env, input: request.framing !== 'none' };
}
