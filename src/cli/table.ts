/** A column of a table for people. */
export interface Column<Row> {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
  /** Left out first when there is no room; default never. */
  readonly spare?: boolean;
  text(row: Row): string;
}

/** Characters between two columns. */
const GAP = 2;
/** The narrowest that a column of text is cut to. */
const LEAST = 8;

/**
 * Lines of a table: as wide as its texts, or `width` at most. Then spare columns go, the last first, and then the widest
 * texts are cut.
 */
export function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], width = Infinity): string[] {
  let shown = [...columns];
  let cells = [shown.map(({ title }) => title), ...rows.map((row) => shown.map((column) => plain(column.text(row))))];
  const widths = (): number[] => shown.map((_, i) => Math.max(...cells.map((line) => line[i].length)));
  const total = (all: readonly number[]): number => all.reduce((sum, one) => sum + one, 0) + GAP * (all.length - 1);
  while (total(widths()) > width) {
    const at = shown.findLastIndex(({ spare }) => spare === true);
    if (at < 0) break;
    shown = shown.filter((_, i) => i !== at);
    cells = cells.map((line) => line.filter((_, i) => i !== at));
  }
  const sizes = widths();
  while (total(sizes) > width) {
    const widest = sizes.indexOf(Math.max(...sizes));
    if (sizes[widest] <= LEAST) break;
    sizes[widest]--;
  }
  return cells.map((line) =>
    line
      .map((cell, i) => {
        const text = cell.length > sizes[i] ? `${cell.slice(0, sizes[i] - 1)}…` : cell;
        return shown[i].right === true ? text.padStart(sizes[i]) : text.padEnd(sizes[i]);
      })
      .join(' '.repeat(GAP))
      .trimEnd(),
  );
}

/** What a client sent must not write to the operator's terminal: control characters are shown as �. */
export function plain(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** `1.5ms`, `250ms`, `31.5s`, `2m`; `-` for none. */
export function showMs(ms: number | null): string {
  if (ms === null) return '-';
  if (ms < 10) return `${Math.round(ms * 10) / 10}ms`;
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 120_000) return `${Math.round(ms / 100) / 10}s`;
  return ms < 7_200_000 ? `${Math.round(ms / 60_000)}m` : `${Math.round(ms / 3_600_000)}h`;
}

/** `64.0 MB`. */
export function showBytes(bytes: number): string {
  const [unit, factor] = bytes >= 1e9 ? ['GB', 1e9] : bytes >= 1e6 ? ['MB', 1e6] : ['kB', 1e3];
  return `${(bytes / factor).toFixed(1)} ${unit}`;
}

/** Writes to stdout; whoever closes the pipe early, as `head` does, is no error. */
export function print(text: string): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

export function printJson(made: unknown): void {
  print(JSON.stringify(made, null, 2));
}

/** Columns of the terminal; no limit for pipes and files. */
export function terminalWidth(): number {
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}
