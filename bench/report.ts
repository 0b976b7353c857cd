import { canPin, describeMachine, loadCpu, otherLoad, proxyCpu } from './machine.ts';
import type { Options } from './options.ts';
import { originKinds, type OriginName } from './origins/index.ts';
import type { CaseResult, Entry } from './contest.ts';
import { clean, figure, ratio, type Spread } from './statistics.ts';

/** What a reader needs to run it again and to know what was compared. */
export function heading(options: Options, args: readonly string[], origins: readonly OriginName[]): string {
  const pins = canPin
    ? `proxy alone on CPU ${proxyCpu}, load generator and origin on CPU ${loadCpu}`
    : 'not pinned, as that needs taskset (apt install util-linux) and two cores; noisier for it';
  return [
    `## ${['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ')}`,
    '',
    `- ${new Date().toISOString().slice(0, 10)}, ${describeMachine()}, Node ${process.version} for all that is JavaScript`,
    `- ${pins}; loopback, plain HTTP/1.1 from clients; origins: ${origins.map((name) => `${name}: ${originKinds[name].about}`).join(', ')}`,
    `- medians (lowest–highest) of ${options.rounds} alternating rounds of ${options.seconds} s; a round with any error is not counted`,
    '- CPU is that of the whole proxy process; a ratio is the median over rounds of the quotient within a round',
    ...(otherLoad() > quiet
      ? [
          `- **not a quiet machine**: load average ${otherLoad().toFixed(1)} before the start; the figures are noisier for it`,
        ]
      : []),
    '',
  ].join('\n');
}

/** Load average that the desktop or shell around a benchmark may cause. */
const quiet = 0.5;
const references = ['nginx', 'HAProxy', 'lighttpd'];

/** One case as a Markdown table: median (lowest–highest) of its rounds, and how many times nginx and HAProxy that is. */
export function table(result: CaseResult): string {
  const { columns } = result.case;
  const titles = [
    '',
    ...columns.map((column) => column.title),
    ...references.map((name) => `× ${name}`),
    'clean rounds',
  ];
  const lines = [row(titles), row(['---', ...titles.slice(1).map(() => '---:')])];
  for (const entry of result.entries) lines.push(entryRow(result, entry));
  const errors = errorLines(result);
  return [`### ${result.case.title}`, '', ...lines, ...(errors.length > 0 ? ['', ...errors] : []), ''].join('\n');
}

function entryRow(result: CaseResult, entry: Entry): string {
  const { columns } = result.case;
  if (entry.absent !== undefined)
    return row([entry.subject, entry.absent, ...columns.map(() => ''), ...references.map(() => '')]);
  const good = entry.rounds.filter(clean).length;
  const count = `${good}/${entry.rounds.length}${good < entry.rounds.length ? ' ⚠' : ''}`;
  const cells = columns.map((column) => format(figure(entry, column.key), column.digits));
  const ratios = references.map((name) =>
    name === entry.subject ? '1' : (ratio(result, entry.subject, name)?.toFixed(2) ?? '–'),
  );
  return row([entry.subject, ...cells, ...ratios, count]);
}

/** Rounds that are not in the medians, with what went wrong in them. */
function errorLines(result: CaseResult): string[] {
  return result.entries.flatMap((entry) =>
    entry.rounds.flatMap((round, index) =>
      clean(round) ? [] : [`- ⚠ ${entry.subject}, round ${index + 1}, not counted: ${round.errors.join('; ')}`],
    ),
  );
}

function format(value: Spread | undefined, digits: number): string {
  if (value === undefined) return '–';
  const [median, min, max] = [value.median, value.min, value.max].map((one) => number(one, digits));
  return min === max ? String(median) : `${median} (${min}–${max})`;
}

function number(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}
