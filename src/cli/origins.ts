import { nearest } from '../config/nearest.ts';
import type { OriginView, PoolView, UpstreamView } from '../control/views.ts';
import { askRunning, type PlaceWords } from './admin-place.ts';
import { die, EXIT_FAILED } from './exit.ts';
import { plain, print, printJson, showMs, table, terminalWidth } from './table.ts';

type Words = PlaceWords & { readonly json?: true; readonly ttl?: string | undefined };

/** `sluice origins [list] [UPSTREAM]` */
export async function list(upstream: string | undefined, words: Words): Promise<void> {
  const all = (await askRunning(words, 'GET', '/v1/upstreams')) as UpstreamView[];
  const shown = upstream === undefined ? all : all.filter(({ name }) => name === upstream);
  if (upstream !== undefined && shown.length === 0) {
    const names = all.map(({ name }) => name);
    const meant = nearest(upstream, names);
    die(
      EXIT_FAILED,
      `no upstream is named ${upstream}; ${meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`}`,
    );
  }
  if (words.json === true) return printJson(shown);
  const rows = shown.flatMap(({ name, origins }) => origins.map((origin) => ({ upstream: name, origin })));
  const lines = table(
    [
      { title: 'UPSTREAM', text: (row) => row.upstream },
      { title: 'ORIGIN', text: ({ origin }) => origin.address },
      { title: 'STATE', text: ({ origin }) => origin.state },
      { title: 'WEIGHT', right: true, text: ({ origin }) => weightOf(origin) },
      {
        title: 'IN FLIGHT',
        right: true,
        text: ({ origin }) => `${origin.inFlight}${origin.maxConnections === null ? '' : `/${origin.maxConnections}`}`,
      },
      { title: 'REQUESTS', right: true, text: ({ origin }) => String(origin.requests) },
      { title: 'ERRORS', right: true, text: ({ origin }) => String(origin.errors) },
      { title: 'P99', right: true, text: ({ origin }) => showMs(origin.latency.p99) },
      { title: 'NOTE', spare: true, text: ({ origin }) => noteOf(origin) },
    ],
    rows,
    terminalWidth(),
  );
  print(lines.join('\n'));
}

/** `sluice origins add UPSTREAM URL` */
export async function add(
  upstream: string,
  url: string,
  words: Words & {
    readonly weight?: number | undefined;
    readonly backup?: true | undefined;
    readonly maxConnections?: number | undefined;
  },
): Promise<void> {
  const { weight, backup, maxConnections, ttl } = words;
  const path = `/v1/upstreams/${encodeURIComponent(upstream)}/origins`;
  const made = (await askRunning(words, 'POST', path, { url, weight, backup, maxConnections, ttl })) as OriginView;
  told(made, words, `${upstream}: added ${made.name}${until(made)}`);
}

/** `sluice origins remove|drain|enable|weigh UPSTREAM ORIGIN [WEIGHT]` */
export async function change(
  what: 'remove' | 'drain' | 'enable' | 'weigh',
  upstream: string,
  origin: string,
  weight: number | undefined,
  words: Words,
): Promise<void> {
  const path = `/v1/upstreams/${encodeURIComponent(upstream)}/origins/${encodeURIComponent(origin)}`;
  const { ttl } = words;
  if (what === 'remove') {
    await askRunning(words, 'DELETE', ttl === undefined ? path : `${path}?ttl=${encodeURIComponent(ttl)}`);
    return told(null, words, `${upstream}: ${origin} takes nothing new and leaves when it has ended what it has`);
  }
  const asked = what === 'weigh' ? { weight, ttl } : { state: what === 'drain' ? 'draining' : 'up', ttl };
  const made = (await askRunning(words, 'PATCH', path, asked)) as OriginView;
  const now = what === 'weigh' ? `has weight ${made.weight}` : `is ${made.state}`;
  told(made, words, `${upstream}: ${made.name} ${now}${until(made)}`);
}

/** `sluice restart UPSTREAM` */
export async function restart(upstream: string, words: PlaceWords & { readonly json?: true }): Promise<void> {
  const path = `/v1/upstreams/${encodeURIComponent(upstream)}/restart`;
  const pools = (await askRunning(words, 'POST', path)) as PoolView[];
  if (words.json === true) return printJson(pools);
  const names = pools.map(({ name }) => name).join(', ');
  print(plain(`${upstream}: the processes of ${names} are being replaced`));
}

function told(made: OriginView | null, { json }: Words, line: string): void {
  if (json === true) printJson(made);
  else print(plain(line));
}

function until({ override }: OriginView): string {
  if (override === null) return '';
  return override.until === 'reload' ? ', until the next reload' : `, until ${override.until}`;
}

function weightOf({ weight, effectiveWeight }: OriginView): string {
  return effectiveWeight === weight ? String(weight) : `${Math.round(effectiveWeight * 100) / 100} of ${weight}`;
}

function noteOf(origin: OriginView): string {
  const { reason, source, child, backup, check, override, until: rest } = origin;
  return [
    backup ? 'backup' : '',
    child === null ? '' : `${child.name}, pid ${child.pid}`,
    source === 'config' || source === 'spawn' ? '' : `from ${source}`,
    reason,
    rest === null ? '' : `until ${rest}`,
    // The reason has it when it is why the origin is as it is.
    check === null || reason.endsWith(check.detail)
      ? ''
      : `check: ${check.healthy ? 'healthy' : 'failing'}, ${check.detail}`,
    override === null ? '' : `changed by an operator${until(origin)}`,
  ]
    .filter((part) => part !== '')
    .join('; ');
}
