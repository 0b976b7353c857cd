import { canCheck, checkProblem, checkSchema, checksFor } from '../check/options.ts';
import { adminAddressSchema, isLocal } from '../admin/options.ts';
import { alpnNames, codecOf, offerOf, programs } from '../codec/index.ts';
import { originName } from '../core/origin.ts';
import { listenAddressSchema, showListenAddress, type ListenAddress } from '../listen/options.ts';
import { routeSchema, shadows, WITHOUT_BODY, type RouteOptions } from '../route/options.ts';
import { disableTimeSchema, ejectSchema, isOriginProblem, parseOrigin } from '../upstream/options.ts';
import { addressOf } from './address.ts';
import { cgiComplaints } from './cgi.ts';
import { showValue, type Complaint } from './issues.ts';
import { nearest } from './nearest.ts';
import { unheard } from './parts.ts';
import { showPath, type PropertyPath } from './problems.ts';
import { schemes } from './schema.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What one part of a config says against another. It looks at the input rather than at the schema's output, so that
 * these complaints come together with the schema's; what has not the expected form is left to the schema.
 */
export function crossCheck(input: unknown): Complaint[] {
  if (!isFields(input)) return [];
  return [
    ...listeners(input['listen']),
    ...admin(input['admin'], input['listen']),
    ...upstreams(input['upstreams']),
    ...cgiComplaints(input),
    ...routes(input),
  ];
}

function listeners(listen: unknown): Complaint[] {
  const found: Complaint[] = [];
  const seen: { address: ListenAddress; name: string }[] = [];
  const many = Array.isArray(listen);
  for (const [i, one] of list(listen).entries()) {
    const path: PropertyPath = many ? ['listen', i] : ['listen'];
    const fields: Fields = isFields(one) ? one : { address: one };
    const result = listenAddressSchema.safeParse(fields['address']);
    if (!result.success) continue;
    const address = result.data;
    const shown = showListenAddress(address);
    if (fields['mode'] !== undefined && address.kind === 'tcp') {
      const message = `${showPath(path)}: only a unix socket has a mode`;
      found.push({ code: 'config/bad-value', message, path: [...path, 'mode'], at: 'key' });
    }
    const name = typeof fields['name'] === 'string' ? fields['name'] : shown;
    const clash = seen.find((other) => overlap(other.address, address));
    if (clash !== undefined) {
      const other = showListenAddress(clash.address);
      const why =
        other === shown ? `${shown} is here already` : `${other} and ${shown} overlap: only one can be opened`;
      found.push({ code: 'config/duplicate-listener', message: `${showPath(path)}: ${why}`, path });
    } else if (seen.some((other) => other.name === name)) {
      const message = `${showPath(path)}: another listener has the name ${JSON.stringify(name)}`;
      found.push({ code: 'config/duplicate-listener', message, path: [...path, 'name'] });
    }
    seen.push({ address, name });
  }
  return found;
}

/** Who reaches the admin interface can change everything: that has to be meant. */
function admin(given: unknown, listen: unknown): Complaint[] {
  const fields: Fields = isFields(given) ? given : { address: given };
  const result = adminAddressSchema.safeParse(fields['address']);
  if (!result.success) return [];
  const address = result.data;
  const shown = showListenAddress(address);
  const path: PropertyPath = isFields(given) ? ['admin', 'address'] : ['admin'];
  const complain = (code: Complaint['code'], message: string, at: PropertyPath): Complaint[] => [
    { code, message: `${showPath(at)}: ${message}`, path: at },
  ];
  const found: Complaint[] = [];
  const tokens = ['token', 'tokenFile'].filter((key) => fields[key] !== undefined);
  if (tokens.length === 2) {
    found.push(
      ...complain('config/admin-token', 'there is a "token" already: leave one of them out', ['admin', 'tokenFile']),
    );
  }
  if (fields['mode'] !== undefined && address.kind === 'tcp') {
    found.push(...complain('config/bad-value', 'only a unix socket has a mode', ['admin', 'mode']));
  }
  const open = !isLocal(address) && fields['public'] !== true;
  if (open) {
    const why = `${shown} can be reached from other machines: use unix:/path or 127.0.0.1:PORT, or write \`public: true\` beside it`;
    found.push(...complain('config/admin-public', why, path));
  }
  if (address.kind === 'tcp' && tokens.length === 0) {
    const why = `${shown} needs a token${open ? ' as well' : ''}, because every program can connect: write { address: ${JSON.stringify(shown)}, tokenFile: "/path" }, or use unix:/path`;
    found.push(...complain('config/admin-token', why, path));
  }
  const clash = list(listen ?? 8080)
    .map((one) => listenAddressSchema.safeParse(isFields(one) ? one['address'] : one).data)
    .find((other) => other !== undefined && overlap(other, address));
  if (clash !== undefined) {
    found.push(...complain('config/duplicate-listener', `${showListenAddress(clash)} is a listener already`, path));
  }
  return found;
}

