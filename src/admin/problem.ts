/**
 * Everything that the admin interface refuses, once: its status, what it is called, and what to do. Codes are stable,
 * wording is not. Answers are `application/problem+json` (RFC 9457).
 */
import { z } from 'zod';

export const problems = {
  'bad-request': row(400, 'The request is not HTTP/1.1 as RFC 9112 has it.', 'Use an HTTP client, such as curl.'),
  'bad-path': row(400, 'The path has a bad escape or a control character.', 'Percent-encode names, as UTF-8.'),
  'bad-json': row(400, 'The body is not JSON.', 'See the position.'),
  'bad-text': row(400, 'The body is not UTF-8.', 'Send it as UTF-8.'),
  'unexpected-body': row(400, 'This operation takes no body.', 'Leave the body out.'),
  'no-token': row(
    401,
    'There is no token.',
    'Send `Authorization: Bearer TOKEN` with the token of `admin` in the config.',
  ),
  'wrong-token': row(401, 'The token is wrong.', 'Use the token of `admin` in the config that is in force.'),
  'host-refused': row(
    403,
    'Host is neither an IP address nor localhost: a web page may be behind this (DNS rebinding).',
    'Use the IP address.',
  ),
  'origin-refused': row(
    403,
    'The request comes from a web page: it has an Origin.',
    'Use a program outside of browsers.',
  ),
  'unknown-path': row(404, 'There is nothing at this path.', 'GET /v1/openapi.json describes what there is.'),
  'not-found': row(404, 'There is no such thing.', 'GET /v1/upstreams lists upstreams and their origins.'),
  'wrong-method': row(405, 'The path has no such method.', 'Use one that Allow names.'),
  'body-timeout': row(408, 'The request did not arrive in time.', 'Send it at once.'),
  conflict: row(409, 'The state of things is against it.', 'Look at what there is, and decide again.'),
  'body-too-large': row(413, 'The body is too large.', 'Send less.'),
  'target-too-long': row(414, 'The path and query are too long.', 'Send them in a body, with POST.'),
  'wrong-type': row(415, 'The body has another type than this operation takes.', 'Set Content-Type.'),
  'unknown-expectation': row(417, 'Expect holds something other than 100-continue.', 'Leave Expect out.'),
  invalid: row(422, 'What is asked for is wrong.', 'Correct it; every fault is listed in `problems`.'),
  'head-too-large': row(431, 'The head of the request is too large.', 'Send fewer and shorter header fields.'),
  failed: row(500, 'A defect in sluice.', 'Please report it with the line in the log.'),
  unavailable: row(503, 'It cannot be done now.', 'Try again later.'),
  busy: row(503, 'Too many changes wait already.', 'Send one after the other.'),
  'too-slow': row(504, 'The operation goes on, but takes too long to wait for.', 'Look whether it took effect.'),
} as const;

export type ProblemCode = keyof typeof problems;

interface Row {
  readonly status: number;
  readonly about: string;
  readonly hint: string;
}

function row(status: number, about: string, hint: string): Row {
  return { status, about, hint };
}

export const problemView = z
  .strictObject({
    type: z.literal('about:blank'),
    title: z.string().describe('What is wrong in general.'),
    status: z.int(),
    detail: z.string().describe('What is wrong here.'),
    code: z.enum(Object.keys(problems) as [ProblemCode, ...ProblemCode[]]).describe('Stable, for programs.'),
    hint: z.string().describe('What to do.'),
    problems: z.array(z.string()).optional().describe('Every fault, when there are several.'),
    line: z.int().min(1).optional().describe('Of bad JSON.'),
    column: z.int().min(1).optional().describe('In characters.'),
  })
  .meta({ id: 'Problem' });

export type ProblemView = z.output<typeof problemView>;

/** What ends an operation with a problem. Nothing was changed by it. */
export class Refusal extends Error {
  readonly code: ProblemCode;
  readonly more: Partial<ProblemView>;

  /** @param detail default: what the code says */
  constructor(code: ProblemCode, detail?: string, more: Partial<ProblemView> = {}) {
    super(detail ?? problems[code].about);
    this.name = 'Refusal';
    this.code = code;
    this.more = more;
  }

  get status(): number {
    return problems[this.code].status;
  }

  view(): ProblemView {
    const { status, about, hint } = problems[this.code];
    return { type: 'about:blank', title: about, status, detail: this.message, code: this.code, hint, ...this.more };
  }
}
