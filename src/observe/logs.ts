import type { Clock } from '../core/clock.ts';
import type { Exchange } from '../core/exchange.ts';
import { type AccessFormat, jsonFormat, textFormat } from './access-line.ts';
import { LogFile } from './log-file.ts';
import { type Level, type Messages, messages } from './messages.ts';
import type { LogOptions } from './options.ts';

/** Log files that are open for other options. */
export interface PreparedLogs {
  commit(): void;
  abort(): void;
}

/** The access log and sluice's own messages, as the config has them; both can be changed while it runs. */
export class Logs implements Messages {
  readonly #clock: Clock;
  /** The embedding program takes the messages itself. */
  readonly #own: Messages | null;
  /** Other threads write to the same targets. */
  readonly #sharing: boolean;
  #options: LogOptions;
  #access: LogFile | null = null;
  #format: AccessFormat;
  #messages: Messages = { say() {} };
  #error: LogFile | null = null;

  /** Throws the system's error when a file cannot be opened. */
  constructor(options: LogOptions, clock: Clock, own: Messages | null, sharing = false) {
    this.#sharing = sharing;
    this.#clock = clock;
    this.#own = own;
    this.#options = options;
    this.#format = formatOf(options, clock);
    this.#access = this.#open(options.access);
    this.#useMessages(options, this.#open(own === null ? options.error : 'off'));
  }

  /** One line for an exchange that is over. */
  done(exchange: Exchange): void {
    this.#access?.line(this.#format(exchange));
  }

  say(level: Level, code: string, message: string): void {
    (this.#own ?? this.#messages).say(level, code, message);
  }

  /**
   * Opens the files of other options; nothing that is in use is touched before `commit`. Throws the system's error when one
   * cannot be opened.
   */
  prepare(options: LogOptions): PreparedLogs {
    const before = this.#options;
    const access = options.access === before.access ? this.#access : this.#open(options.access);
    const error =
      this.#own !== null || options.error === before.error ? this.#error : this.#openOr(options.error, access);
    return {
      commit: () => {
        if (access !== this.#access) void this.#access?.close();
        if (error !== this.#error) void this.#error?.close();
        this.#options = options;
        this.#access = access;
        this.#format = formatOf(options, this.#clock);
        this.#useMessages(options, error);
      },
      abort: () => {
        if (access !== this.#access) void access?.close();
        if (error !== this.#error) void error?.close();
      },
    };
  }

  /** Writes what is still held and opens the files anew. */
  reopen(): void {
    this.#access?.reopen();
    this.#error?.reopen();
  }

  /** Resolves when everything is written. */
  async close(): Promise<void> {
    await Promise.all([this.#access?.close(), this.#error?.close()]);
  }

  #useMessages(options: LogOptions, file: LogFile | null): void {
    this.#error = file;
    this.#messages =
      file === null
        ? { say() {} }
        : messages(options.level, this.#clock, (line) => {
            file.line(line);
            // Rare, and wanted at once, also when the process is about to end.
            file.flush();
          });
  }

  /** Opens the second file; when that fails, the first must not stay open. */
  #openOr(target: string, first: LogFile | null): LogFile | null {
    try {
      return this.#open(target);
    } catch (error) {
      if (first !== this.#access) void first?.close();
      throw error;
    }
  }

  #open(target: string): LogFile | null {
    if (target === 'off') return null;
    const failed = (error: Error): void => {
      if (target !== 'stderr') process.stderr.write(`sluice: cannot write ${target}: ${error.message}\n`);
    };
    return new LogFile(target, this.#clock, failed, this.#sharing);
  }
}

function formatOf(options: LogOptions, clock: Clock): AccessFormat {
  return options.format === 'json' ? jsonFormat(clock) : textFormat(clock);
}
