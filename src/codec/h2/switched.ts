import type { Answer } from '../../core/answer.ts';
import * as names from '../../core/names.ts';

/** Makes of the answer to an extended CONNECT what HTTP/1.1 says to the same (RFC 8441 §5, RFC 6455 §4.2.2). */
export function switched(answer: Answer, accept: string): void {
  answer.status = 101;
  answer.line = '101 Switching Protocols';
  answer.framing = 'none';
  answer.length = -1;
  answer.upgrade = 'websocket';
  answer.fields.dropAll(names.CONTENT_LENGTH);
  answer.fields.set('Sec-WebSocket-Accept', accept);
}
