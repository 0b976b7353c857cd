/** Fewer routes are found as fast by trying them. */
const FEW = 8;

interface Hosted {
  /** Exact names and `*.name`; `undefined` for routes that take every host. */
  readonly hosts: readonly string[] | undefined;
}

/**
 * Of many routes, those that can match a host, in order: one look-up instead of a comparison per route. A host that no
 * route names gets the routes that name none, or only by `*`. The routes still check the host themselves.
 */
export function indexByHost<Route extends Hosted>(routes: readonly Route[]): (host: string) => readonly Route[] {
  const named = new Map<string, Route[]>();
  for (const { hosts = [] } of routes) for (const host of hosts) if (!host.startsWith('*')) named.set(host, []);
  if (routes.length <= FEW || named.size === 0) return () => routes;
  const open: Route[] = [];
  // Exact routes go to their own hosts only; the others to all of them, so that the order stays.
  for (const route of routes) {
    const exact = new Set(route.hosts?.filter((host) => !host.startsWith('*')));
    const wide = route.hosts === undefined || route.hosts.length > exact.size;
    if (wide) open.push(route);
    for (const host of wide ? named.keys() : exact) named.get(host)?.push(route);
  }
  return (host) => named.get(host) ?? open;
}
