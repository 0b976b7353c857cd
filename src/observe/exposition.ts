/** What to answer a scraper with as `Content-Type`. */
export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** How often something took how long, in seconds (or was how large, in bytes). */
export interface Histogram {
  /** Upper bounds of the buckets, ascending, without the infinite one. A value that equals a bound lies below it. */
  readonly bounds: ArrayLike<number>;
  /** How many fell into each bucket, not added up; one more than bounds, the last for what is above them all. */
  readonly counts: ArrayLike<number>;
  /** Of all values. */
  readonly sum: number;
}

export type Labels = readonly (readonly [name: string, value: string])[];

/**
 * Writes Prometheus' text format 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/. Each family is
 * written once, with all its series together, as the format wants it; series with the same labels are added up: of
 * two a scraper would keep one, and the number would be wrong.
 */
export class Exposition {
  #text = '';
  readonly #names = new Set<string>();

  get text(): string {
    return this.#text;
  }

  /** Throws when the name was used before, or is none: both are defects of ours. */
  family(name: string, type: MetricType, help: string, series: Iterable<readonly [Labels, number | Histogram]>): void {
    if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new Error(`${name} is not a name for a metric`);
    if (this.#names.has(name)) throw new Error(`the metric ${name} is written twice`);
    this.#names.add(name);
    const values = new Map<string, number>();
    let lines = '';
    const add = (key: string, value: number): void => void values.set(key, (values.get(key) ?? 0) + value);
    for (const [labels, value] of series) {
      if (typeof value === 'number') add(`${name}${braces(labels)}`, value);
      else addHistogram(name, labels, value, add);
    }
    for (const [key, value] of values) lines += `${key} ${numeral(value)}\n`;
    if (lines === '') return;
    this.#text += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n${lines}`;
  }
}

function addHistogram(
  name: string,
  labels: Labels,
  { bounds, counts, sum }: Histogram,
  add: (key: string, value: number) => void,
): void {
  let total = 0;
  for (let i = 0; i < bounds.length; i++) {
    total += counts[i] ?? 0;
    add(`${name}_bucket${braces([...labels, ['le', numeral(bounds[i])]])}`, total);
  }
  total += counts[bounds.length] ?? 0;
  add(`${name}_bucket${braces([...labels, ['le', '+Inf']])}`, total);
  add(`${name}_sum${braces(labels)}`, sum);
  add(`${name}_count${braces(labels)}`, total);
}

function braces(labels: Labels): string {
  if (labels.length === 0) return '';
  return `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;
}

/** Whatever a label's value holds, it must not end its quotes or its line, and has to be UTF-8. */
function escaped(value: string): string {
  return value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** As Go reads floating point numbers. */
function numeral(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? '+Inf' : '-Inf';
}
