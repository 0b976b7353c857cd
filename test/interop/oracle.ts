/** Sluice, nginx and lighttpd before one origin that writes down what it gets: who does what with the same bytes. */
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { address, folder, listening, start, startSluice, type Address } from './stage.ts';

interface Recorder extends Address {
  /** The messages since the last call, each as one text. */
  taken(): string[];
  /** What it answers, all of it, and whether it closes then. */
  answer: { readonly text: string; readonly close: boolean };
}

/** An origin that takes anything, one message per connection or more, and answers what it is told to. */
async function recorder(t: TestContext): Promise<Recorder> {
  let messages: string[] = [];
  const made: Partial<Recorder> & Pick<Recorder, 'answer'> = { answer: { text: '', close: false } };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = '';
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const end = endOfRequest(text);
      if (end < 0) {
        if (/\r\nexpect: *100-continue\r\n/i.test(text) && text.endsWith('\r\n\r\n'))
          socket.write('HTTP/1.1 100 Continue\r\n\r\n');
        return;
      }
      messages.push(text.slice(0, end));
      text = text.slice(end);
      const { answer } = made;
      socket.write(answer.text, 'latin1');
      if (answer.close) socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  made.taken = () => messages.splice(0);
  messages = [];
  return Object.assign(made, { host: '127.0.0.1', port: (server.address() as AddressInfo).port }) as Recorder;
}

/** Where the first message in a text ends, or -1. */
function endOfRequest(text: string): number {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return -1;
  const length = /\r\ncontent-length: *(\d+)/i.exec(text.slice(0, head + 2))?.[1];
  if (length !== undefined) return text.length >= head + 4 + Number(length) ? head + 4 + Number(length) : -1;
  if (!/\r\ntransfer-encoding: *chunked/i.test(text.slice(0, head + 2))) return head + 4;
  const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text.slice(head + 4));
  return last === null ? -1 : head + 4 + last.index + last[0].length;
}

/** A proxy, and the origin behind it. */
export interface Subject extends Address {
  readonly origin: Recorder;
}

export type Proxy = 'sluice' | 'nginx' | 'lighttpd';

/** The three, each with as few directives as a plain reverse proxy needs. */
export async function proxies(
  t: TestContext,
  programs: { readonly nginx: string; readonly lighttpd: string },
): Promise<Record<Proxy, Subject>> {
  const [one, two, three] = [await recorder(t), await recorder(t), await recorder(t)];
  const sluice = await startSluice(t, { upstreams: { app: { origins: `http://${one.host}:${one.port}` } } });
  return {
    sluice: { ...sluice, origin: one },
    nginx: { ...(await nginxProxy(t, programs.nginx, two)), origin: two },
    lighttpd: { ...(await lighttpdProxy(t, programs.lighttpd, three)), origin: three },
  };
}

async function nginxProxy(t: TestContext, nginx: string, origin: Address): Promise<Address> {
  const path = folder(t);
  const at = await address();
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    join(path, 'nginx.conf'),
    `daemon off; master_process off; pid ${path}/pid; error_log ${path}/error.log; events {}
     http { access_log off; ${temporary.map((one) => `${one}_temp_path ${path}/${one};`).join(' ')}
       server { listen ${at.host}:${at.port}; proxy_http_version 1.1; proxy_request_buffering off;
         location / { proxy_pass http://${origin.host}:${origin.port}; proxy_set_header Host $http_host;
           proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; } } }`,
  );
  const process = start(t, nginx, ['-p', path, '-c', join(path, 'nginx.conf')]);
  await listening(at, process);
  return at;
}

async function lighttpdProxy(t: TestContext, lighttpd: string, origin: Address): Promise<Address> {
  const path = folder(t);
  const at = await address();
  writeFileSync(
    join(path, 'lighttpd.conf'),
    `server.modules = ("mod_proxy")
     server.document-root = "${path}"
     server.bind = "${at.host}"
     server.port = ${at.port}
     server.errorlog = "${path}/error.log"
     server.upload-dirs = ("${path}")
     server.stream-request-body = 1
     server.stream-response-body = 1
     proxy.server = ("" => (("host" => "${origin.host}", "port" => ${origin.port})))`,
  );
  const process = start(t, lighttpd, ['-D', '-f', join(path, 'lighttpd.conf')]);
  await listening(at, process);
  return at;
}

