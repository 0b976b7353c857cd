import type { CaseResult } from './contest.ts';
import { figure, ratio } from './statistics.ts';

/** What sluice wants to reach, each as a figure that must not be above a limit. */
interface Aim {
  readonly case: string;
  readonly text: string;
  readonly limit: number;
  readonly unit: string;
  found(result: CaseResult): number | undefined;
}

const ours = 'sluice';
const against =
  (other: string) =>
  (result: CaseResult): number | undefined =>
    ratio(result, ours, other);

/** The aims of a project that wants to be as cheap as the native proxies and several times cheaper than its Node peers. */
function aimList(nodeProxies: readonly string[]): readonly Aim[] {
  const bestNode = (result: CaseResult): number | undefined => {
    const ratios = nodeProxies.flatMap((name) => ratio(result, ours, name) ?? []);
    return ratios.length === 0 ? undefined : Math.max(...ratios);
  };
  return [
    { case: 'small', text: 'small GET, CPU', limit: 1, unit: '× nginx', found: against('nginx') },
    { case: 'small', text: 'small GET, CPU', limit: 1, unit: '× HAProxy', found: against('HAProxy') },
    { case: 'small', text: 'small GET, CPU', limit: 0.2, unit: '× the best Node proxy', found: bestNode },
    { case: 'download', text: '1 MiB download, CPU', limit: 1.3, unit: '× nginx', found: against('nginx') },
    { case: 'upload', text: '1 MiB upload, CPU', limit: 1.3, unit: '× nginx', found: against('nginx') },
    {
      case: 'connections',
      text: 'new connection per request, CPU',
      limit: 2,
      unit: '× nginx',
      found: against('nginx'),
    },
    { case: 'fastcgi', text: 'FastCGI, CPU', limit: 1.1, unit: '× nginx', found: against('nginx') },
    { case: 'fastcgi', text: 'FastCGI, CPU', limit: 1, unit: '× lighttpd', found: against('lighttpd') },
    { case: 'php', text: 'php-fpm, CPU', limit: 1.1, unit: '× nginx', found: against('nginx') },
    { case: 'php', text: 'php-fpm, CPU', limit: 1, unit: '× lighttpd', found: against('lighttpd') },
    { case: 'cgi', text: 'CGI, CPU', limit: 1, unit: '× lighttpd', found: against('lighttpd') },
    { case: 'rate', text: 'fixed rate, p99', limit: 1.2, unit: '× nginx', found: against('nginx') },
    { case: 'idle', text: 'idle connection', limit: 6, unit: 'KiB', found: (result) => medianOf(result, 'each') },
  ];
}

export function aimsTable(results: readonly CaseResult[], nodeProxies: readonly string[]): string {
  const rows = aimList(nodeProxies).flatMap((aim) => {
    const result = results.find((one) => one.case.name === aim.case);
    if (result === undefined) return [];
    const found = aim.found(result);
    const verdict = found === undefined ? 'not measured' : found <= aim.limit ? 'reached' : 'not reached';
    return [`| ${aim.text} | ≤ ${aim.limit} ${aim.unit} | ${found?.toFixed(2) ?? '–'} | ${verdict} |`];
  });
  return ['### Aims of sluice', '', '| | aim | found | |', '| --- | --- | ---: | --- |', ...rows, ''].join('\n');
}

function medianOf(result: CaseResult, key: string): number | undefined {
  const entry = result.entries.find((one) => one.subject === ours);
  return entry === undefined ? undefined : figure(entry, key)?.median;
}
