/** Everything that the admin interface does, one row each. The router and the OpenAPI document read this table. */
import { z } from 'zod';
import { duration, withoutDefault } from '../core/kind.ts';
import {
  explanationView,
  originView,
  planView,
  poolView,
  recordView,
  statusView,
  upstreamView,
  waitingView,
} from '../control/views.ts';
import { nearest } from '../config/nearest.ts';
import { operation, type Operation } from './operation.ts';
import { Refusal } from './problem.ts';

const upstream = "The upstream's name.";
const origin = "The origin's name, percent-encoded: `127.0.0.1:3000`, `unix:%2Frun%2Fapp.sock`.";

const ttl = withoutDefault(
  duration('How long the change stays, such as `10m`; without it, until the next reload of the config.', '10m', {
    least: '1s',
    most: '30d',
    off: false,
  }),
);

const weight = z.number().min(0).max(1000).describe('Share of the load; 0: asked only when no other is usable.');

const newOrigin = z
  .strictObject({
    url: z.string().min(1).max(2048).describe('As in a config: `http://HOST:PORT`, `HOST:PORT`, `unix:/path`.'),
    weight: weight.optional(),
    backup: z.boolean().optional().describe('Asked only when no other origin is usable.'),
    maxConnections: z.int().min(1).optional().describe("Most requests in flight; default the upstream's."),
    ttl,
  })
  .meta({ id: 'NewOrigin' });

const originChange = z
  .strictObject({
    state: z
      .enum(['draining', 'up'])
      .optional()
      .describe('`draining` finishes what it has and takes nothing new; `up` undoes that.'),
    weight: weight.optional(),
    ttl,
  })
  .refine(
    ({ state, weight: given }) => state !== undefined || given !== undefined,
    'nothing to change: give state or weight',
  )
  .meta({ id: 'OriginChange' });

const question = z
  .strictObject({
    url: z.string().min(1).max(8192).describe('`http://HOST/path?query`, or a path alone.'),
    method: z.string().min(1).max(64).default('GET').describe('The method.'),
    headers: z
      .record(z.string().max(256), z.union([z.string().max(8192), z.array(z.string().max(8192)).max(100)]))
      .default({})
      .describe('Header fields: a value each, or several.'),
    client: z.string().min(1).max(64).optional().describe("The client's IP address; default 127.0.0.1."),
  })
  .meta({ id: 'Question' });

const most = z.coerce.number().int().min(1).max(1000).default(100).describe('How many at most.');

/** `Name: value` to a pair. */
function field(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 1) throw new Refusal('invalid', `header: expected "Name: value", not ${JSON.stringify(line)}`);
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

