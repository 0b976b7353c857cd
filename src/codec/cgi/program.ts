import type { AnswerSink, ByteSink } from '../../core/answer.ts';
import type { ErrorCode } from '../../core/errors.ts';
import type { Command, Exit } from '../../core/program.ts';
import type { Request } from '../../core/request.ts';
import type { Asker, CodecLimits, RequestTarget, Running } from '../codec.ts';
import { Complaints } from './complaints.ts';
import { environment } from './environment.ts';
import { bytesOf, scriptFileOf, scriptOf } from './script.ts';
import { type Head, SingleSession } from './single.ts';

/** The variables are no part of what is sent: the program has them from its first moment. */
const NO_HEAD = { head: '' };

/**
 * A program for one request (RFC 3875): variables in its environment, the body as its standard input, and an answer as its
 * standard output. Where the answer states no length it is complete when the output ends and the program was not killed.
 */
export class ProgramSession extends SingleSession implements Running {
  command: Command = { program: '', below: '', env: [] };
  readonly #out: ByteSink;
  #asked = false;
  #hearer: AnswerSink | null = null;
  #complaints: Complaints | null = null;
  #exit: Exit | null = null;
  /** Who lets requests pass has to have ended well. */
  #authorizes = false;
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
    const opened = super.open(request, target, into, from);
    if (typeof opened === 'string') return opened;
    this.#hearer = into;
    this.#authorizes = from.authorizes === true;
    this.#complaints = new Complaints((line) => this.#hearer?.note?.(line));
    if (request.framing === 'none') this.#out.end?.();
    return opened;
  }

  override end(): void {
    this.#out.end?.();
  }

  override abort(): void {
    this.#hearer = null;
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
    // Not before the head: that is an error, which says it.
    if (!this.headless && this.#good && (exit.code ?? 0) > 0) this.#hearer?.note?.(`${manner(exit)} after its answer`);
  }

  override eof(): void {
    if (this.headless) {
      const output = this.begun ? 'its head is not complete' : 'no output';
      return this.fail('program-ended', `${manner(this.#exit)}, ${output}`);
    }
    // RFC 3875 has no word for an answer that is not complete, but who was killed had no chance to complete it.
    if (this.endless && this.#exit?.signal != null) return this.fail('answer-incomplete', manner(this.#exit));
    if (this.endless && this.#authorizes && this.#exit?.code !== 0)
      return this.fail('answer-incomplete', manner(this.#exit));
    super.eof();
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
  return { program, below: fixed === '' ? root : '', env };
}
