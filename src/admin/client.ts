import { request } from 'node:http';
import type { ListenAddress } from '../listen/address.ts';
import { problemView } from './problem.ts';

/** Milliseconds until an answer: longer than the longest operation. */
const PATIENCE = 70_000;
/** Bytes of an answer that are taken. */
const MOST = 64 * 1_048_576;

/** Where an admin interface is, and what it wants to see. */
export interface AdminPlace {
  readonly address: ListenAddress;
  readonly token: string | null;
  /** For messages: as the user wrote it. */
  readonly shown: string;
}

/** The admin interface did not answer, or refused. */
export class AdminError extends Error {
  /** A code of the interface, a code of the system (`ECONNREFUSED`), or `no-answer`. */
  readonly code: string;
  /** 0 when there was no answer. */
  readonly status: number;
  readonly problems: readonly string[];

  constructor(code: string, status: number, message: string, problems: readonly string[] = []) {
    super(message);
    this.name = 'AdminError';
    this.code = code;
    this.status = status;
    this.problems = problems;
  }
}

/** A text that is sent as it is, such as a config; everything else goes as JSON. */
export interface Text {
  readonly type: string;
  readonly text: string;
}

/** Asks one operation and returns its answer: parsed JSON, text, or undefined. Throws `AdminError`. */
export async function askAdmin(
  place: AdminPlace,
  method: string,
  path: string,
  body?: object | Text,
): Promise<unknown> {
  const sent =
    body === undefined ? undefined : 'text' in body ? body : { type: 'application/json', text: JSON.stringify(body) };
  const { status, type, text } = await exchange(place, method, path, sent);
  if (status >= 400) throw refused(place, status, type, text);
  if (text === '') return undefined;
  if (!type.startsWith('application/json')) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new AdminError(
      'no-answer',
      status,
      `${place.shown} answered something else than sluice does: is it another program?`,
    );
  }
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

function exchange(place: AdminPlace, method: string, path: string, body: Text | undefined): Promise<Answer> {
  const { address, token } = place;
  const headers: Record<string, string> = {};
  if (token !== null) headers['Authorization'] = `Bearer ${token}`;
  if (body !== undefined) {
    headers['Content-Type'] = body.type;
    headers['Content-Length'] = String(Buffer.byteLength(body.text));
  }
  const where =
    address.kind === 'unix'
      ? { socketPath: address.path, host: 'localhost' }
      : { host: reachable(address.host), port: address.port };
  return new Promise((resolve, reject) => {
    const out = request({ ...where, method, path, headers, agent: false, timeout: PATIENCE });
    out.on('error', (error: NodeJS.ErrnoException) => reject(unreached(place, error)));
    out.on('timeout', () => out.destroy(new AdminError('no-answer', 0, `${place.shown} does not answer`)));
    out.on('response', (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > MOST) out.destroy(new AdminError('no-answer', 0, `${place.shown} answered too much`));
      });
      answer.on('error', (error) => reject(unreached(place, error)));
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, type: answer.headers['content-type'] ?? '', text }),
      );
    });
    out.end(body?.text);
  });
}

/** An address to connect to, for one that is every address of the machine. */
function reachable(host: string): string {
  return host === '' || host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
}

function unreached({ shown }: AdminPlace, error: NodeJS.ErrnoException): AdminError {
  if (error instanceof AdminError) return error;
  const code = error.code ?? 'no-answer';
  const why: Record<string, string> = {
    ECONNREFUSED: 'nobody listens there: is sluice running, with this `admin` in its config?',
    ENOENT: 'there is no such socket: is sluice running, with this `admin` in its config?',
    EACCES: 'no permission to open this socket: run as the user of sluice, or let its config say another `mode`',
    ENOTFOUND: 'no known host name',
    ECONNRESET: 'the connection was reset: it has too many, or is shutting down',
  };
  return new AdminError(code, 0, `${shown}: ${why[code] ?? error.message}`);
}

function refused({ shown, token }: AdminPlace, status: number, type: string, text: string): AdminError {
  const parsed = type.startsWith('application/problem+json') ? problemView.safeParse(attempt(text)) : undefined;
  if (parsed?.success !== true) {
    return new AdminError(
      'no-answer',
      status,
      `${shown} answered ${status}, and not as sluice does: is it another program?`,
    );
  }
  const { code, detail, hint, problems = [] } = parsed.data;
  if (code === 'no-token') {
    return new AdminError(code, status, `${shown} wants a token: set SLUICE_ADMIN_TOKEN, or give --token-file FILE`);
  }
  if (code === 'wrong-token' && token !== null) {
    return new AdminError(code, status, `${shown} has another token than the one given`);
  }
  const told = problems.length > 0 ? detail : `${detail}${/[.?!]$/.test(detail) ? '' : '.'} ${hint}`;
  return new AdminError(code, status, code === 'not-found' || code === 'conflict' ? detail : told, problems);
}

function attempt(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
