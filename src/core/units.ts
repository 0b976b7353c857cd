const DURATIONS = new Map(Object.entries({ ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }));
const SIZES = new Map(
  Object.entries({
    b: 1,
    kb: 1000,
    kib: 1024,
    k: 1024,
    mb: 1_000_000,
    mib: 1_048_576,
    m: 1_048_576,
    gb: 1_000_000_000,
    gib: 1_073_741_824,
    g: 1_073_741_824,
  }),
);

/** Milliseconds from `30s`, `1.5m`, `250` or 250; `undefined` when it is not a duration. `off` and `none` are Infinity. */
export function parseDuration(value: string | number): number | undefined {
  if (value === 'off' || value === 'none') return Infinity;
  return parse(value, DURATIONS, 1);
}

/** Bytes from `64KiB`, `10MB`, `512` or 512; `undefined` when it is not a size. `off` and `none` are Infinity. */
export function parseSize(value: string | number): number | undefined {
  if (value === 'off' || value === 'none') return Infinity;
  const bytes = parse(value, SIZES, 1);
  return bytes === undefined ? undefined : Math.round(bytes);
}

/** A whole number, negative too, from `12` or 12; `undefined` when it is not one. `off` and `none` are Infinity. */
export function parseCount(value: string | number): number | undefined {
  if (value === 'off' || value === 'none') return Infinity;
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

function parse(value: string | number, units: ReadonlyMap<string, number>, plain: number): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value * plain : undefined;
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(value.trim());
  if (match === null) return undefined;
  const [, number = '', name = ''] = match;
  const unit = name === '' ? plain : units.get(name.toLowerCase());
  const product = unit === undefined ? Number.NaN : Number(number) * unit;
  return Number.isFinite(product) ? product : undefined;
}

/** `90s` → `1.5m`, for messages: the largest unit that needs at most one decimal. */
export function showDuration(ms: number): string {
  if (ms === Infinity) return 'off';
  for (const [name, factor] of [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
  ] as const) {
    if (ms >= factor && Number.isInteger((ms * 10) / factor)) return `${ms / factor}${name}`;
  }
  return `${Math.round(ms)}ms`;
}
