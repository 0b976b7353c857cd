import { Board } from '../../src/core/board.ts';
import { Networks } from '../../src/core/networks.ts';
import type { ClientAddress, Front } from '../../src/core/exchange.ts';
import { Exchange } from '../../src/core/exchange.ts';
import { requestOf } from './request.ts';

/** Who asks: a client on 192.0.2.1 that nobody trusts, unless said otherwise. */
export function clientOf(some: Partial<ClientAddress> = {}): ClientAddress {
  return {
    address: '192.0.2.1',
    port: 40_000,
    listener: 'web',
    scheme: 'http',
    localPort: 8080,
    localAddress: '192.0.2.80',
    trusted: false,
    meter: new Board().meter,
    lines: '',
    proxies: new Networks([]),
    ...some,
  };
}

/** An exchange whose client's side is only an address: for rooms that look at it and do nothing. */
export function exchangeOf(client: Partial<ClientAddress>, ...head: string[]): Exchange {
  const front = { client: clientOf(client) } as unknown as Front;
  return new Exchange(front, requestOf(...head), 1000);
}
