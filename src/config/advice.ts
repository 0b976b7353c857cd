import { join } from 'node:path';
import { mergeCgi, type CgiOptions } from '../codec/cgi/options.ts';
import { codecOf } from '../codec/index.ts';
import { childLacks, type Lack, pathLack, processLacks } from '../spawn/index.ts';
import { inOrder, problemOf } from './check.ts';
import type { Config, UpstreamConfig } from './config.ts';
import type { Complaint } from './issues.ts';
import { nearest } from './nearest.ts';
import type { Source } from './place.ts';
import { showPath, type Problem, type PropertyPath } from './problems.ts';

/** A complaint about a config that can be run. */
interface Advice extends Complaint {
  /** When the config runs somebody says so anyway. */
  readonly said?: boolean;
}

const CODES = {
  program: 'config/missing-program',
  folder: 'config/missing-folder',
  account: 'config/missing-account',
} as const satisfies Record<Lack['what'], Complaint['code']>;

/**
 * What is to be said of a config that is right in itself: what it names and this machine has not, and what will most likely not do
 * what was meant. Files come by deployments and mounts, so that they are missing is a warning. Accounts do not. It looks at
 * files, and asks `id` for users.
 *
 * @param running without what is told anyway once the config runs
 */
export async function advice(config: Config, source?: Source, running = false): Promise<Problem[]> {
  const upstreams = Object.entries(config.upstreams);
  const found = await Promise.all([
    ...upstreams.map(([name, upstream]) => ofUpstream(upstream, ['upstreams', name])),
    ...config.routes.map(async ({ to, cgi }, i) => {
      const upstream = to === undefined ? undefined : config.upstreams[to];
      if (upstream === undefined || cgi === undefined) return [];
      return rootLacks(upstream, mergeCgi(upstream.cgi, cgi), ['routes', i], cgi.root !== undefined);
    }),
  ]);
  const all: Advice[] = [
    ...upstreams.flatMap(([name, upstream]) => scriptless(config, name, upstream)),
    ...found.flat(),
  ];
  return inOrder(all.filter(({ said }) => !running || said !== true).map((one) => problemOf(one, source)));
}

async function ofUpstream(upstream: UpstreamConfig, path: PropertyPath): Promise<Advice[]> {
  const { origins, cgi, spool, process } = upstream;
  const runs = origins.some(({ address }) => address.program !== undefined);
  const each = await Promise.all(
    origins.map(async ({ spawn, address }, i): Promise<Advice[]> => {
      const at = [...path, 'origins', ...(origins.length === 1 ? [] : [i])];
      if (spawn !== undefined) {
        const lacks = await childLacks(spawn);
        return lacks.map((lack) => said(lack, [...at, 'spawn'], spawn.instances.min > 0));
      }
      if (address.program === undefined || address.program === '') return [];
      const lack = await pathLack([], Buffer.from(address.program, 'latin1').toString(), 'program');
      return lack === undefined ? [] : [said(lack, at)];
    }),
  );
  const spoolLack = spool.folder === '' ? undefined : await pathLack(['spool', 'folder'], spool.folder, 'folder');
  return [
    ...each.flat(),
    ...(await rootLacks(upstream, cgi, path, true)),
    ...(spoolLack === undefined ? [] : [said(spoolLack, path)]),
    ...(runs ? (await processLacks(process)).map((lack) => said(lack, [...path, 'process'])) : []),
  ];
}

/** The folder of scripts, where it is this machine's: who is asked over TCP may be on another, or have files of its own. */
async function rootLacks(
  { origins }: UpstreamConfig,
  { root, front, split }: CgiOptions,
  above: PropertyPath,
  own: boolean,
): Promise<Advice[]> {
  const here = origins.some(
    ({ spawn, address: { scheme, program, path } }) =>
      codecOf(scheme).speaksCgi === true && (spawn !== undefined || program === '' || path !== undefined),
  );
  if (!own || !here || root === '') return [];
  const lack = await pathLack(['cgi', 'root'], root, 'folder');
  if (lack !== undefined) return [said(lack, above)];
  if (front === '' || split.length === 0) return [];
  const missing = await pathLack(['cgi', 'front'], join(root, front), 'any');
  return missing === undefined ? [] : [said({ ...missing, what: 'program' }, above)];
}

function said({ path, what, why, near, cure }: Lack, above: PropertyPath, already = false): Advice {
  const at = [...above, ...path];
  const meant = near === undefined ? undefined : nearest(near.given, near.names);
  // A command may well be called like one that is there.
  const otherwise = near?.folder === '' && what === 'program' ? ` Else ${cure}` : '';
  const hint = near === undefined || meant === undefined ? cure : `did you mean ${near.folder}${meant}?${otherwise}`;
  const message = `${showPath(at)}: ${why}; ${hint}`;
  return { code: CODES[what], message, path: at, warning: what !== 'account', said: already };
}

/**
 * Whoever runs scripts has to be told which. An application that is a program of its own needs no such word, and cannot be told
 * from the others; so it is said when somebody asks, and not at each start.
 */
function scriptless({ routes }: Config, name: string, { origins, cgi }: UpstreamConfig): Advice[] {
  const leading = routes.filter(({ to }) => to === name);
  const all = leading.map((route) => (route.cgi === undefined ? cgi : mergeCgi(cgi, route.cgi)));
  if (all.every(({ split, prefix, env }) => split.length > 0 || prefix !== '' || Object.keys(env).length > 0))
    return [];
  const at = origins.findIndex(
    ({ address, spawn }) =>
      codecOf(address.scheme).runsScripts === true && (spawn === undefined || spawn.command.includes('php')),
  );
  if (at < 0) return [];
  const path = ['upstreams', name, 'origins', ...(origins.length === 1 ? [] : [at])];
  const message =
    `${showPath(path)}: no request names a script, and php-fpm answers "File not found." then: ` +
    'write `cgi: { root: "/srv/app/public", split: [".php"], index: "index.php" }` beside it, unless the application needs none';
  return [{ code: 'config/no-script', message, path, warning: true, said: true }];
}
