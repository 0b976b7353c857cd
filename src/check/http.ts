import type { Socket } from 'node:net';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { z } from 'zod';
import { authorityOf, type OriginAddress } from '../core/origin.ts';
import { showDuration } from '../core/units.ts';
import { attempt, broken, endpoint, failed, type Underway, withConnection } from './attempt.ts';
import type { Check, CheckKind, Finding, ProbeTools } from './check.ts';
import { bodyOption, Expectation, hostSchema, MOST_BODY, pathSchema, statusOption } from './expectation.ts';

/** Bytes of an answer's head. */
const MOST_HEAD = 64 * 1024;

/** Fields that the check writes itself: they say where the request goes and how it is framed. */
const OWN = [
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

const fieldName = z.string().superRefine((given, context) => {
  const refuse = (message: string): void => context.addIssue({ code: 'custom', input: given, message });
  if (!/^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/.test(given)) refuse('expected a field name');
  else if (given.toLowerCase() === 'host') refuse('the option `host` says which Host is sent');
  else if (OWN.includes(given.toLowerCase())) refuse(`sluice writes \`${given}\` itself`);
});

/** Credentials stand here, so values are not shown. */
const fieldValue = z
  .string()
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'expected one line of Latin-1 text')
  .meta({ secret: true });

const options = z.strictObject({
  path: pathSchema.default('/').describe('What is asked for: a path, with a query if need be.'),
  method: z
    .enum(['GET', 'HEAD', 'OPTIONS', 'POST'])
    .default('GET')
    .describe('Method of the request, which has no body.'),
  host: hostSchema
    .optional()
    .describe("The Host that is sent. Default: the one in the origin's URL; `localhost` for a unix socket."),
  headers: z.record(fieldName, fieldValue).default({}).describe('Further fields of the request.'),
  status: statusOption,
  body: bodyOption,
});
type Options = z.output<typeof options>;

export const http = {
  name: 'http',
  aliases: ['httpchk'],
  about: 'A request is answered with an expected status and, if asked for, body. HTTP/1.1, a new connection each time.',
  schemes: ['http', 'https'],
  slash: 'path',
  options,
  create: (given): Check => new HttpCheck(given),
  problem({ method, body }) {
    if (method !== 'HEAD' || body === undefined) return undefined;
    return { option: 'body', message: 'an answer to HEAD has no body to look at' };
  },
} as const satisfies CheckKind<typeof options>;

class HttpCheck implements Check {
  readonly #options: Options;
  readonly #expected: Expectation;

  constructor(given: Options) {
    this.#options = given;
    this.#expected = new Expectation(given.status, given.body);
  }

  probe(address: OriginAddress, tools: ProbeTools): Promise<Finding> {
    return attempt(tools, (found) =>
      withConnection(address, tools, found, (socket) => this.#ask(address, tools, found, socket)),
    );
  }

  /** @param over a connection that is there already */
  #ask(
    address: OriginAddress,
    tools: ProbeTools,
    found: (finding: Finding) => void,
    over: Socket | undefined,
  ): Underway {
    const sent = this.#request(address, over);
    const within = `within ${showDuration(tools.timeout)}`;
    const lookedAt = this.#expected.looksAtBody;
    let connected = over !== undefined;
    /** The status, once it is there and as expected. */
    let status: Finding | undefined;
    const ended = (otherwise: Finding): void =>
      found(status === undefined ? otherwise : failed(`${status.detail}, but the answer was cut off`));
    sent.on('socket', (socket) => socket.once('connect', () => (connected = true)));
    sent.on('error', (error) => ended(broken(error, connected ? 'no answer' : 'cannot connect')));
    // Nobody asked for another protocol, so this is not an answer; without a listener Node would say only "closed".
    sent.on('upgrade', (answer, socket) => {
      socket.destroy();
      found(this.#status(answer));
    });
    sent.on('response', (answer) => {
      const judged = this.#status(answer);
      answer.on('error', () => ended(judged));
      if (judged.healthy !== true) return found(judged);
      status = judged;
      this.#read(answer, judged, found);
    });
    sent.end();
    return {
      late() {
        if (status === undefined) return failed(`${connected ? 'no answer' : 'no connection'} ${within}`);
        // With no body to look for, the status has decided; the rest is read only so that the origin need not see a reset.
        return lookedAt ? failed(`${status.detail}, but the body did not end ${within}`) : status;
      },
      close: () => sent.destroy(),
    };
  }

  #request(address: OriginAddress, over: Socket | undefined): ClientRequest {
    const { method, path, headers, host = authorityOf(address) } = this.#options;
    const { path: socketPath, ...where } = { path: undefined, ...endpoint(address) };
    return request({
      ...where,
      ...(socketPath === undefined ? {} : { socketPath }),
      method,
      path,
      headers: { Host: host, 'User-Agent': 'sluice-check', ...headers },
      maxHeaderSize: MOST_HEAD,
      // A connection of its own, closed afterwards: what is tested includes that one can be made. Beside one that is there
      // already no agent may stand, not even `false`: it would make another, in clear text.
      ...(over === undefined ? { agent: false } : { createConnection: () => over }),
    });
  }

  #status({ statusCode = 0 }: IncomingMessage): Finding {
    return this.#expected.status(statusCode);
  }

  /** Reads the body as far as it counts. */
  #read(answer: IncomingMessage, status: Finding, found: (finding: Finding) => void): void {
    const chunks: Buffer[] = [];
    let length = 0;
    const judge = (): void => found(this.#expected.body(status, chunks));
    answer.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (this.#expected.looksAtBody) chunks.push(chunk);
      if (length >= MOST_BODY) judge();
    });
    answer.on('end', judge);
  }
}