/**
 * One request, and what came of it at each; see `outcome`. `all` where they agree, else the reason why they do not. Where
 * it depends on timing, any of several.
 */
export type Case = {
  readonly name: string;
  readonly send: string;
  /** What the origin answers, when it is not just `ok`. */
  readonly answer?: Recorder['answer'];
  /** Who leaves the client waiting in the middle of its answer. */
  readonly unended?: Proxy;
} & (({ readonly [one in Proxy]: string | readonly string[] } & { readonly why: string }) | { readonly all: string });

/** Fields that proxies add by themselves, or that are framing: not what a case is about. */
const USUAL =
  /^(?:host|x-forwarded-(?!for)\S*|x-host|x-request-id|forwarded|connection|keep-alive|date|server|accept-ranges)$/;

/**
 * What came of one request, in one line: `status, fields, body <- request line, fields, body`.
 *
 * @param patience milliseconds without a byte after which nothing more is to come
 */
export async function outcome(
  subject: Subject,
  request: string,
  answered: Recorder['answer'],
  patience: number,
): Promise<string> {
  const { origin } = subject;
  origin.taken();
  origin.answer = answered;
  const answer = await exchange(subject, request, patience);
  const passed = origin.taken().map((text) => shown(text, true));
  return `${shown(answer, false)} <- ${passed.length === 0 ? 'nobody' : passed.join(' + ')}`;
}

/** Sends it, and hears until the answer is complete, or its sender closes, or says nothing for a while. */
async function exchange(at: Address, request: string, patience: number): Promise<string> {
  const socket = connect(at.port, at.host);
  socket.on('error', () => {});
  let text = '';
  await new Promise<void>((resolve) => {
    const quiet = setTimeout(resolve, patience);
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      if (complete(text, request.startsWith('HEAD'))) resolve();
      else quiet.refresh();
    });
    socket.once('close', () => {
      text += '<closed>';
      clearTimeout(quiet);
      resolve();
    });
    socket.once('end', () => socket.end());
    socket.write(request, 'latin1');
  });
  socket.destroy();
  return text;
}

/** Whether nothing can follow: an answer that announces the end of the connection is only complete with that. */
function complete(text: string, toHead: boolean): boolean {
  const start = /HTTP\/1\.\d (?!1\d\d)/.exec(text)?.index ?? -1;
  const end = text.indexOf('\r\n\r\n', Math.max(start, 0));
  if (start < 0 || end < 0) return false;
  const head = text.slice(start, end + 2);
  const body = text.slice(end + 4);
  if (/\r\nconnection: *close\r\n/i.test(head)) return false;
  if (toHead || /^HTTP\/1\.\d (?:204|304)/.test(head)) return true;
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length !== undefined) return body.length >= Number(length);
  return /\r\ntransfer-encoding: chunked\r\n/i.test(head) && body.endsWith('0\r\n\r\n');
}

/** A message without what differs for no reason that matters here. */
function shown(text: string, request: boolean): string {
  if (text === '' || text === '<closed>') return text === '' ? 'silence' : 'closed';
  const end = text.indexOf('\r\n\r\n');
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const rest = text.slice(end + 4).replace('<closed>', '');
  if (!request && !first.startsWith('HTTP/')) return `not HTTP: ${JSON.stringify(text)}`;
  const status = Number(first.split(' ')[1]);
  if (!request && status < 200) return `${status} ${shown(text.slice(end + 4), false)}`;
  // What a proxy says of its own about an error is its business.
  const own = !request && status >= 400;
  const fields = lines
    .map((line) => ({ name: (line.split(':')[0] ?? '').toLowerCase(), line }))
    .filter(
      ({ name, line }) => !USUAL.test(name) && !(own && name !== 'allow') && line !== 'X-Forwarded-For: 127.0.0.1',
    )
    .map(({ line }) => line);
  if (request && !lines.some((line) => /^host: a\.test$/i.test(line))) {
    fields.unshift(
      ...lines.filter((line) => /^host:/i.test(line)).map((line) => line.replace(/127\.0\.0\.1:\d+/, 'ORIGIN')),
    );
  }
  const told = [request ? first : String(status), ...fields];
  if (!own && rest !== '') told.push(JSON.stringify(rest.length > 60 ? `${rest.length} bytes` : rest));
  if (!request && text.endsWith('<closed>')) told.push('closed');
  return told.join(', ');
}
