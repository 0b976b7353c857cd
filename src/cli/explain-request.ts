import { findConfig, load, showProblems } from '../config/index.ts';
import { explain } from '../control/explain.ts';
import type { Explanation } from '../control/views.ts';
import { systemClock } from '../core/clock.ts';
import { parseAddress } from '../core/networks.ts';
import { askRunning, type PlaceWords } from './admin-place.ts';
import { die, EXIT_USAGE } from './exit.ts';
import { answerToOwnName } from './own-name.ts';
import { plain, print, printJson, showMs, table, terminalWidth } from './table.ts';

type Words = PlaceWords & {
  readonly header: readonly string[];
  readonly client?: string | undefined;
  readonly live?: true;
  readonly json?: true;
};

/** `sluice explain [METHOD] URL` */
export async function explainRequest(given: readonly string[], words: Words): Promise<void> {
  const [method, url] = request(given);
  const fields = words.header.map(field);
  const { client } = words;
  if (client !== undefined && client !== 'unix:' && parseAddress(client) === undefined) {
    die(EXIT_USAGE, `--client ${client}: expected an IP address`);
  }
  const made =
    words.live === true || words.admin !== undefined
      ? await running(method, url, fields, words)
      : explain(await configOf(words.config), { method, url, fields, client }, systemClock);
  if (words.json === true) printJson(made);
  else print(shown(made).join('\n'));
}

function request(given: readonly string[]): [method: string, url: string] {
  const [first = '', second, third] = given;
  if (third !== undefined) return die(EXIT_USAGE, `${JSON.stringify(third)} is too much: sluice explain [METHOD] URL`);
  if (second !== undefined) return [first, second];
  if (/^[A-Z]+$/.test(first)) return die(EXIT_USAGE, `the URL is missing: sluice explain ${first} URL`);
  return ['GET', first];
}

function field(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 1) return die(EXIT_USAGE, `-H ${JSON.stringify(line)}: expected 'Name: value'`);
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

async function running(
  method: string,
  url: string,
  fields: readonly (readonly [string, string])[],
  words: Words,
): Promise<Explanation> {
  const grouped = Map.groupBy(fields, ([name]) => name);
  const headers = Object.fromEntries([...grouped].map(([name, lines]) => [name, lines.map(([, value]) => value)]));
  const { client } = words;
  return (await askRunning(words, 'POST', '/v1/explain', { method, url, headers, client })) as Explanation;
}

async function configOf(file: string | undefined): Promise<Parameters<typeof explain>[0]> {
  const found = file ?? (await findConfig('.'));
  if (typeof found !== 'string') return die(EXIT_USAGE, showProblems(found.problems));
  answerToOwnName();
  const checked = await load(found);
  return checked.config ?? die(EXIT_USAGE, showProblems(checked.problems));
}

function shown(made: Explanation): string[] {
  const { method, url, listener, client, routes } = made;
  const lines = [`${method} ${url}, on listener ${listener} from ${client}`, ''];
  for (const { name, matches, why } of routes) {
    lines.push(matches ? `route ${name}: matches` : `route ${name}: no, ${why.join('; ')}`);
  }
  lines.push(...outcome(made), '');
  if (made.rewrites.length > 0)
    lines.push('fields on the way to the origin:', ...made.rewrites.map((line) => `  ${line}`), '');
  if (made.variables.length > 0)
    lines.push('variables for the application:', ...made.variables.map((line) => `  ${line}`), '');
  const timeouts = Object.entries(made.timeouts).map(([name, ms]) => `${name} ${ms === null ? 'off' : showMs(ms)}`);
  lines.push(`timeouts: ${timeouts.join(', ')}`);
  if (made.retries.length > 0) lines.push('retries:', ...made.retries.map((line) => `  ${line}`));
  return lines.map(plain);
}

function outcome(made: Explanation): string[] {
  const { action, status, error, because, location, upstream, balance, key, origins, pick, tls } = made;
  const why = because === null ? '' : `: ${because}`;
  const picked = origins.find(({ name }) => name === pick);
  switch (action) {
    case 'refuse':
      return [`answer ${status} ${error}${why}`];
    case 'respond':
      return [`answer ${status}, made here${why}`];
    case 'redirect':
      return [`answer ${status}, to ${location}`];
    default:
      return [
        ...(made.authorize === null ? [] : [`first upstream ${made.authorize} is asked whether it may go on`]),
        `upstream ${upstream}, balanced by ${balance}${key === '' ? '' : `, key ${JSON.stringify(key)}`}`,
        '',
        ...table(
          [
            {
              title: '  ORIGIN',
              text: ({ name, address, child }) => `${name === pick ? '> ' : '  '}${shownOrigin(address, child)}`,
            },
            { title: 'STATE', text: ({ state }) => state },
            { title: 'WEIGHT', right: true, text: ({ weight }) => String(weight) },
            { title: 'IN FLIGHT', right: true, text: ({ inFlight }) => String(inFlight) },
            { title: 'USABLE', text: ({ usable, why: reason }) => (usable ? 'yes' : `no, ${reason}`) },
          ],
          origins,
          terminalWidth(),
        ),
        '',
        picked === undefined
          ? `no origin${why}`
          : `origin ${shownOrigin(picked.address, picked.child).replace(/:$/, '')}${why}`,
        ...(tls === null ? [] : [overTls(tls)]),
      ];
  }
}

/** A process is known by its name; where it listens is of no interest, unless it is not there yet. */
function shownOrigin(address: string, child: string | null): string {
  return child === null || address.startsWith('spawn:') ? address : child;
}

function overTls({ serverName, checks, clientCertificate }: NonNullable<Explanation['tls']>): string {
  const own = clientCertificate ? ', with a client certificate' : '';
  if (checks.length === 0) return `over TLS${own}, to whoever answers: its certificate is NOT checked`;
  const names = checks.includes('ca') ? ` of ${serverName}` : '';
  return `over TLS${own}; its certificate${names} is checked by ${checks.join(' and ')}`;
}
