/** The name that was probably meant, or `undefined` when none is close. */
export function nearest(given: string, names: Iterable<string>): string | undefined {
  const plain = normal(given);
  // Half of a short word is another word.
  const most = Math.max(1, Math.floor(plain.length / 3));
  let best: string | undefined;
  let least = most + 1;
  for (const name of names) {
    const other = normal(name);
    const away =
      plain.length > 2 && other.startsWith(plain) ? Math.min(1, other.length - plain.length) : distance(plain, other);
    if (away < least) {
      least = away;
      best = name;
    }
  }
  return best;
}

/** `max_connections`, `Max-Connections` and `maxConnections` are one. */
function normal(name: string): string {
  return name.toLowerCase().replaceAll(/[-_ .]/g, '');
}

/** Insertions, deletions, replacements and swaps of neighbours that turn one text into the other. */
export function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, beforeLast[j - 2] + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
