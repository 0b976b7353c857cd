/** docs/metrics.md: every metric, from the table in src/observe/metrics.ts. */
import { CONTENT_TYPE } from '../../src/observe/exposition.ts';
import { GROUPS, type Group } from '../../src/observe/metrics.ts';

export const page = 'docs/metrics.md';

const INTRODUCTION = `# Metrics

<!-- Made by \`npm run docs\` from src/observe/metrics.ts. Do not edit. -->

In Prometheus' text format, \`${CONTENT_TYPE}\`. Times are seconds, sizes bytes. Counters begin at 0 when the process starts, and live
through reloads as long as what they count does. Names and labels are stable.

A request is counted once in each group it belongs to: by its listener, by its route, by its upstream. Sums over one group are
therefore right, sums over several are not. A histogram has \`_bucket\`, \`_sum\` and \`_count\`.
`;

export function render(): string {
  return `${INTRODUCTION}\n${GROUPS.map(section).join('\n')}`;
}

function section({ title, about, labels, metrics }: Group): string {
  const rows = metrics.map(({ name, type, help, label }) => {
    const all = [...labels, ...(label === undefined ? [] : [label])].map((one) => `\`${one}\``).join(', ');
    return `| \`${name}\` | ${type} | ${all} | ${help.replaceAll('|', '\\|')} |\n`;
  });
  const words = about === '' ? '' : `${about}\n\n`;
  return `## ${title}\n\n${words}| Metric | Type | Labels | |\n|---|---|---|---|\n${rows.join('')}`;
}
