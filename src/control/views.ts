import { z } from 'zod';

/**
 * What the control plane shows of itself: to the admin interface, to the commands that ask it, and to the metrics. The
 * OpenAPI document is made from these schemas, and tests hold every answer against them.
 *
 * Times of day are ISO 8601 in UTC; spans are milliseconds; sizes are bytes. `null` stands for "none" and "no limit".
 */

const time = z.iso.datetime();
const ms = z.number().min(0);
const whole = z.int().min(0);

/** Requests that are over, by the class of the status the client got; `none`: it got none. */
const answers = z.strictObject({
  '1xx': whole,
  '2xx': whole,
  '3xx': whole,
  '4xx': whole,
  '5xx': whole,
  none: whole,
});

/** From the request's head to the end of the answer, since the start; `null` before the first request. */
const latency = z.strictObject({ p50: ms.nullable(), p90: ms.nullable(), p99: ms.nullable() });

export const threadView = z
  .strictObject({
    id: whole,
    state: z.enum(['starting', 'serving', 'draining', 'dead']),
    /** Times this thread died and was replaced. */
    restarts: whole,
    connections: whole,
    inFlight: whole,
    requests: whole,
  })
  .meta({ id: 'Thread' });

export const listenerView = z
  .strictObject({
    name: z.string(),
    /** `http://127.0.0.1:8080`, `unix:/path`. */
    address: z.string(),
    connections: whole,
    opened: whole,
    refused: whole,
  })
  .meta({ id: 'Listener' });

export const statusView = z
  .strictObject({
    version: z.string(),
    node: z.string(),
    pid: whole,
    started: time,
    state: z.enum(['running', 'draining']),
    /** The file in force; `null` when the config was given otherwise. */
    file: z.string().nullable(),
    /** When the config in force was taken up. */
    loaded: time,
    /** Why the last reload was refused; `null` when it was not. */
    refused: z.string().nullable(),
    memory: whole,
    threads: z.array(threadView),
    listeners: z.array(listenerView),
  })
  .meta({ id: 'Status' });

/** Processes that sluice starts itself, from one `spawn`. */
export const poolView = z
  .strictObject({
    name: z.string(),
    /** `stopped`: too many in a row did not live, and none is started any more. */
    state: z.enum(['running', 'stopped']),
    /** Why the last one crashed; '' when none has. */
    reason: z.string(),
    /** How many there are to be now. */
    wanted: whole,
    children: z.strictObject({ starting: whole, ready: whole, draining: whole, ending: whole }),
    starts: whole,
    crashes: whole,
    /** Children that were replaced, by the reason. */
    restarts: z.record(z.string(), whole),
  })
  .meta({ id: 'Pool' });

/** Who an origin over TLS has to be. */
const tls = z.strictObject({
  /** Asked for, and has to be in its certificate. */
  serverName: z.string(),
  /** What its certificate is held against; empty: anybody may answer. */
  checks: z.array(z.enum(['ca', 'fingerprint'])),
  /** We show a certificate of our own. */
  clientCertificate: z.boolean(),
});

export const originView = z
  .strictObject({
    name: z.string(),
    /** The name, with what it speaks in front where that is not plain HTTP: `fastcgi://10.0.0.1:9000`. It is understood as a name, too. */
    address: z.string(),
    /** As it is configured. */
    url: z.string(),
    /** `null`: it is spoken to in clear text. */
    tls: tls.nullable(),
    /** Who brought it: the config, a name that resolves to it, an operator, or sluice itself, which has started it. */
    source: z.enum(['config', 'dns', 'admin', 'spawn']),
    /** The process that it is, when sluice has started it. */
    child: z.strictObject({ name: z.string(), pid: whole, started: time }).nullable(),
    state: z.enum(['up', 'full', 'down', 'draining']),
    /** Why it is in this state, as the log said it; '' when it has been up from the start. */
    reason: z.string(),
    since: time,
    /** When a resting origin may be tried again. */
    until: time.nullable(),
    weight: z.number(),
    /** The weight in force now: less than `weight` during slow start. */
    effectiveWeight: z.number(),
    backup: z.boolean(),
    maxConnections: whole.nullable(),
    inFlight: whole,
    connections: whole,
    idle: whole,
    /** Failures in a row. */
    failures: whole,
    requests: whole,
    answers,
    /** Attempts that failed. */
    errors: whole,
    latency,
    /** The active check's last word; `null` without one. */
    check: z.strictObject({ healthy: z.boolean(), detail: z.string(), at: time }).nullable(),
    /** What an operator changed, and when the first of it ends: a time, or `reload`; `null` when nothing. */
    override: z
      .strictObject({
        state: z.enum(['draining']).optional(),
        weight: z.number().optional(),
        added: z.boolean().optional(),
        until: z.union([time, z.literal('reload')]),
      })
      .nullable(),
  })
  .meta({ id: 'Origin' });

