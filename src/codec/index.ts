import type { CodecKind } from './codec.ts';
import { http1 } from './http1/http1.ts';

/** Every protocol towards origins, the default first. */
export const codecs = [http1] as const satisfies readonly CodecKind[];
