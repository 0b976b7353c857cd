import type { Protocol } from '../protocol.ts';

/** What answers in the end. */
export interface Origin {
  readonly protocol: Protocol;
  /** 0 where there is no process before the first request, as with CGI. */
  readonly pid: number;
  /** On 127.0.0.1. */
  readonly port: number;
  /** Connections to it are worth keeping: php-fpm would give each of them a process. */
  readonly keep: boolean;
  /** Where scripts are, for protocols that tell their path. */
  readonly root: string;
}

export interface RunningOrigin extends Origin {
  stop(): Promise<void>;
}

/** One kind of origin: what it is, and how it is started on the load generator's core. */
export interface OriginKind {
  readonly name: string;
  readonly about: string;
  /** What to install, or undefined when it can run here. */
  missing(): string | undefined;
  /** @param dir a directory of its own */
  start(dir: string): Promise<RunningOrigin>;
}
