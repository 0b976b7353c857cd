import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { duration } from '../core/kind.ts';
import type { Origin } from '../core/origin.ts';
import type { Ask, Balancer, BalancerKind, BalancerTools, KeySource } from './balancer.ts';
import { crc32 } from './crc32.ts';
import { drawn, RandomTwo } from './random-two.ts';
import { Rendezvous } from './rendezvous.ts';
import { type Tier, Tiered } from './tier.ts';

const options = z.strictObject({
  by: z
    .enum(['cookie', 'address'])
    .default('cookie')
    .describe('How a client is known again: by a cookie that sluice sets, or by its IP address.'),
  cookie: z
    .string()
    .regex(/^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/, "a cookie name is made of letters, digits and -!#$%&'*+.^_`|~")
    .default('sluice')
    .describe('Name of the cookie. Upstreams that share a host name need different ones.'),
  maxAge: duration('How long the client keeps the cookie, from when it was set; 0: until the browser is closed.', 0),
  path: z
    .string()
    .regex(/^\/[\x20-\x3a\x3c-\x7e]*$/, 'a cookie path starts with / and holds neither ; nor control characters')
    .default('/')
    .describe('The path below which the client sends the cookie.'),
  secure: z
    .boolean()
    .default(false)
    .describe('The client sends the cookie over TLS only. Set it when the site has no plain http.'),
  httpOnly: z.boolean().default(true).describe('Scripts in the page cannot read the cookie.'),
  sameSite: z
    .enum(['lax', 'strict', 'none'])
    .default('lax')
    .describe('Whether other sites that embed this one cause the cookie to be sent. none makes the cookie secure too.'),
  secret: z
    .string()
    .refine((text) => text === '' || text.length >= 16, 'a secret has at least 16 characters')
    .default('')
    .meta({ secret: true })
    .describe(
      'Key of the cookie values. Without it they are valid for the life of one process: ' +
        'set it when several processes serve the site, or when clients should stay where they are over a restart.',
    ),
});
type Options = z.output<typeof options>;

export const sticky = {
  name: 'sticky',
  about:
    'A client stays with the origin that served it first, by cookie or address. For applications with sessions in memory.',
  options,
  because: ({ by, cookie }, choice) => {
    if (by === 'address') return 'the client address leads there, always';
    return choice.key === ''
      ? `the request has no cookie ${cookie}, so it is a new client's: ${drawn(choice)}, and stays there by cookie`
      : `its cookie ${cookie} leads there if it is valid; if not, a new one is drawn at random, as for a new client`;
  },
  create(given, tools: BalancerTools): Balancer {
    if (given.by === 'address') return new Tiered('address', (origins) => new ByAddress(origins));
    return new ByCookie(given, tools);
  },
} as const satisfies BalancerKind<typeof options>;

class ByAddress implements Tier {
  readonly #rendezvous: Rendezvous;

  constructor(origins: readonly Origin[]) {
    this.#rendezvous = new Rendezvous(origins);
  }

  choose(ask: Ask): Origin | undefined {
    return this.#rendezvous.elect(crc32(ask.key), ask);
  }
}

/** Characters of a token: 24 bytes as base64url. The first 8 find the origin, the others prove that we wrote it. */
const TOKEN = 32;
const SELECTOR = 8;

interface Mark {
  readonly origin: Origin;
  readonly token: string;
  readonly bytes: Uint8Array;
}

/**
 * The cookie's value is a keyed hash of the origin's name. It says nothing about the address, and it is its own
 * signature: who has not been sent to an origin cannot name it. It is looked up by its first characters, which are
 * worthless alone, and then compared in constant time, once.
 *
 * A client whose origin is not usable gets another one, and a new cookie: it does not wander back.
 */
class ByCookie implements Balancer {
  readonly key: KeySource;
  readonly #secret: string | Uint8Array;
  readonly #before: string;
  readonly #after: string;
  readonly #strangers: Balancer;
  /** The value in question, as bytes; scratch space. */
  readonly #value = Buffer.alloc(TOKEN);
  #bySelector = new Map<string, Mark>();
  #byOrigin = new Map<Origin, Mark>();

  constructor(given: Options, tools: BalancerTools) {
    this.key = `cookie:${given.cookie}`;
    this.#secret = given.secret === '' ? (tools.secret ?? secretOfProcess()) : given.secret;
    this.#before = `${given.cookie}=`;
    this.#after = attributes(given);
    this.#strangers = new Tiered('none', (origins) => new RandomTwo(origins, tools));
  }

  update(origins: readonly Origin[]): void {
    const marks = origins.map((origin) => this.#mark(origin));
    this.#bySelector = new Map(marks.map((mark) => [mark.token.slice(0, SELECTOR), mark]));
    this.#byOrigin = new Map(marks.map((mark) => [mark.origin, mark]));
    this.#strangers.update(origins);
  }

  pick(ask: Ask): Origin | undefined {
    const home = this.#home(ask.key);
    return home !== undefined && ask.usable(home) ? home : this.#strangers.pick(ask);
  }

  stamp(key: string, origin: Origin): string | undefined {
    if (this.#home(key) === origin) return undefined;
    const mark = this.#byOrigin.get(origin);
    // An origin that has left since: its cookie would be worthless.
    return mark && this.#before + mark.token + this.#after;
  }

  /** The origin that this cookie value names, if we wrote it. */
  #home(value: string): Origin | undefined {
    if (value.length !== TOKEN) return undefined;
    const mark = this.#bySelector.get(value.slice(0, SELECTOR));
    if (mark === undefined) return undefined;
    this.#value.write(value, 'latin1');
    return timingSafeEqual(this.#value, mark.bytes) ? mark.origin : undefined;
  }

  #mark(origin: Origin): Mark {
    const token = createHmac('sha256', this.#secret)
      .update(`sluice sticky ${origin.name}`)
      .digest('base64url')
      .slice(0, TOKEN);
    return { origin, token, bytes: Buffer.from(token, 'latin1') };
  }
}

/** RFC 6265 §4.1.1 and, for SameSite, its successor. Browsers drop `SameSite=None` cookies that are not `Secure`. */
function attributes(given: Options): string {
  const sameSite = { lax: 'Lax', strict: 'Strict', none: 'None' }[given.sameSite];
  const age = given.maxAge > 0 ? `; Max-Age=${Math.ceil(given.maxAge / 1000)}` : '';
  const secure = given.secure || given.sameSite === 'none' ? '; Secure' : '';
  return `; Path=${given.path}${age}${secure}${given.httpOnly ? '; HttpOnly' : ''}; SameSite=${sameSite}`;
}

/** One for all upstreams, made when first needed, so that a reload of the config does not send clients elsewhere. */
let processSecret: Uint8Array | undefined;
function secretOfProcess(): Uint8Array {
  return (processSecret ??= randomBytes(32));
}
