/**
 * A request's target as operators see it: the path, and that there was a query, which may hold tokens and personal data;
 * without the name and password that an absolute form may carry.
 */
export function shownTarget(target: string): string {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : `${target.slice(0, mark)}?…`;
  return path.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?]*@/i, '$1');
}
