import type { Answer } from '../core/answer.ts';
import type { Exchange } from '../core/exchange.ts';

/**
 * One rewriting step. Passes run in list order on the way to the origin, once per request however often it is sent,
 * and in list order on the answer's way back, interim answers included.
 */
export interface Pass {
  readonly name: string;
  request?(exchange: Exchange): void;
  answer?(exchange: Exchange, answer: Answer): void;
}