/** Both cannot be listened on: they are equal, or one is every address of the machine. */
function overlap(a: ListenAddress, b: ListenAddress): boolean {
  if (a.kind === 'unix' || b.kind === 'unix') return a.kind === b.kind && showListenAddress(a) === showListenAddress(b);
  if (a.port !== b.port || a.port === 0) return false;
  return a.host === b.host || isEvery(a.host, b.host) || isEvery(b.host, a.host);
}

function isEvery(host: string, other: string): boolean {
  if (host === '' || host === '::') return true;
  return host === '0.0.0.0' && !other.includes(':');
}

function upstreams(given: unknown): Complaint[] {
  if (!isFields(given)) return [];
  return Object.entries(given).flatMap(([name, upstream]) => {
    const path = ['upstreams', name];
    if (!isFields(upstream)) return [];
    return [
      ...origins(upstream, path),
      ...unheard(upstream, list(upstream['origins']), path),
      ...rests(upstream['disableTime'], path),
      ...ejections(upstream['eject'], path),
      ...security(upstream['tls'], upstream['origins'], path),
      ...checks(upstream['check'], upstream['origins'], path),
    ];
  });
}

function origins(upstream: Fields, above: PropertyPath): Complaint[] {
  const given = upstream['origins'];
  const pools = new Set<string>();
  /** What is spoken at each place. */
  const seen = new Map<string, string>();
  return list(given).flatMap((one, i): Complaint[] => {
    if (isFields(one) && isFields(one['spawn'])) return pool(one['spawn'], i, pools, above);
    const url = isFields(one) ? one['url'] : one;
    if (typeof url !== 'string' && typeof url !== 'number') return [];
    const address = parseOrigin(String(url), schemes, programs);
    if (isOriginProblem(address)) return [];
    if (address.program === '' && !hasRoot(upstream['cgi'])) {
      const path = [...above, ...(upstream['cgi'] === undefined ? ['origins'] : ['cgi'])];
      const message = `${showPath(path)}: ${address.scheme}: runs what a request names: below which folder? Write cgi: { root: "/path" }, or ${address.scheme}:/path of one program`;
      return [{ code: 'config/bad-value', message, path }];
    }
    // One place is one origin, whatever is spoken there.
    const name = originName(address);
    const path = [...above, 'origins', ...(Array.isArray(given) ? [i] : [])];
    const before = seen.get(name);
    if (before !== undefined) {
      const why = isSame(before, address.scheme)
        ? `${name} is in this upstream already; a weight gives it a larger share`
        : `${name} is here already, as ${before}: an origin speaks one protocol. Leave one out, or make another upstream of it`;
      return [{ code: 'config/duplicate-origin', message: `${showPath(path)}: ${why}`, path }];
    }
    seen.set(name, address.scheme);
    return [];
  });
}

/** Two schemes for the same: `fcgi` is another word for `fastcgi`. */
function isSame(one: string, other: string): boolean {
  return codecOf(one) === codecOf(other) && (offerOf(one) === null) === (offerOf(other) === null);
}

