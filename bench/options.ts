import { parseArgs } from 'node:util';

export interface Options {
  readonly quick: boolean;
  readonly only: readonly string[] | undefined;
  readonly subjects: readonly string[] | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly json: string | undefined;
}

const quickCases = ['small', 'download', 'connections'];
const quickSubjects = ['sluice', 'nginx', 'haproxy'];

export const usage = `node bench/run.ts [--quick] [--only CASE,...] [--subjects NAME,...] [--rounds N] [--seconds N] [--json FILE]
  --quick     3 rounds of 2 s; ${quickCases.join(', ')}; ${quickSubjects.join(', ')} (unless --only or --subjects say otherwise)
  --only      small post download upload connections fastcgi php scgi uwsgi cgi https h2c rate idle aborts
  --subjects  sluice nginx haproxy lighttpd http-proxy http-proxy-3 httpxy fast-proxy @fastify/http-proxy
  --rounds    rounds per case (5)
  --seconds   length of a round (5)
  --json      also write every round's figures to FILE`;

export function readOptions(args: readonly string[]): Options | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string' },
      subjects: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      json: { type: 'string' },
    },
  });
  if (values.help) return 'help';
  const { quick } = values;
  return {
    quick,
    only: list(values.only) ?? (quick ? quickCases : undefined),
    subjects: list(values.subjects)?.map((name) => name.toLowerCase()) ?? (quick ? quickSubjects : undefined),
    rounds: positive('rounds', values.rounds, quick ? 3 : 5),
    seconds: positive('seconds', values.seconds, quick ? 2 : 5),
    json: values.json,
  };
}

/** The things of a list that were asked for by name; an unknown name is an error, not an empty table. */
export function chosen<T extends { readonly name: string }>(
  all: readonly T[],
  names: readonly string[] | undefined,
): readonly T[] {
  if (names === undefined) return all;
  const known = new Set(all.map((one) => one.name.toLowerCase()));
  const unknown = names.filter((name) => !known.has(name));
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(', ')} (there is ${[...known].join(', ')})`);
  return all.filter((one) => names.includes(one.name.toLowerCase()));
}

function list(text: string | undefined): readonly string[] | undefined {
  return text
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} wants a whole number above 0, not ${String(text)}`);
  return value;
}
