import { z } from 'zod';
import type { ByteSink } from '../../core/answer.ts';
import { type Pair, written } from '../cgi/environment.ts';
import { scriptOf } from '../cgi/script.ts';
import { type Head, SingleSession } from '../cgi/single.ts';
import type { CodecKind, CodecLimits } from '../codec.ts';

const pair: Pair = (name, value) => (name === 'CONTENT_LENGTH' || name === 'SCGI' ? '' : `${name}\0${value}\0`);

/** A netstring of variables, the length first and always (python.ca/scgi/protocol.txt). No variable holds a NUL. */
const told: Head = (request, target, from) => {
  const script = scriptOf(request, target.cgi);
  if (typeof script === 'string') return script;
  const first = `CONTENT_LENGTH\0${request.framing === 'length' ? request.length : 0}\0SCGI\x001\0`;
  const pairs = first + written(request, target, from, script, pair);
  return { head: `${pairs.length}:${pairs},` };
};

export const scgi = {
  name: 'scgi',
  about: 'SCGI applications',
  schemes: ['scgi'],
  // mod_scgi's examples'.
  usualPort: 4000,
  needsLength: true,
  speaksCgi: true,
  options: z.strictObject({}),
  create: (_options, out: ByteSink, limits: CodecLimits) => new SingleSession(out, limits, told),
} as const satisfies CodecKind;
