import { connect } from 'node:net';
import type { z } from 'zod';
import type { AnswerSink } from '../core/answer.ts';
import { Board } from '../core/board.ts';
import { errors } from '../core/errors.ts';
import { Networks } from '../core/networks.ts';
import type { OriginAddress } from '../core/origin.ts';
import { Request } from '../core/request.ts';
import { showDuration } from '../core/units.ts';
import { cgiSchema, type CgiOptions } from '../codec/cgi/options.ts';
import type { Asker, CodecKind } from '../codec/codec.ts';
import { RequestHeadParser } from '../codec/http1/request-head.ts';
import { attempt, broken, endpoint, failed } from './attempt.ts';
import type { Check, Finding } from './check.ts';
import { bodyOption, Expectation, hostSchema, MOST_BODY, pathSchema, statusOption } from './expectation.ts';

/** Bounds of an answer: those of a check that speaks HTTP. */
const LIMITS = { head: 64 * 1024, fields: 200 };

/** Options of every check that asks an application in CGI's names. */
export const common = {
  path: pathSchema.default('/').describe('What is asked for: a path, with a query if need be.'),
  host: hostSchema.default('localhost').describe('HTTP_HOST and SERVER_NAME.'),
  env: cgiSchema.shape.env.describe('More variables. One that is named like a variable of the request replaces it.'),
  status: statusOption,
  body: bodyOption,
} as const;

type CommonOptions = z.output<z.ZodObject<typeof common>>;

/** Who asks: sluice itself. */
const ASKER: Asker = {
  remote: '127.0.0.1',
  id: '',
  front: {
    client: {
      address: '127.0.0.1',
      port: 0,
      listener: 'check',
      scheme: 'http',
      localPort: 0,
      localAddress: '',
      trusted: false,
      proxies: new Networks([]),
      meter: new Board().meter,
      lines: '',
    },
  },
};

/**
 * Asks an application for a path, through the same codec as requests, and looks at its answer. A new connection each time.
 *
 * @param kind of the codec
 * @param codecOptions its options
 * @param mounted the path is SCRIPT_NAME instead of PATH_INFO
 */
export function applicationCheck<Kind extends CodecKind>(
  kind: Kind,
  codecOptions: z.output<Kind['options']>,
  { path, host, env, status, body }: CommonOptions,
  mounted: boolean,
): Check {
  const expected = new Expectation(status, body);
  const prefix = mounted ? path.split('?', 1)[0] : '';
  const cgi: CgiOptions = { ...cgiSchema.parse({}), prefix, env };
  const target = { authority: host, replaceHost: true, cgi };
  return {
    probe: (address: OriginAddress, tools) =>
      attempt(tools, (found) => {
        const within = `within ${showDuration(tools.timeout)}`;
        const pieces: Buffer[] = [];
        let length = 0;
        let connected = false;
        /** Once the head is there, and as expected. */
        let good: Finding | undefined;
        const sink: AnswerSink = {
          interim() {},
          head(answer) {
            const judged = expected.status(answer.status);
            if (judged.healthy !== true) return found(judged);
            good = judged;
          },
          body(buffer, start, end) {
            if (good === undefined || length >= MOST_BODY) return;
            length += end - start;
            if (expected.looksAtBody) pieces.push(Buffer.from(buffer.subarray(start, end)));
            if (length >= MOST_BODY) found(expected.body(good, pieces));
          },
          end: () => found(expected.body(good as Finding, pieces)),
          flush: () => true,
          fail(code, detail) {
            if (good !== undefined) return found(failed(`${good.detail}, but the answer was cut off`));
            found(failed(code === 'origin-closed' ? 'closed without an answer' : `${code}${suffix(detail)}`));
          },
        };
        const socket = connect(endpoint(address));
        const out = {
          text: (text: string): void => void socket.write(text, 'latin1'),
          bytes: (buffer: Buffer, start: number, end: number): void =>
            void socket.write(Buffer.from(buffer.subarray(start, end))),
        };
        const session = kind.create(codecOptions, out, LIMITS);
        socket.on('connect', () => {
          connected = true;
          const opened = session.open(requestFor(path, host), target, sink, ASKER);
          if (typeof opened === 'string') found(failed(errors[opened].about.split('.', 1)[0]));
        });
        socket.on('data', (bytes: Buffer) => session.receive(bytes, 0, bytes.length));
        socket.on('end', () => session.eof());
        socket.on('error', (error) => {
          if (good !== undefined) found(failed(`${good.detail}, but the answer was cut off`));
          else found(broken(error, connected ? 'no answer' : 'cannot connect'));
        });
        return {
          late() {
            if (good === undefined) return failed(`${connected ? 'no answer' : 'no connection'} ${within}`);
            // With no body to look for, the status has decided.
            return expected.looksAtBody ? failed(`${good.detail}, but the body did not end ${within}`) : good;
          },
          close: () => void socket.destroy(),
        };
      }),
  };
}

/** What a codec says may repeat what the peer sent. */
function suffix(detail: string | undefined): string {
  return detail === undefined || detail === '' ? '' : `: ${detail.replaceAll(/[^\x20-\x7e]+/g, '?').slice(0, 60)}`;
}

function requestFor(path: string, host: string): Request {
  const request = new Request();
  const bytes = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: sluice-check\r\n\r\n`, 'latin1');
  new RequestHeadParser({ head: Infinity, target: Infinity, fields: 10, underscores: false }).parse(
    bytes,
    0,
    bytes.length,
    request,
  );
  return request;
}
