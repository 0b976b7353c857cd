import { cgiSchema, mergeCgi, routeCgiSchema, type CgiOptions } from '../codec/cgi/options.ts';
import { codecOf, programs } from '../codec/index.ts';
import { isOriginProblem } from '../upstream/options.ts';
import { addressOf } from './address.ts';
import type { Complaint } from './issues.ts';
import { showPath, type PropertyPath } from './problems.ts';
import { schemes } from './schema.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What `cgi` says against itself and against the origins, on upstreams and on the routes that lead to them. */
export function cgiComplaints(input: Fields): Complaint[] {
  const upstreams = isFields(input['upstreams']) ? input['upstreams'] : {};
  const routes = (Array.isArray(input['routes']) ? input['routes'] : []).map((route): Fields =>
    isFields(route) ? route : {},
  );
  const found: Complaint[] = [];
  for (const [name, upstream] of Object.entries(upstreams)) {
    if (!isFields(upstream)) continue;
    const own = cgiSchema.safeParse(upstream['cgi'] ?? {}).data;
    if (own === undefined) continue;
    const schemesOf = schemesIn(upstream['origins']);
    const path = ['upstreams', name];
    found.push(...scriptless(upstream['cgi'], schemesOf, path));
    const leading = routes.filter((route) => route['to'] === name);
    // What every route completes need not be complete.
    if (leading.length === 0 || leading.some((route) => route['cgi'] === undefined))
      found.push(...incomplete(own, schemesOf, path));
    for (const [i, route] of routes.entries()) {
      if (route['to'] !== name || route['cgi'] === undefined) continue;
      const routed = routeCgiSchema.safeParse(route['cgi']).data;
      if (routed === undefined) continue;
      found.push(
        ...unspoken(schemesOf, ['routes', i]),
        ...scriptless(route['cgi'], schemesOf, ['routes', i]),
        ...incomplete(mergeCgi(own, routed), schemesOf, ['routes', i]),
      );
    }
  }
  for (const [i, route] of routes.entries()) {
    if (route['cgi'] === undefined || route['to'] !== undefined) continue;
    const message = `${showPath(['routes', i])}: "cgi" is for a route with "to"`;
    found.push({ code: 'config/bad-value', message, path: ['routes', i, 'cgi'], at: 'key' });
  }
  return found;
}

const speaks = (given: readonly string[]): boolean => given.some((scheme) => codecOf(scheme).speaksCgi === true);
const hears = (given: readonly string[]): boolean =>
  speaks(given) || given.some((scheme) => codecOf(scheme).takesVariables === true);

/** No origin would hear of it. */
function unspoken(given: readonly string[], above: PropertyPath): Complaint[] {
  if (given.length === 0 || hears(given)) return [];
  const speaking = schemes.filter((scheme) => codecOf(scheme).speaksCgi === true).join(', ');
  const message = `${showPath(above)}: no origin of this upstream is told in CGI's names (${speaking}): leave "cgi" out`;
  return [{ code: 'config/bad-value', message, path: [...above, 'cgi'], at: 'key' }];
}

/** Origins that are told variables would not hear of the rest. */
function scriptless(cgi: unknown, given: readonly string[], above: PropertyPath): Complaint[] {
  if (speaks(given) || !hears(given)) return [];
  const [first] = given;
  return Object.entries(isFields(cgi) ? cgi : {})
    .filter(([key, value]) => key !== 'env' && value !== undefined)
    .map(([key]) => {
      const message = `${showPath([...above, 'cgi'])}: ${first} origins are told variables, and no scripts: "env" is all they take`;
      return { code: 'config/bad-value', message, path: [...above, 'cgi', key], at: 'key' };
    });
}

function incomplete(
  { root, split, index, front, env }: CgiOptions,
  given: readonly string[],
  above: PropertyPath,
): Complaint[] {
  // What no origin hears of at all has been said.
  if (given.length > 0 && !given.some((scheme) => codecOf(scheme).speaksCgi === true)) return [];
  const runs = given.some((scheme) => programs.includes(scheme));
  const complain = (key: string, message: string): Complaint => {
    const path = [...above, 'cgi'];
    return { code: 'config/bad-value', message: `${showPath(path)}: ${message}`, path: [...path, key], at: 'key' };
  };
  if (split.length > 0) {
    // Who runs programs without a root is told so elsewhere.
    if (root !== '' || 'SCRIPT_FILENAME' in env || runs) return [];
    return [complain('split', '"split" finds scripts, and without "root" nobody knows in which folder they are')];
  }
  // Programs are found by the path itself, so that a folder may have an index.
  const wanted = runs ? { front } : { index, front };
  return Object.entries(wanted)
    .filter(([, value]) => value !== '')
    .map(([key]) => complain(key, `"${key}" has no meaning without "split", such as [".php"]`));
}

function schemesIn(origins: unknown): string[] {
  const list = Array.isArray(origins) ? origins : [origins];
  return list.flatMap((one: unknown) => {
    const address = addressOf(one);
    return isOriginProblem(address) ? [] : [address.scheme];
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