export const upstreamView = z
  .strictObject({
    name: z.string(),
    balance: z.string(),
    queue: z.strictObject({
      length: whole,
      size: whole,
      /** How long the first in line has waited. */
      oldest: ms.nullable(),
    }),
    inFlight: whole,
    requests: whole,
    answers,
    retries: whole,
    latency,
    origins: z.array(originView),
    /** What starts origins of it. */
    pools: z.array(poolView),
  })
  .meta({ id: 'Upstream' });

/** A request that waits in a queue. */
export const waitingView = z
  .strictObject({
    id: z.string(),
    method: z.string(),
    host: z.string(),
    target: z.string(),
    client: z.string(),
    waited: ms,
    left: ms,
  })
  .meta({ id: 'Waiting' });

/** A request that is over and worth remembering: it failed, or was slow. */
export const recordView = z
  .strictObject({
    id: z.string(),
    at: time,
    why: z.enum(['error', 'slow']),
    method: z.string(),
    host: z.string(),
    target: z.string(),
    client: z.string(),
    listener: z.string(),
    route: z.string(),
    upstream: z.string(),
    origin: z.string(),
    status: whole,
    /** A code of docs/errors.md; '' when the answer was an origin's. */
    error: z.string(),
    detail: z.string(),
    attempts: whole,
    queue: ms.nullable(),
    connect: ms.nullable(),
    first: ms.nullable(),
    total: ms,
    /** What was tried, in order: `127.0.0.1:3000 connect-refused ECONNREFUSED`. */
    ledger: z.array(z.string()),
  })
  .meta({ id: 'Record' });

/** What a reload would do. */
export const planView = z
  .strictObject({
    changes: z.array(
      z.strictObject({
        action: z.enum(['add', 'remove', 'change']),
        what: z.string(),
        name: z.string(),
        options: z.string(),
        /** Open connections that end because of it, once they have drained; `null` when not known. */
        connections: whole.nullable(),
      }),
    ),
  })
  .meta({ id: 'Plan' });

/** What would happen to a request, without sending it. */
export const explanationView = z
  .strictObject({
    method: z.string(),
    url: z.string(),
    /** The listener whose limits and trusted proxies were applied: the one with the URL's port, else the first. */
    listener: z.string(),
    /** Who asks, as routes, balancers and logs see it: behind trusted proxies the address that they name. */
    client: z.string(),
    /** Up to the one that matches. `why`: the conditions that the request does not meet; empty for the one that matches. */
    routes: z.array(z.strictObject({ name: z.string(), matches: z.boolean(), why: z.array(z.string()) })),
    /** `refuse`: a code of docs/errors.md is in `error`. */
    action: z.enum(['upstream', 'respond', 'redirect', 'refuse']),
    /** The answer's status when sluice answers by itself. */
    status: whole.nullable(),
    /** Why it is refused: `no-route`, `bad-target`, …; `null` when it is not. */
    error: z.string().nullable(),
    /** Where a redirect leads. */
    location: z.string().nullable(),
    /** Field lines that the origin would get and the client did not send, or not like that: `+ Via: 1.1 sluice`, `- Connection`. */
    rewrites: z.array(z.string()),
    /** `NAME=value`, for origins that are told in CGI's names instead of fields. */
    variables: z.array(z.string()),
    upstream: z.string().nullable(),
    /** The upstream that is asked first whether the request may go on. */
    authorize: z.string().nullable(),
    balance: z.string().nullable(),
    /** What the balancer would go by: `''` when it looks at nothing. */
    key: z.string().nullable(),
    origins: z.array(
      z.strictObject({
        name: z.string(),
        /** As in `Origin`; of a process that is not there `spawn:app, fastcgi`. */
        address: z.string(),
        /** The process that it is, with its pid, when sluice has started it. */
        child: z.string().nullable(),
        weight: z.number(),
        state: z.enum(['up', 'full', 'down', 'draining']),
        inFlight: whole,
        usable: z.boolean(),
        why: z.string(),
      }),
    ),
    pick: z.string().nullable(),
    /** Who it has to be, over TLS; `null`: it is spoken to in clear text. */
    tls: tls.nullable(),
    /** Why this one; a balancer that rolls dice says so. */
    because: z.string().nullable(),
    timeouts: z.record(z.string(), ms.nullable()),
    retries: z.array(z.string()),
  })
  .meta({ id: 'Explanation' });

export type Status = z.output<typeof statusView>;
export type ThreadView = z.output<typeof threadView>;
export type ListenerView = z.output<typeof listenerView>;
export type UpstreamView = z.output<typeof upstreamView>;
export type PoolView = z.output<typeof poolView>;
export type OriginView = z.output<typeof originView>;
export type WaitingView = z.output<typeof waitingView>;
export type RecordView = z.output<typeof recordView>;
export type PlanView = z.output<typeof planView>;
export type Explanation = z.output<typeof explanationView>;
