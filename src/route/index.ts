import { header } from './matchers/header.ts';
import { host } from './matchers/host.ts';
import { method } from './matchers/method.ts';
import { path } from './matchers/path.ts';
import { query } from './matchers/query.ts';
import { remote } from './matchers/remote.ts';

/** Every condition a route can have, the cheapest to test first: that is the order they are asked in. */
export const matchers = { method, host, path, remote, header, query } as const;

export type MatcherName = keyof typeof matchers;
