import { z } from 'zod';
import type { ByteSink } from '../../core/answer.ts';
import { environment, type Tell } from '../cgi/environment.ts';
import { scriptOf } from '../cgi/script.ts';
import { type Head, SingleSession } from '../cgi/single.ts';
import type { CodecKind, CodecLimits } from '../codec.ts';

/** One thread tells one request at a time. */
let pairs = '';
const tell: Tell = (name, value) => {
  if (name !== 'CONTENT_LENGTH' && name !== 'SCGI') pairs += `${name}\0${value}\0`;
};

/** A netstring of variables, the length first and always (python.ca/scgi/protocol.txt). No variable holds a NUL. */
const told: Head = (request, target, from) => {
  const script = scriptOf(request, target.cgi);
  if (typeof script === 'string') return script;
  pairs = `CONTENT_LENGTH\0${request.framing === 'length' ? request.length : 0}\0SCGI\x001\0`;
  environment(request, target, from, script, tell);
  const head = `${pairs.length}:${pairs},`;
  pairs = '';
  return { head };
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
