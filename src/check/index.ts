import { ajp } from './ajp.ts';
import type { Check, CheckKind } from './check.ts';
import { fastcgi } from './fastcgi.ts';
import { http } from './http.ts';
import type { CheckOptions } from './options.ts';
import { scgi } from './scgi.ts';
import { tcp } from './tcp.ts';
import { uwsgi } from './uwsgi.ts';

export { Checker } from './checker.ts';
export { Gate, MOST_PROBES } from './gate.ts';

/** Every kind of check. */
export const checks = [tcp, http, fastcgi, scgi, uwsgi, ajp] as const satisfies readonly CheckKind[];

export type CheckName = (typeof checks)[number]['name'];

/** The check that a config asks for. */
export function createCheck({ type, options }: CheckOptions): Check {
  const kind = (checks as readonly CheckKind[]).find(({ name }) => name === type) as CheckKind;
  return kind.create(options);
}
