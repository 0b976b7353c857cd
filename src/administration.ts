import type { AdminOptions } from './admin/options.ts';
import { AdminServer, type AdminTools } from './admin/server.ts';

/** Milliseconds between two attempts to get an address that the process before this one is about to leave. */
const AGAIN = 250;

/** What becomes of the admin interface with another config. */
interface Prepared {
  commit(): void;
  abort(): Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();

/** Nothing becomes of it. */
export const UNTOUCHED: Prepared = { commit: () => {}, abort: nothing };

/** The admin interface of a running proxy, as the config has it: off, or at one address. */
export class Administration {
  readonly #tools: AdminTools;
  #options: AdminOptions | null = null;
  #server: AdminServer | null = null;
  /** What it is to listen by, once the process before this one has left the address. */
  #waiting: AdminOptions | null = null;
  #closed = false;

  constructor(tools: AdminTools) {
    this.#tools = tools;
  }

  /** Where it listens; `null`: nowhere. */
  get url(): string | null {
    return this.#server?.url ?? null;
  }

  /** Rejects with the system's error, or with what is wrong with the token. */
  async open(options: AdminOptions | null, takeover: boolean): Promise<void> {
    if (options === null) return;
    try {
      (await this.prepare(options)).commit();
    } catch (error) {
      if (!takeover || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      this.#tools.say('info', 'admin-waits', 'the process before this one has the admin address until it ends');
      this.#waiting = options;
      this.#tools.clock.after(AGAIN, () => void this.#again(), 'idle');
    }
  }

  /** Does what can fail of going over to other options; nothing in force is touched before `commit`. */
  async prepare(options: AdminOptions | null): Promise<Prepared> {
    const server = this.#server;
    if (server !== null && options !== null && placeOf(options) === placeOf(this.#options)) {
      // Also when nothing has changed in the config: the token's file may hold another one.
      const use = await server.prepare(options);
      const commit = (): void => {
        this.#options = options;
        use();
      };
      return { commit, abort: nothing };
    }
    if (server === null && placeOf(options) === placeOf(this.#waiting)) {
      // Nowhere as before, or still where somebody else is.
      return { commit: () => void (this.#waiting = options), abort: nothing };
    }
    const fresh = options === null ? null : new AdminServer(options, this.#tools);
    await fresh?.open();
    return { commit: () => this.#use(options, fresh), abort: async () => fresh?.close() };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#server?.close();
  }

  #use(options: AdminOptions | null, server: AdminServer | null): void {
    const before = this.#server;
    this.#waiting = null;
    this.#options = options;
    this.#server = server;
    if (server !== null) this.#tools.say('info', 'admin', `listening on ${server.url}`);
    // It may be the one that has asked for this: its answer comes first.
    void before?.close().catch((error: unknown) => this.#tools.say('error', 'internal', String(error)));
  }

  /** Tries to get the address again, unless a reload has decided otherwise meanwhile. */
  async #again(): Promise<void> {
    const options = this.#waiting;
    if (this.#closed || options === null) return;
    const server = new AdminServer(options, this.#tools);
    try {
      await server.open();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
        this.#tools.clock.after(AGAIN, () => void this.#again(), 'idle');
      } else {
        this.#waiting = null;
        const message = `the admin interface cannot be opened: ${(error as Error).message}; mend that and reload`;
        this.#tools.say('error', 'admin-failed', message);
      }
      return;
    }
    if (!this.#closed && options === this.#waiting) return this.#use(options, server);
    await server.close();
    await this.#again();
  }
}

/** What a server cannot change while it is bound. */
function placeOf(options: AdminOptions | null): string {
  if (options === null) return '';
  const { address } = options;
  return address.kind === 'unix' ? `unix:${address.path}` : `${address.host} ${address.port}`;
}