/** Processes are told apart by the name of what starts them. */
function pool(spawn: Fields, index: number, seen: Set<string>, above: PropertyPath): Complaint[] {
  const name = typeof spawn['name'] === 'string' ? spawn['name'] : String(above.at(-1));
  const key = `spawn ${name}`;
  if (!seen.has(key)) {
    seen.add(key);
    return [];
  }
  const path = [...above, 'origins', index, 'spawn'];
  const message = `${showPath(path)}: ${JSON.stringify(name)} is in this upstream already: give each \`spawn\` a \`name\` of its own`;
  return [{ code: 'config/duplicate-origin', message, path }];
}

/** Who writes how connections are to be secured, and then makes them in clear text, has forgotten something. */
function security(given: unknown, all: unknown, above: PropertyPath): Complaint[] {
  if (!isFields(given) || Object.keys(given).length === 0) return [];
  const path: PropertyPath = [...above, 'tls'];
  const unknown = list(given['alpn']).flatMap((name, i): Complaint[] => {
    if (typeof name !== 'string' || alpnNames.includes(name)) return [];
    const at = [...path, 'alpn', i];
    const message = `${showPath(at)}: expected one of ${alpnNames.join(', ')}, not ${showValue(name)}`;
    return [{ code: 'config/unknown-value', message, path: at }];
  });
  const addresses = list(all).map(addressOf);
  const secure = addresses.some((one) => isOriginProblem(one) || offerOf(one.scheme) !== null);
  if (secure || addresses.length === 0) return unknown;
  const message = `${showPath(path)}: no origin here is spoken to over TLS: its URL has to begin with https:// or h2://`;
  return [...unknown, { code: 'config/bad-value', message, path, at: 'key' }];
}

function hasRoot(cgi: unknown): boolean {
  return isFields(cgi) && cgi['root'] !== undefined && cgi['root'] !== '' && cgi['root'] !== '/';
}

function checks(given: unknown, all: unknown, above: PropertyPath): Complaint[] {
  const check = checkSchema.safeParse(given).data;
  if (check == null) return [];
  const path = [...above, 'check'];
  const problem = checkProblem(check);
  if (problem !== undefined) {
    const message = `${showPath(path)}: ${problem.message}`;
    const code = problem.option === 'timeout' ? 'config/out-of-range' : 'config/bad-value';
    return [{ code, message, path: [...path, problem.option] }];
  }
  for (const one of list(all)) {
    const address = addressOf(one);
    if (isOriginProblem(address)) continue;
    if (address.program !== undefined) {
      const message = `${showPath(path)}: there is nobody to ask: ${originName(address)} is started anew for each request. Leave it out; \`eject\` goes by what requests meet`;
      return [{ code: 'config/bad-value', message, path }];
    }
    if (canCheck(check.type, address.scheme)) continue;
    const others = checksFor(address.scheme).map((type) => `\`${type}\``);
    const message =
      `${showPath(path)}: ${check.type} cannot ask ${address.scheme} origins such as ${originName(address)}` +
      `; ${others.join(' and ')} can: write \`{ type: ${others[0]?.slice(1, -1)}, … }\``;
    return [{ code: 'config/bad-value', message, path }];
  }
  return [];
}

function ejections(given: unknown, above: PropertyPath): Complaint[] {
  const result = ejectSchema.safeParse(given);
  if (!isFields(given) || !result.success || result.data.first <= result.data.longest) return [];
  const path = [...above, 'eject', given['first'] === undefined ? 'longest' : 'first'];
  const message = `${showPath([...above, 'eject'])}: "first" is longer than "longest"`;
  return [{ code: 'config/out-of-range', message, path }];
}

function rests(given: unknown, above: PropertyPath): Complaint[] {
  const result = disableTimeSchema.safeParse(given);
  if (!isFields(given) || !result.success || result.data.first <= result.data.most) return [];
  const path = [...above, 'disableTime', given['first'] === undefined ? 'most' : 'first'];
  const message = `${showPath([...above, 'disableTime'])}: "first" is longer than "most"`;
  return [{ code: 'config/out-of-range', message, path }];
}

