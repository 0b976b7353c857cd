import { nearest } from '../config/nearest.ts';
import type { Operation } from './operation.ts';
import { Refusal } from './problem.ts';

export interface Found {
  readonly operation: Operation;
  readonly params: Readonly<Record<string, string>>;
}

/** The segments of a path, decoded one by one: an escaped slash is part of a name. */
function segmentsOf(path: string): string[] {
  return path
    .slice(1)
    .split('/')
    .map((segment) => {
      let text: string;
      try {
        text = decodeURIComponent(segment);
      } catch {
        throw new Refusal('bad-path', `${JSON.stringify(segment.slice(0, 80))} has a bad escape`);
      }
      if (/[\x00-\x1f\x7f]/.test(text)) throw new Refusal('bad-path', 'the path has a control character');
      return text;
    });
}

/** Finds the operation of a path and method; `wrong-method` comes with the methods there are. */
export function route(operations: readonly Operation[], method: string, path: string): Found {
  const segments = segmentsOf(path);
  const here = operations.flatMap((operation): Found[] => {
    const params = match(operation.path, segments);
    return params === undefined ? [] : [{ operation, params }];
  });
  if (here.length === 0) {
    const meant = nearest(path, new Set(operations.map((one) => one.path)));
    throw new Refusal(
      'unknown-path',
      meant === undefined ? undefined : `there is nothing at this path; did you mean ${meant}?`,
    );
  }
  const found = here.find(({ operation }) => operation.method === (method === 'HEAD' ? 'GET' : method));
  if (found === undefined) throw new WrongMethod(here.map(({ operation }) => operation.method));
  return found;
}

/** Carries what Allow has to say. */
export class WrongMethod extends Refusal {
  readonly allow: string;

  constructor(methods: readonly string[]) {
    const allow = [...methods, ...(methods.includes('GET') ? ['HEAD'] : [])].join(', ');
    super('wrong-method', `this path has ${allow}`);
    this.allow = allow;
  }
}

function match(pattern: string, segments: readonly string[]): Record<string, string> | undefined {
  const parts = pattern.slice(1).split('/');
  if (parts.length !== segments.length) return undefined;
  const params: Record<string, string> = {};
  for (const [i, part] of parts.entries()) {
    const segment = segments[i];
    if (part.startsWith('{')) {
      // A client that resolves dots would have come to another path.
      if (segment === '' || segment === '.' || segment === '..') return undefined;
      params[part.slice(1, -1)] = segment;
    } else if (part !== segment) {
      return undefined;
    }
  }
  return params;
}
