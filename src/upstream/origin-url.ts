import { defaultPort, type OriginAddress } from '../core/origin.ts';
import { parseAddress } from '../core/networks.ts';

/** Why an origin cannot be used as it is written. */
export interface OriginProblem {
  readonly code: 'config/bad-url' | 'config/scheme';
  readonly message: string;
  /** The part of the text that is wrong. */
  readonly within?: string;
  /** Texts one of which was probably meant. */
  readonly near?: readonly string[];
  /** The text holds a password. */
  readonly secret?: boolean;
  /** Only the port is missing, of an origin that speaks this. */
  readonly portless?: string;
}

/** Protocols that other proxies have, and later releases of this one. */
const LATER = new Set(['exec', 'dialin']);

const HOST_NAME = /^(?!(?:.*\.)?\d+\.?$)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?$/i;

/** The name of SRV records; `srv:80` is a port of a machine called srv. */
const SERVICE = /^(?:(?<scheme>[a-z][a-z0-9.-]*)\+srv:|srv:(?!\d+$))(?<name>.*)$/is;

/** A host may have the name of a scheme, and then a port. */
const PROGRAM = /^(?<scheme>[a-z][a-z0-9.-]*):(?!\d+$)(?<path>.*)$/is;

/**
 * Reads an origin: `http://host:port`, `http+unix:/path` or `unix:/path`, `srv:name` or `http+srv:name`, `host:port`, or
 * a port of this machine. Without a scheme it is the first of `schemes`. With one of `programs` it is `cgi:/path`, or `cgi:`.
 */
export function parseOrigin(
  text: string,
  all: readonly string[],
  programs: readonly string[] = [],
): OriginAddress | OriginProblem {
  const run = PROGRAM.exec(text)?.groups;
  if (run !== undefined && programs.includes((run['scheme'] ?? '').toLowerCase())) {
    return program((run['scheme'] ?? '').toLowerCase(), run['path'] ?? '');
  }
  // Nobody listens anywhere for these.
  const schemes = all.filter((one) => !programs.includes(one));
  const [standard = 'http'] = schemes;
  if (/^\d+$/.test(text)) return withPort(standard, '127.0.0.1', text);
  const service = SERVICE.exec(text)?.groups;
  if (service !== undefined) {
    const speaks = (service['scheme'] ?? standard).toLowerCase();
    return schemes.includes(speaks) ? records(speaks, service['name'] ?? '') : unknownScheme(speaks, schemes);
  }
  const scheme = /^([a-z][a-z0-9+.-]*):(?=\/)/i.exec(text)?.[1]?.toLowerCase();
  const unix = scheme === 'unix' ? standard : scheme?.endsWith('+unix') === true ? scheme.slice(0, -5) : undefined;
  const known = unix ?? scheme ?? standard;
  if (!schemes.includes(known)) return unknownScheme(known, schemes);
  if (unix !== undefined) return socket(unix, text.slice(text.indexOf(':') + 1));
  if (scheme === undefined) return authority(standard, text, schemes);
  const rest = text.slice(scheme.length + 1);
  if (!rest.startsWith('//')) return bad(`expected ${scheme}://HOST:PORT, or ${scheme}+unix:/path of a socket`);
  if (/^\/\/unix:/i.test(rest)) return bad(`an origin on a unix socket is written ${scheme}+unix:/path`);
  const end = rest.slice(2).search(/[/?#]/);
  const tail = end < 0 ? '' : rest.slice(2 + end);
  if (tail !== '' && tail !== '/') {
    return bad('an origin is an address: the path of the request is sent as it came', tail);
  }
  return authority(scheme, end < 0 ? rest.slice(2) : rest.slice(2, 2 + end), schemes);
}

export function isOriginProblem(result: OriginAddress | OriginProblem): result is OriginProblem {
  return 'message' in result;
}

/** Whether the host is a name that DNS may lead somewhere. localhost is this machine whatever DNS says (RFC 6761 §6.3). */
export function hasName({ host, path, program: run }: OriginAddress): boolean {
  return (
    path === undefined && run === undefined && parseAddress(host) === undefined && !/(?:^|\.)localhost\.?$/.test(host)
  );
}

function authority(scheme: string, text: string, schemes: readonly string[]): OriginAddress | OriginProblem {
  const at = text.lastIndexOf('@');
  if (at >= 0) return { ...bad('an origin has no user name or password', text.slice(0, at + 1)), secret: true };
  const parts = /^(?:\[(?<v6>[^\]]*)\]|(?<name>[^:[\]]*))(?::(?<port>[^:]*))?$/.exec(text)?.groups;
  if (parts === undefined) {
    return bad(
      text.split(':').length > 2 ? 'an IPv6 address stands in brackets, as in [::1]:3000' : 'expected HOST:PORT',
    );
  }
  const { v6, name = '', port } = parts;
  if (schemes.includes(name.toLowerCase()) && port !== undefined && !/^\d+$/.test(port)) {
    return bad(`expected ${name.toLowerCase()}://HOST:PORT`);
  }
  if (v6 !== undefined && (!v6.includes(':') || parseAddress(v6) === undefined)) return bad('bad IPv6 address', v6);
  if (v6 === undefined && parseAddress(name) === undefined && !HOST_NAME.test(name)) {
    if (name.startsWith('/')) return bad(`an origin on a unix socket is written unix:${text}`);
    return name === '' ? bad('the host is missing') : bad('bad host name or IP address', name);
  }
  const host = (v6 ?? name).toLowerCase();
  return withPort(scheme, host, port ?? String(defaultPort(scheme) || ''));
}

function withPort(scheme: string, host: string, text: string): OriginAddress | OriginProblem {
  if (text === '') return { ...bad('the port is missing'), portless: scheme };
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65_535) return bad('expected a port from 1 to 65535', text);
  return { scheme, host, port };
}

