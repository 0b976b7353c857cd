import { isDeepStrictEqual } from 'node:util';
import type { Config, UpstreamConfig } from '../config/config.ts';
import { originName } from '../core/origin.ts';

/** One thing that a reload does. */
export interface Change {
  readonly action: 'add' | 'remove' | 'change';
  readonly what:
    | 'listener'
    | 'upstream'
    | 'origin'
    | 'route'
    | 'routes'
    | 'log'
    | 'headers'
    | 'limits'
    | 'admin'
    | 'resolver';
  /** The name of a listener, upstream or route (`#3` where it has none), `upstream origin` for an origin; '' where there is only one. */
  readonly name: string;
  /** What about it changes, as option names; '' for all of it. */
  readonly options: string;
}

/** What it takes to come from one config to another. What is not in the list is not touched. */
export function plan(from: Config, to: Config): Change[] {
  return [
    ...named('listener', byAddress(from.listen), byAddress(to.listen), (one) => one.name),
    ...named('upstream', from.upstreams, to.upstreams, (_, name) => name),
    ...Object.entries(to.upstreams).flatMap(([name, upstream]) => originChanges(name, from.upstreams[name], upstream)),
    ...routeChanges(from.routes, to.routes),
    ...single('log', from.log, to.log),
    ...single('headers', from.headers, to.headers),
    ...single('resolver', from.resolver, to.resolver),
    ...single('admin', from.admin, to.admin),
    ...single('limits', [from.limits, from.timeouts.drain], [to.limits, to.timeouts.drain]),
  ];
}

/** Parts of an upstream that are told one by one, or follow from how its children are. */
const COMES_AND_GOES: readonly string[] = ['origins', 'children'];

/** `change upstream app: queue, timeouts`, for logs and people. */
export function showChange({ action, what, name, options }: Change): string {
  return `${action} ${what}${name === '' ? '' : ` ${name}`}${options === '' ? '' : `: ${options}`}`;
}

/** Two listeners are the same one when they have the same address. */
export function addressKey(listener: Config['listen'][number]): string {
  const { address } = listener;
  return address.kind === 'unix' ? `unix:${address.path}` : `${address.host}:${address.port}`;
}

function byAddress(listeners: Config['listen']): Record<string, Config['listen'][number]> {
  return Object.fromEntries(listeners.map((listener) => [addressKey(listener), listener]));
}

function named<Value extends object>(
  what: 'listener' | 'upstream',
  from: Readonly<Record<string, Value>>,
  to: Readonly<Record<string, Value>>,
  nameOf: (value: Value, key: string) => string,
): Change[] {
  const gone = Object.entries(from)
    .filter(([key]) => !Object.hasOwn(to, key))
    .map(([key, value]): Change => ({ action: 'remove', what, name: nameOf(value, key), options: '' }));
  const here = Object.entries(to).flatMap(([key, value]): Change[] => {
    const name = nameOf(value, key);
    const before = Object.hasOwn(from, key) ? from[key] : undefined;
    if (before === undefined) return [{ action: 'add', what, name, options: '' }];
    const options = differing(before, value).filter((option) => !COMES_AND_GOES.includes(option));
    return options.length === 0 ? [] : [{ action: 'change', what, name, options: options.join(', ') }];
  });
  return [...gone, ...here];
}

function originChanges(upstream: string, from: UpstreamConfig | undefined, to: UpstreamConfig): Change[] {
  if (from === undefined) return [];
  const keyed = (list: UpstreamConfig['origins']) => new Map(list.map((one) => [originName(one.address), one]));
  const before = keyed(from.origins);
  const after = keyed(to.origins);
  const change = (action: Change['action'], name: string, options = ''): Change => ({
    action,
    what: 'origin',
    name: `${upstream} ${name}`,
    options,
  });
  const gone = [...before.keys()].filter((name) => !after.has(name)).map((name) => change('remove', name));
  const here = [...after].flatMap(([name, origin]): Change[] => {
    const old = before.get(name);
    if (old === undefined) return [change('add', name)];
    const options = differing(old, origin).filter((option) => option !== 'url');
    return options.length === 0 ? [] : [change('change', name, options.join(', '))];
  });
  return [...gone, ...here];
}

/**
 * Routes that come, go and change. One with a name of its own is known by it, others by what they say: they have no
 * identity, so a changed one is one that goes and another that comes. `change routes: order` when only that differs.
 */
function routeChanges(from: Config['routes'], to: Config['routes']): Change[] {
  if (isDeepStrictEqual(from, to)) return [];
  const change = (action: Change['action'], name: string, options = ''): Change => ({
    action,
    what: 'route',
    name,
    options,
  });
  const nameOf = (route: Config['routes'][number], list: Config['routes']): string =>
    route.name ?? `#${list.indexOf(route) + 1}`;
  const rest = [...to];
  const gone: Change[] = [];
  const changed: Change[] = [];
  for (const route of from) {
    const same = rest.findIndex((other) => isDeepStrictEqual(other, route));
    const at = same >= 0 ? same : rest.findIndex(({ name }) => name !== undefined && name === route.name);
    if (at < 0) gone.push(change('remove', nameOf(route, from)));
    else {
      const [other] = rest.splice(at, 1);
      if (same < 0) changed.push(change('change', nameOf(other, to), differing(route, other).join(', ')));
    }
  }
  const here = rest.map((route) => change('add', nameOf(route, to)));
  const all = [...gone, ...changed, ...here];
  return all.length > 0 ? all : [{ action: 'change', what: 'routes', name: '', options: 'order' }];
}

function single(what: Change['what'], from: unknown, to: unknown): Change[] {
  return isDeepStrictEqual(from, to) ? [] : [{ action: 'change', what, name: '', options: '' }];
}

/** The names of the options that are not equal. */
function differing(from: object, to: object): string[] {
  const names = new Set([...Object.keys(from), ...Object.keys(to)]);
  return [...names].filter((name) => !isDeepStrictEqual(from[name as keyof typeof from], to[name as keyof typeof to]));
}
