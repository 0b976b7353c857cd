import { join } from 'node:path';
import { bodies } from './bodies.ts';
import { cgi } from './cgi.ts';
import { fast, h2c, https } from './nginx.ts';
import type { OriginKind, RunningOrigin } from './origin.ts';
import { php } from './php.ts';
import { fastcgi, scgi, uwsgi } from './responders.ts';

export const originKinds = { bodies, fast, https, h2c, fastcgi, php, scgi, uwsgi, cgi } as const satisfies Readonly<
  Record<string, OriginKind>
>;

export type OriginName = keyof typeof originKinds;

/** The origins of one run: each is started when it is first asked for. */
export class Origins {
  readonly #dir: string;
  readonly #running = new Map<OriginName, Promise<RunningOrigin>>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  get(name: OriginName): Promise<RunningOrigin> {
    // Ours answers GETs, too, where there is no nginx.
    const able = name === 'fast' && originKinds.fast.missing() !== undefined ? 'bodies' : name;
    let running = this.#running.get(able);
    if (running === undefined) {
      running = originKinds[able].start(join(this.#dir, `origin-${able}`));
      this.#running.set(able, running);
    }
    return running;
  }

  async stop(): Promise<void> {
    for (const running of this.#running.values()) await (await running.catch(() => undefined))?.stop();
  }
}