function routes(input: Fields): Complaint[] {
  const given = input['routes'];
  const names = isFields(input['upstreams']) ? Object.keys(input['upstreams']) : [];
  if (given === undefined) return unrouted(input, names);
  if (!Array.isArray(given)) return [];
  if (given.length === 0) {
    return [
      {
        code: 'config/no-routes',
        message: 'routes: the list is empty: every request would be answered 404',
        path: ['routes'],
      },
    ];
  }
  const parsed = given.map((one): RouteOptions | undefined => routeSchema.safeParse(one).data);
  return given.flatMap((one: unknown, i): Complaint[] => {
    if (!isFields(one)) return [];
    const path = ['routes', i];
    return [...action(one, path, names), ...unreachable(parsed, i), ...body(one['respond'], [...path, 'respond'])];
  });
}

function unrouted(input: Fields, names: readonly string[]): Complaint[] {
  const given = input['upstreams'];
  if (names.length === 1 || (given !== undefined && !isFields(given))) return [];
  const message =
    names.length === 0
      ? 'nothing to serve: there are no upstreams and no routes'
      : `which requests go where? With ${names.length} upstreams (${names.join(', ')}) there have to be routes`;
  return [{ code: 'config/no-routes', message, path: names.length === 0 ? [] : ['upstreams'], at: 'key' }];
}

function action(route: Fields, path: PropertyPath, names: readonly string[]): Complaint[] {
  const actions = ['to', 'respond', 'redirect'].filter((key) => route[key] !== undefined);
  if (actions.length === 0) {
    const message = `${showPath(path)}: what happens to these requests? One of "to", "respond" and "redirect" is needed`;
    return [{ code: 'config/no-action', message, path }];
  }
  const found: Complaint[] = actions.slice(1).map((key) => ({
    code: 'config/two-actions',
    message: `${showPath(path)}: a route has one of "to", "respond" and "redirect": there is ${JSON.stringify(actions[0])} already`,
    path: [...path, key],
    at: 'key',
  }));
  const { authorize } = route;
  if (authorize !== undefined && route['to'] === undefined) {
    const message = `${showPath(path)}: "authorize" is for a route with "to"`;
    found.push({ code: 'config/bad-value', message, path: [...path, 'authorize'], at: 'key' });
  }
  const by: [unknown, PropertyPath] = isFields(authorize)
    ? [authorize['by'], [...path, 'authorize', 'by']]
    : [authorize, [...path, 'authorize']];
  return [...found, ...unknownUpstream(route['to'], [...path, 'to'], names), ...unknownUpstream(...by, names)];
}

function unknownUpstream(name: unknown, path: PropertyPath, names: readonly string[]): Complaint[] {
  if (typeof name !== 'string' || names.includes(name)) return [];
  const meant = nearest(name, names);
  const hint =
    meant !== undefined
      ? `; did you mean ${JSON.stringify(meant)}?`
      : names.length === 0
        ? ': there are no upstreams'
        : `; there are ${names.join(', ')}`;
  const message = `${showPath(path)}: no upstream is named ${showValue(name)}${hint}`;
  return [{ code: 'config/unknown-upstream', message, path }];
}

function unreachable(parsed: readonly (RouteOptions | undefined)[], i: number): Complaint[] {
  const route = parsed[i];
  if (route === undefined) return [];
  const earlier = parsed.findIndex((other, at) => at < i && other !== undefined && shadows(other.match, route.match));
  if (earlier < 0) return [];
  const why =
    Object.keys(parsed[earlier]?.match ?? {}).length === 0
      ? ', which takes every request'
      : ', which takes all of its requests';
  const message = `routes[${i}]: never reached: it comes after routes[${earlier}]${why}`;
  return [{ code: 'config/unreachable-route', message, path: ['routes', i] }];
}

function body(respond: unknown, path: PropertyPath): Complaint[] {
  if (!isFields(respond) || typeof respond['body'] !== 'string' || respond['body'] === '') return [];
  if (!WITHOUT_BODY.includes(respond['status'] as number)) return [];
  const message = `${showPath(path)}: an answer with status ${String(respond['status'])} has no body`;
  return [{ code: 'config/no-body', message, path: [...path, 'body'] }];
}

function list(given: unknown): unknown[] {
  return Array.isArray(given) ? given : given === undefined ? [] : [given];
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
