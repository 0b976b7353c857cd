import { errorAnswer } from '../core/error-answer.ts';
import { type ErrorCode, errors } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import * as names from '../core/names.ts';

/**
 * Answers an exchange with an error; no answer may have begun.
 *
 * @param retryAfter seconds for `Retry-After`, 0 for none
 * @param cause what an attempt had met before, where waiting for another one has come to nothing
 */
export function refuse(exchange: Exchange, code: ErrorCode, retryAfter = 0, cause: ErrorCode | '' = ''): void {
  exchange.error = code;
  const { fields } = exchange.request;
  const accept = fields.find(names.ACCEPT);
  const made = errorAnswer(code, accept < 0 ? '' : fields.value(accept), exchange.id, retryAfter, cause);
  exchange.front.respond(errors[code].status, made.lines, made.body);
}
