import { parseAddress } from '../core/networks.ts';

/** Where a DNS server listens. */
export interface DnsServer {
  readonly host: string;
  readonly port: number;
}

const DNS_PORT = 53;

/** Reads `IP`, `IP:PORT`, `IPv6` or `[IPv6]:PORT`; `undefined` when it is none of them. */
export function parseServer(text: string): DnsServer | undefined {
  if (parseAddress(text) !== undefined) return { host: text, port: DNS_PORT };
  const { v6, v4, port } = /^(?:\[(?<v6>[^\]]+)\]|(?<v4>[^:[\]]+))(?::(?<port>\d+))?$/.exec(text)?.groups ?? {};
  const host = v6 ?? v4;
  if (host === undefined || parseAddress(host) === undefined || host.includes(':') !== (v6 !== undefined)) {
    return undefined;
  }
  const number = port === undefined ? DNS_PORT : Number(port);
  return number >= 1 && number <= 65_535 ? { host, port: number } : undefined;
}

/** What is wrong with the text of a server, and what to write instead. */
export function serverProblem(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    return 'a DNS server is asked over plain UDP and TCP, and is written as an address: 10.0.0.1, 10.0.0.1:5353 or [fd00::1]:53';
  }
  const port = /:(\d+)$/.exec(text)?.[1];
  const host = port === undefined ? text : text.slice(0, -port.length - 1);
  if (/^[a-z0-9_.-]+$/i.test(host) && /[a-z]/i.test(host)) {
    return 'a DNS server is given by its IP address: its name would have to be asked of itself';
  }
  if (port !== undefined && parseServer(host) !== undefined) return 'expected a port from 1 to 65535';
  return 'expected the IP address of a DNS server, such as 10.0.0.1, 10.0.0.1:5353 or [fd00::1]:53';
}

/** `10.0.0.1` or `10.0.0.1:5353`, brackets around IPv6 with a port. */
export function showServer({ host, port }: DnsServer): string {
  if (port === DNS_PORT) return host;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
