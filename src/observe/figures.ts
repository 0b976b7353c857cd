import type { Histogram } from './exposition.ts';

/**
 * What the metrics are made from: plain numbers at one moment, whoever counted them. Counters only ever grow while the
 * process lives. Times are seconds, sizes bytes. What is optional is left out of the metrics when it is not there.
 */
export interface Figures {
  readonly process: ProcessFigures;
  readonly listeners: readonly ListenerFigures[];
  readonly routes: readonly RouteFigures[];
  readonly upstreams: readonly UpstreamFigures[];
  readonly threads: readonly ThreadFigures[];
  /** Requests that ended with an error of docs/errors.md, by its code. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Requests that are over, by the class of the status the client got; `none`: it got none. */
export type AnswerFigures = Readonly<Record<'1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'none', number>>;

export interface ProcessFigures {
  readonly version: string;
  /** Node's version, `24.1.0`. */
  readonly node: string;
  /** Unix time in seconds. */
  readonly started: number;
  /** Resident memory in bytes. */
  readonly memory: number;
  /** Seconds of processor time, user and system. */
  readonly cpu: number;
  /** Open file descriptors. */
  readonly handles?: number;
  /** Unix time in seconds at which the config in force was taken up. */
  readonly loaded: number;
  /** The last attempt to reload was not refused. */
  readonly loadedWell: boolean;
  readonly reloads: { readonly done: number; readonly refused: number };
}

export interface ListenerFigures {
  readonly name: string;
  /** Open now. */
  readonly connections: number;
  readonly opened: number;
  /** Turned away at the door: too many. */
  readonly refused: number;
  readonly answers: AnswerFigures;
  /** Bodies, from and to clients. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** From the request's head to the answer's end. */
  readonly duration: Histogram;
}

export interface RouteFigures {
  readonly name: string;
  readonly answers: AnswerFigures;
  readonly duration: Histogram;
}

export interface UpstreamFigures {
  readonly name: string;
  readonly answers: AnswerFigures;
  readonly inFlight: number;
  readonly duration: Histogram;
  readonly queue: {
    /** Requests that wait now, and how many may. */
    readonly length: number;
    readonly size: number;
    /** How long the first has waited; 0 when nobody does. */
    readonly oldest: number;
    /** How long those waited who got a slot. */
    readonly waited: Histogram;
  };
  /** Requests sent once more, by the error code that was the reason. */
  readonly retries: Readonly<Record<string, number>>;
  readonly origins: readonly OriginFigures[];
  readonly pools: readonly PoolFigures[];
}

/** Processes that sluice starts itself. */
export interface PoolFigures {
  readonly name: string;
  /** Too many have crashed: none is started. */
  readonly stopped: boolean;
  /** How many there are in each state. */
  readonly children: Readonly<Record<string, number>>;
  readonly starts: number;
  readonly crashes: number;
  /** How many were replaced, by the reason. */
  readonly restarts: Readonly<Record<string, number>>;
}

export type OriginState = 'up' | 'full' | 'down' | 'draining';

export interface OriginFigures {
  readonly name: string;
  readonly state: OriginState;
  /** The weight in force. */
  readonly weight: number;
  readonly inFlight: number;
  readonly answers: AnswerFigures;
  /** Attempts that failed. */
  readonly errors: number;
  /** Times it was taken out. */
  readonly ejections: number;
  readonly connections: number;
  readonly idle: number;
  readonly opened: number;
  /** Bodies, to and from the origin. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** From the beginning of a connection to its being there. */
  readonly connect: Histogram;
  /** From the channel's being ready to the answer's head. */
  readonly firstByte: Histogram;
}

export interface ThreadFigures {
  readonly id: number;
  /** It accepts connections. */
  readonly serving: boolean;
  readonly restarts: number;
  readonly connections: number;
  readonly inFlight: number;
  readonly requests: number;
  /** Share of time in which its event loop was busy, 0 to 1, since the last look. */
  readonly busy?: number;
}
