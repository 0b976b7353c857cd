import type { KeySource } from '../balance/balancer.ts';
import type { Request } from '../core/request.ts';

/** What a balancer chooses by: see `KeySource`. */
export function keyOf(source: KeySource, request: Request, address: string): string {
  switch (source) {
    case 'none':
      return '';
    case 'path':
      return request.path ?? '';
    case 'uri':
      return request.target;
    case 'address':
      return address;
    default: {
      const name = source.slice(source.indexOf(':') + 1);
      return (source.startsWith('header:') ? request.fields.get(name) : request.cookie(name)) ?? '';
    }
  }
}
