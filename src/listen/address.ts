import { parseAddress } from '../core/networks.ts';

/** Where a listener listens. */
export type ListenAddress =
  /** `host` '' is every address of the machine, IPv6 and IPv4. Port 0 is any free port. */
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  /** `mode`: permission bits of the socket file, or -1 for what umask leaves. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode: number };

/** Bytes of a unix socket's path, the final NUL left out; 104 on macOS and the BSDs, 108 on Linux. */
const UNIX_PATH = 103;

const ADDRESS = /^(?:(?<v6>\[[0-9a-f:.]+(?:%\w+)?\])|(?<host>[^:[\]]*)):(?<port>\d+)$/i;
/** A last label of digits is an IPv4 address that went wrong, or two ports. */
const HOST_NAME = /^(?!(?:.*\.)?\d+\.?$)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?$/i;

/** `undefined` when the text is no address; `addressProblem` says why. */
export function parseListenAddress(text: string): ListenAddress | undefined {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path === '' || Buffer.byteLength(path) > UNIX_PATH ? undefined : { kind: 'unix', path, mode: -1 };
  }
  if (/^\d+$/.test(text)) return tcp('', text);
  const { v6, host = '', port = '' } = ADDRESS.exec(text)?.groups ?? {};
  if (v6 !== undefined) return known(v6.slice(1, -1)) ? tcp(v6.slice(1, -1), port) : undefined;
  if (host === '' || host === '*') return port === '' ? undefined : tcp('', port);
  return known(host) || HOST_NAME.test(host) ? tcp(host.toLowerCase(), port) : undefined;
}

export function addressProblem(text: string): string {
  if (text.startsWith('unix:')) {
    if (text === 'unix:') return 'the path of the socket is missing, as in unix:/run/sluice.sock';
    return `the path of a unix socket has at most ${UNIX_PATH} bytes`;
  }
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0];
  if (scheme !== undefined) return `a listener has no URL: leave ${scheme} out`;
  if (text.startsWith('/')) return `to listen on a unix socket write unix:${text}`;
  const port = /:(\d+)$/.exec(text)?.[1] ?? (/^\d+$/.test(text) ? text : undefined);
  if (port !== undefined && Number(port) > 65_535) return 'expected a port from 0 to 65535';
  if (/^[0-9a-f]*:[0-9a-f:.]*:\d+$/i.test(text)) return `an IPv6 address stands in brackets, as in [::1]:8080`;
  if (!text.includes(':')) return `the port is missing, as in ${text}:8080`;
  return 'expected PORT, HOST:PORT, [IPv6]:PORT or unix:/path';
}

/** `host:port`, `*:port`, `[v6]:port` or `unix:/path`: one text per address. */
export function showListenAddress(address: ListenAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  const host = address.host === '' ? '*' : address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port}`;
}

function tcp(host: string, port: string): ListenAddress | undefined {
  return Number(port) <= 65_535 ? { kind: 'tcp', host, port: Number(port) } : undefined;
}

function known(address: string): boolean {
  return parseAddress(address) !== undefined;
}
