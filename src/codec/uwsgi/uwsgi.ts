import { z } from 'zod';
import type { ByteSink } from '../../core/answer.ts';
import { count } from '../../core/kind.ts';
import { type Pair, written } from '../cgi/environment.ts';
import { scriptOf } from '../cgi/script.ts';
import { type Head, SingleSession } from '../cgi/single.ts';
import type { CodecKind, CodecLimits } from '../codec.ts';

/** The size of the block of variables is a word. */
const MOST = 65_535;

const options = z
  .strictObject({
    modifier1: count(
      'What kind of request it is: 0 is WSGI, 5 PSGI, 7 Rack, 14 and others see the manual of uWSGI.',
      0,
      {
        most: 255,
        off: false,
      },
    ),
    modifier2: count('The second number of that kind; most kinds have none.', 0, { most: 255, off: false }),
  })
  .meta({ title: 'uwsgi' });

const pair: Pair = (name, value) => `${word(name.length)}${name}${word(value.length)}${value}`;

/** modifier1, size, modifier2, then names and values, each after its length; numbers little-endian (uwsgi-docs, Protocol). */
function toldBy({ modifier1, modifier2 }: z.output<typeof options>): Head {
  return (request, target, from) => {
    const script = scriptOf(request, target.cgi);
    if (typeof script === 'string') return script;
    const block = written(request, target, from, script, pair);
    // A value too long for its word makes the block too long as well.
    if (block.length > MOST) return 'head-too-large-for-origin';
    return { head: `${String.fromCharCode(modifier1)}${word(block.length)}${String.fromCharCode(modifier2)}${block}` };
  };
}

const word = (value: number): string => String.fromCharCode(value & 0xff, (value >> 8) & 0xff);

export const uwsgi = {
  name: 'uwsgi',
  about: 'The uwsgi protocol, which uWSGI and gunicorn speak',
  schemes: ['uwsgi'],
  // uWSGI's examples'.
  usualPort: 3031,
  needsLength: true,
  speaksCgi: true,
  options,
  create: (given, out: ByteSink, limits: CodecLimits) => new SingleSession(out, limits, toldBy(given)),
} as const satisfies CodecKind<typeof options>;