export const operations: readonly Operation[] = [
  operation({
    id: 'status',
    method: 'GET',
    path: '/v1/status',
    about: 'The process, its threads and its listeners.',
    answer: statusView,
    run: ({ control }) => control.status(),
  }),
  operation({
    id: 'config',
    method: 'GET',
    path: '/v1/config',
    about:
      'The config in force with everything filled in: times in milliseconds, sizes in bytes, null for "no limit"; secrets are `***`.',
    answer: z.record(z.string(), z.unknown()),
    run: ({ control }) => control.config(),
  }),
  operation({
    id: 'upstreams',
    method: 'GET',
    path: '/v1/upstreams',
    about: 'All upstreams, with their origins and everything the balancers know.',
    answer: z.array(upstreamView),
    run: ({ control }) => control.upstreams(),
  }),
  operation({
    id: 'upstream',
    method: 'GET',
    path: '/v1/upstreams/{upstream}',
    about: 'One upstream with its origins.',
    params: { upstream },
    answer: upstreamView,
    errors: ['not-found'],
    run: async ({ control, params }) => {
      const all = await control.upstreams();
      const found = all.find(({ name }) => name === params['upstream']);
      if (found !== undefined) return found;
      const names = all.map(({ name }) => name);
      const meant = nearest(params['upstream'], names);
      const hint = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${JSON.stringify(meant)}?`;
      throw new Refusal('not-found', `no upstream is named ${JSON.stringify(params['upstream'])}; ${hint}`);
    },
  }),
  operation({
    id: 'queue',
    method: 'GET',
    path: '/v1/upstreams/{upstream}/queue',
    about: 'The requests that wait for an origin, longest wait first.',
    params: { upstream },
    query: z.strictObject({ most }),
    answer: z.array(waitingView),
    errors: ['not-found'],
    run: ({ control, params, query }) => control.waiting(params['upstream'], query.most),
  }),
  operation({
    id: 'addOrigin',
    method: 'POST',
    path: '/v1/upstreams/{upstream}/origins',
    about: 'Adds an origin to a running upstream.',
    params: { upstream },
    body: newOrigin,
    status: 201,
    answer: originView,
    errors: ['not-found', 'conflict', 'unavailable'],
    changes: true,
    run: ({ control, params, body: { ttl: time, ...given }, who }) =>
      control.addOrigin(params['upstream'], given, time, who),
  }),
  operation({
    id: 'changeOrigin',
    method: 'PATCH',
    path: '/v1/upstreams/{upstream}/origins/{origin}',
    about: 'Drains an origin, takes it back, or gives it another weight.',
    params: { upstream, origin },
    body: originChange,
    answer: originView,
    errors: ['not-found', 'conflict', 'unavailable'],
    changes: true,
    run: ({ control, params, body: { ttl: time, ...change }, who }) =>
      control.changeOrigin(params['upstream'], params['origin'], change, time, who),
  }),
  operation({
    id: 'removeOrigin',
    method: 'DELETE',
    path: '/v1/upstreams/{upstream}/origins/{origin}',
    about: 'Takes an origin out; the requests it has may end.',
    params: { upstream, origin },
    query: z.strictObject({ ttl }),
    status: 204,
    answer: null,
    errors: ['not-found', 'conflict', 'unavailable'],
    changes: true,
    run: ({ control, params, query, who }) =>
      control.removeOrigin(params['upstream'], params['origin'], query.ttl, who),
  }),
  operation({
    id: 'restart',
    method: 'POST',
    path: '/v1/upstreams/{upstream}/restart',
    about:
      'Replaces the processes that sluice has started for an upstream, one after the other, each when its successor is ready. Does not wait for that.',
    params: { upstream },
    answer: z.array(poolView),
    errors: ['not-found', 'conflict', 'unavailable'],
    changes: true,
    run: ({ control, params, who }) => control.restart(params['upstream'], who),
  }),
  operation({
    id: 'reload',
    method: 'POST',
    path: '/v1/reload',
    about: 'Goes over to the config of the body, or without one to the file read again. Answers what was changed.',
    body: 'config?',
    answer: planView,
    errors: ['conflict', 'unavailable'],
    changes: true,
    run: ({ control, body, who }) => control.reload(body, who),
  }),
  operation({
    id: 'plan',
    method: 'POST',
    path: '/v1/plan',
    about: 'What a reload with the config of the body would do. Changes nothing.',
    body: 'config',
    answer: planView,
    errors: ['unavailable'],
    run: ({ control, body }) => control.plan(body),
  }),
  operation({
    id: 'requests',
    method: 'GET',
    path: '/v1/requests',
    about: 'The last requests that failed or were slow, newest first.',
    query: z.strictObject({ most }),
    answer: z.array(recordView),
    run: ({ control, query }) => control.records(query.most),
  }),
  operation({
    id: 'request',
    method: 'GET',
    path: '/v1/requests/{id}',
    about: 'One of them, by its X-Request-Id.',
    params: { id: 'The X-Request-Id.' },
    answer: recordView,
    errors: ['not-found'],
    run: ({ control, params }) => control.record(params['id']),
  }),
  operation({
    id: 'explain',
    method: 'GET',
    path: '/v1/explain',
    about: 'What would happen to a request now. Nothing is sent.',
    query: z.strictObject({
      url: question.shape.url,
      method: question.shape.method,
      header: z
        .array(z.string().max(8192))
        .max(100)
        .default([])
        .describe('Header fields, `Name: value`, one for each time it is given.'),
      client: question.shape.client,
    }),
    answer: explanationView,
    run: ({ control, query: { url, method, header, client } }) =>
      control.explain(method, url, header.map(field), client),
  }),
  operation({
    id: 'explainBody',
    method: 'POST',
    path: '/v1/explain',
    about: 'The same with the request in the body, for long ones.',
    body: question,
    answer: explanationView,
    run: ({ control, body: { url, method, headers, client } }) =>
      control.explain(
        method,
        url,
        Object.entries(headers).flatMap(([name, values]) =>
          [values].flat().map((value): [string, string] => [name, value]),
        ),
        client,
      ),
  }),
  operation({
    id: 'openapi',
    method: 'GET',
    path: '/v1/openapi.json',
    about: 'This document.',
    answer: z.record(z.string(), z.unknown()),
    run: ({ describe }) => describe(),
  }),
  operation({
    id: 'metrics',
    method: 'GET',
    path: '/metrics',
    about: 'For Prometheus, in its text format 0.0.4.',
    answer: 'text',
    run: ({ control }) => control.metrics(),
  }),
];