function program(scheme: string, text: string): OriginAddress | OriginProblem {
  const path = text.startsWith('///') ? text.slice(2) : text;
  if (path === '') return { scheme, host: '', port: 0, program: '' };
  if (!path.startsWith('/') || path.startsWith('//')) {
    return bad(
      `expected the path of a program, as in ${scheme}:/usr/lib/app, or ${scheme}: alone for scripts below cgi.root`,
    );
  }
  if (path.endsWith('/')) return bad(`a folder cannot be run: for the scripts in it write ${scheme}: and cgi.root`);
  if (path.includes('\0')) return bad('a path holds no NUL');
  return { scheme, host: '', port: 0, program: path };
}

function socket(scheme: string, text: string): OriginAddress | OriginProblem {
  const path = text.startsWith('///') ? text.slice(2) : text;
  if (path.startsWith('//')) return bad('the path of a socket starts with one slash, as in unix:/run/app.sock');
  if (path === '/') return bad('the path of the socket is missing, as in unix:/run/app.sock');
  if (Buffer.byteLength(path) > 107) return bad('the path of a unix socket has at most 107 bytes');
  return { scheme, host: '', port: 0, path };
}

/** `srv://name/` is read too: people write URLs that way. */
function records(scheme: string, text: string): OriginAddress | OriginProblem {
  const name = text.replace(/^\/\/(.*?)\/?$/s, '$1').toLowerCase();
  if (name === '') return bad('the name of the SRV records is missing, as in srv:_http._tcp.app.example');
  const [, before, port] = /^([^:/]*):(\d*)$/.exec(name) ?? [];
  if (port !== undefined) return bad(`SRV records tell the port: write srv:${before}`, `:${port}`);
  if (name.includes('@')) return { ...bad('an origin has no user name or password', name), secret: true };
  if (parseAddress(name) !== undefined || /^\[.*\]$/.test(name)) return bad('an IP address has no SRV records', name);
  const labels = name.replace(/\.$/, '').split('.');
  const fits = name.length <= 253 && labels.every((label) => label !== '' && label.length <= 63);
  if (!HOST_NAME.test(name) || !fits)
    return bad('bad name of SRV records, expected one such as _http._tcp.app.example');
  return { scheme, host: labels.join('.'), port: 0, srv: true };
}

/** What others call what is here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  http2: 'write h2:// over TLS, h2c:// without',
  grpc: 'gRPC is h2c:// here',
  grpcs: 'gRPC over TLS is h2:// here',
  spawn: 'a process is written { spawn: { command: … } }',
};

function unknownScheme(scheme: string, schemes: readonly string[]): OriginProblem {
  const hint = Object.hasOwn(ELSEWHERE, scheme) ? ELSEWHERE[scheme] : undefined;
  if (hint !== undefined) {
    return { code: 'config/scheme', message: `unknown scheme ${scheme}: ${hint}`, within: scheme };
  }
  const known = `speaks ${schemes.join(', ')}`;
  if (LATER.has(scheme)) {
    return {
      code: 'config/scheme',
      message: `${scheme} origins are not in this release, which ${known}`,
      within: scheme,
    };
  }
  return {
    code: 'config/scheme',
    message: `unknown scheme ${scheme}: this release ${known}`,
    within: scheme,
    near: schemes,
  };
}

function bad(message: string, within?: string): OriginProblem {
  return within === undefined ? { code: 'config/bad-url', message } : { code: 'config/bad-url', message, within };
}
