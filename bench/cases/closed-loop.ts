import type { Case, Column, Round } from '../case.ts';
import type { OriginName } from '../origins/index.ts';
import { script } from '../protocol.ts';
import { runWrk, wrkMissing, type WrkJob, type WrkSummary } from '../load/wrk.ts';
import { connectionsAccepted, cpuTime, cpuUsed } from '../usage.ts';

/** The shape of a request; port and duration come with the round. */
type Shape = Omit<WrkJob, 'port' | 'seconds'>;

const cpuColumns: readonly Column[] = [
  { key: 'user', title: 'user µs/req', digits: 1 },
  { key: 'system', title: 'system µs/req', digits: 1 },
  { key: 'total', title: 'CPU µs/req', digits: 1 },
];

/**
 * As many requests as the proxy manages on `connections` connections. What counts is the CPU time per request of the
 * proxy's process: unlike requests per second it does not depend on how fast the load generator and the origin are.
 */
function closedLoop(name: string, title: string, origin: Case['origin'], shape: Shape): Case {
  return {
    name,
    title,
    origin,
    fresh: false,
    direct: false,
    columns: [
      ...cpuColumns,
      { key: 'rate', title: 'requests/s', digits: 0 },
      { key: 'busy', title: 'core busy %', digits: 0 },
    ],
    missing: () => wrkMissing,
    ratio: 'total',
    async warm(target) {
      await runWrk({ ...shape, port: target.port, seconds: 2 });
    },
    async measure(target, seconds) {
      const accepted = connectionsAccepted();
      const before = cpuTime(target.pid);
      const summary = await runWrk({ ...shape, port: target.port, seconds });
      const round = toRound(summary, cpuUsed(before, cpuTime(target.pid)));
      const reused = summary.requests - (connectionsAccepted() - accepted);
      if (shape.close !== true || reused < summary.requests / 20) return round;
      return { ...round, errors: [...round.errors, `${reused} requests came on connections already used`] };
    },
  };
}

function toRound(summary: WrkSummary, used: ReturnType<typeof cpuUsed>): Round {
  const { requests, microseconds } = summary;
  const errors = Object.entries(summary.errors)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind} errors`);
  if (requests === 0) return { figures: {}, errors: [...errors, 'no request completed'] };
  return {
    figures: {
      requests,
      user: used.user / requests,
      system: used.system / requests,
      total: used.total / requests,
      rate: (requests * 1e6) / microseconds,
      busy: (used.total * 100) / microseconds,
    },
    errors,
  };
}

const mebibyte = 1024 * 1024;

export const small = closedLoop('small', 'Small GET, keep-alive: 64 connections, 101-byte body', 'fast', {
  path: '/small',
  connections: 64,
});

export const post = closedLoop('post', 'POST of 1 KiB: 64 connections, 101-byte answer', 'bodies', {
  path: '/post',
  connections: 64,
  post: 1024,
});

export const download = closedLoop('download', 'Download of 1 MiB: 16 connections', 'fast', {
  path: '/large',
  connections: 16,
});

export const upload = closedLoop('upload', 'Upload of 1 MiB: 16 connections', 'bodies', {
  path: '/post',
  connections: 16,
  post: mebibyte,
});

export const connections = closedLoop('connections', 'A new connection for each small GET: 64 at a time', 'fast', {
  path: '/small',
  connections: 64,
  close: true,
});

const other = (name: OriginName, title: string, path: string, connections = 64): Case =>
  closedLoop(name, `${title}: ${connections} connections, 101-byte body`, name, { path, connections });

/** The same small GET, told to origins in their own protocols. */
export const protocols: readonly Case[] = [
  other('fastcgi', 'FastCGI, a minimal application, kept connections', script),
  other('php', 'FastCGI, php-fpm, a connection for each request', script),
  other('scgi', 'SCGI, a minimal application', script),
  other('uwsgi', 'uwsgi, a minimal application', script),
  other('cgi', 'CGI, a shell script', script, 16),
  other('https', 'HTTPS to the origin, kept connections', '/small'),
  other('h2c', 'HTTP/2 without TLS to the origin', '/small'),
];
