import type { AdminOptions } from './admin/options.ts';
import { AdminServer, type AdminTools } from './admin/server.ts';

/** Milliseconds between two attempts to get an address that the process before this one is about to leave. */
const AGAIN = 250;

/** What becomes of the admin interface with another config. */
interface Prepared {
  commit(): void;
  abort(): Promise<void>;
}

const NOTHING: Prepared = { commit: () => {}, abort: () => Promise.resolve() };

/** The admin interface of a running proxy, as the config has it: off, or at one address. */
export class Administration {
  readonly #tools: AdminTools;
  #options: AdminOptions | null = null;
  #server: AdminServer | null = null;
  /** Options whose address is waited for: the process before this one has it. */
  #awaited: AdminOptions | null = null;
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
      this.#awaited = options;
      this.#tools.clock.after(AGAIN, () => void this.#again(), 'idle');
    }
  }

  /** Does what can fail of going over to other options; nothing in force is touched before `commit`. */
  async prepare(options: AdminOptions | null): Promise<Prepared> {
    const server = this.#server;
    if (server !== null && options !== null && placeOf(options) === placeOf(this.#options)) {
      const update = await server.prepare(options);
      const commit = (): void => {
        this.#options = options;
        update();
      };
      return { commit, abort: () => Promise.resolve() };
    }
    if (this.#awaited !== null) return { commit: () => void (this.#awaited = options), abort: () => Promise.resolve() };
    if (options === null && server === null) return NOTHING;
    const fresh = options === null ? null : new AdminServer(options, this.#tools);
    await fresh?.open();
    return {
      commit: () => {
        this.#options = options;
        this.#server = fresh;
        if (fresh !== null) this.#tools.say('info', 'admin', `listening on ${fresh.url}`);
        // It may be the one that has asked for this: its answer comes first.
        void server?.close().catch((error: unknown) => this.#tools.say('error', 'internal', String(error)));
      },
      abort: async () => fresh?.close(),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#server?.close();
  }

  async #again(): Promise<void> {
    const options = this.#awaited;
    this.#awaited = null;
    if (this.#closed) return;
    try {
      await this.open(options, true);
    } catch (error) {
      this.#tools.say('error', 'admin-failed', `the admin interface cannot be opened: ${(error as Error).message}`);
    }
  }
}

/** What a server cannot change while it is bound. */
function placeOf(options: AdminOptions | null): string {
  if (options === null) return '';
  const { address } = options;
  return address.kind === 'unix' ? `unix:${address.path}` : `${address.host} ${address.port}`;
}
