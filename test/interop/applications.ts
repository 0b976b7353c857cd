/** Applications that do what the query says (servers/app.py, servers/app.jsp), and how they are asked. */
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { address, folder, listening, type Running, start, until } from './stage.ts';

const servers = fileURLToPath(new URL('servers/', import.meta.url));

export interface Application {
  /** As an origin. */
  readonly url: string;
  readonly process: Running;
  /** How it is ended; default SIGTERM. */
  readonly end?: NodeJS.Signals;
}

/** uWSGI with two workers and a Python application, by one of its protocols. */
export async function uwsgi(
  t: TestContext,
  program: string,
  mode: 'uwsgi' | 'scgi' | 'http',
  name = 'hello',
): Promise<Application> {
  const at = await address();
  const where = `${at.host}:${at.port}`;
  const process = start(t, program, [
    ...[
      '--plugin',
      'python3',
      '--master',
      '--no-orphans',
      '--die-on-term',
      '--processes',
      '2',
      '--buffer-size',
      '32768',
    ],
    ...['--env', `NAME=${name}`, '--wsgi-file', join(servers, 'app.py')],
    ...(mode === 'uwsgi'
      ? ['--uwsgi-socket', where]
      : mode === 'scgi'
        ? ['--scgi-socket', where]
        : ['--http-socket', where]),
  ]);
  t.after(async () => {
    // Its workers end with the master, but not when that is killed at once.
    process.signal('SIGTERM');
    await process.ended;
  });
  await listening(at, process);
  await until('a worker', () => process.output().includes('spawned uWSGI worker 2'));
  return { url: `${mode}://${where}`, process };
}

export interface Tomcat extends Application {
  /** By a connector that believes who the user is, and takes the attributes SITE, DEPARTMENT and NOTE. */
  readonly trusting: string;
}

/**
 * Debian's Tomcat in a folder of the test's own, with AJP connectors that want a secret.
 *
 * @param examples a folder of further applications
 */
export async function tomcat(t: TestContext, java: string, name = 'hello', examples = ''): Promise<Tomcat> {
  const [at, trusting] = await Promise.all([address(), address()]);
  const base = folder(t);
  for (const part of ['conf', 'logs', 'temp', 'work', 'webapps/ROOT']) mkdirSync(join(base, part), { recursive: true });
  copyFileSync('/etc/tomcat10/web.xml', join(base, 'conf/web.xml'));
  copyFileSync(join(servers, 'app.jsp'), join(base, 'webapps/ROOT/app.jsp'));
  writeFileSync(
    join(base, 'conf/server.xml'),
    `<Server port="-1"><Service name="Catalina">
       <Connector protocol="AJP/1.3" address="${at.host}" port="${at.port}" secret="s3cret" />
       <Connector protocol="AJP/1.3" address="${trusting.host}" port="${trusting.port}" secret="s3cret"
         tomcatAuthentication="false" allowedRequestAttributesPattern="SITE|DEPARTMENT|NOTE" />
       <Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="webapps" /></Engine>
     </Service></Server>`,
  );
  if (examples !== '') symlinkSync(examples, join(base, 'webapps/examples'));
  const home = '/usr/share/tomcat10';
  const jars = ['bootstrap', 'tomcat-juli'].map((jar) => `${home}/bin/${jar}.jar`).join(':');
  const process = start(t, java, [
    ...['-Xmx256m', '-XX:TieredStopAtLevel=1', `-Dname=${name}`, `-Dcatalina.home=${home}`, `-Dcatalina.base=${base}`],
    ...[`-Djava.io.tmpdir=${join(base, 'temp')}`, '-cp', jars, 'org.apache.catalina.startup.Bootstrap', 'start'],
  ]);
  await until('Tomcat', () => /Server startup in/.test(process.output()), 120_000);
  // Told to stop it goes on to accept requests for a moment, and answers them 503 itself.
  return {
    url: `ajp://${at.host}:${at.port}`,
    trusting: `ajp://${trusting.host}:${trusting.port}`,
    process,
    end: 'SIGKILL',
  };
}

export interface Got {
  readonly status: number;
  readonly message: string;
  readonly fields: readonly string[];
  readonly body: Buffer;
  /** The answer was cut off. */
  readonly cut: boolean;
}

/** Asks, with a body whole or in chunks. */
export function ask(
  url: string,
  method = 'GET',
  body: Buffer | null = null,
  headers: Record<string, string | string[]> = {},
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const out = request(url, { method, headers, agent: false });
    out.on('error', reject);
    out.on('response', (answer) => {
      out.off('error', reject);
      out.on('error', () => {});
      const pieces: Buffer[] = [];
      const done = (cut: boolean): void =>
        resolve({
          status: answer.statusCode ?? 0,
          message: answer.statusMessage ?? '',
          fields: answer.rawHeaders,
          body: Buffer.concat(pieces),
          cut,
        });
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', () => done(true));
      answer.on('end', () => done(false));
    });
    if (body === null) out.end();
    else {
      for (let at = 0; at < body.length; at += 50_000) out.write(body.subarray(at, at + 50_000));
      out.end();
    }
  });
}

/** All values of a field of the answer. */
export function valuesOf({ fields }: Got, name: string): string[] {
  return fields.filter((_, i) => i % 2 === 1 && fields[i - 1].toLowerCase() === name);
}
