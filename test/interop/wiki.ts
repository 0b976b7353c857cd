/** DokuWiki as Debian packages it, with a configuration and data of the test's own: nothing of the system's is changed. */
import { createHash } from 'node:crypto';
import { chmodSync, createReadStream, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { TopInput } from '../../src/config/schema.ts';
import { type Php, startFpm } from './php.ts';
import { folder } from './stage.ts';

const HOME = '/usr/share/dokuwiki';

export const installed = existsSync(join(HOME, 'doku.php'));

export const USER = { name: 'anna', password: 'correct horse' };

export interface Wiki {
  readonly php: Php;
  /** The origin of images and scripts. */
  readonly files: string;
  /** Where uploads are. */
  readonly media: string;
}

export async function wiki(t: TestContext, fpm: string): Promise<Wiki> {
  const home = folder(t);
  chmodSync(home, 0o755);
  const conf = join(home, 'conf');
  const data = join(home, 'data');
  mkdirSync(conf);
  for (const part of [
    'attic',
    'cache',
    'index',
    'locks',
    'log',
    'media',
    'media_attic',
    'media_meta',
    'meta',
    'pages',
    'tmp',
  ]) {
    mkdirSync(join(data, part), { recursive: true });
    // php-fpm runs as nobody, when the tests run as root.
    chmodSync(join(data, part), 0o777);
  }
  chmodSync(data, 0o777);
  const md5 = createHash('md5').update(USER.password).digest('hex');
  writeFileSync(join(conf, 'users.auth.php'), `${USER.name}:${md5}:Anna:anna@example.org:user\n`);
  // Without it DokuWiki wants to write one, and complains on every page.
  writeFileSync(join(conf, 'plugins.local.php'), '<?php\n');
  writeFileSync(join(conf, 'acl.auth.php'), '*\t@ALL\t1\n*\t@user\t8\n');
  writeFileSync(
    join(conf, 'local.php'),
    `<?php
$conf['title'] = 'A wiki behind sluice';
$conf['savedir'] = '${data}';
$conf['useacl'] = 1;
$conf['passcrypt'] = 'md5';
$conf['userewrite'] = 2;   // /doku.php/PAGE: PATH_INFO
$conf['updatecheck'] = 0;
$conf['plugin']['popularity'] = [];
`,
  );
  const prelude = join(home, 'prelude.php');
  writeFileSync(prelude, `<?php define('DOKU_CONF', '${conf}/');\n`);
  const settings = [`auto_prepend_file=${prelude}`, `sys_temp_dir=${join(data, 'tmp')}`];
  const sessions = [`session.save_path=${join(data, 'tmp')}`, `upload_tmp_dir=${join(data, 'tmp')}`];
  const args = [...settings, ...sessions, 'opcache.enable=0'].flatMap((one) => ['-d', one]);
  const php = await startFpm(t, fpm, { root: HOME, home, where: 'unix', children: 4, args });
  return { php, files: await staticOrigin(t), media: join(data, 'media') };
}

/** What docs/fastcgi.md shows: scripts to php-fpm, what is not for clients to nobody, the rest to whoever has the files. */
export function configFor({ php, files }: Wiki): TopInput {
  return {
    upstreams: {
      wiki: {
        origins: php.url,
        maxConnections: 4,
        cgi: { root: php.cgi.root, split: ['.php'], index: 'doku.php' },
        check: { type: 'fastcgi', path: '/fpm-ping' },
      },
      files: { origins: files },
    },
    routes: [
      {
        name: 'private',
        match: { path: ['/inc/*', '/bin/*', '/vendor/*', '/conf/*', '/data/*'] },
        respond: { status: 403 },
      },
      { name: 'pages', match: { path: ['/', '~\\.php(/|$)'] }, to: 'wiki' },
      { name: 'files', to: 'files' },
    ],
  };
}

const TYPES: Readonly<Record<string, string>> = {
  '.png': 'image/png',
  '.gif': 'image/gif',
  '.svg': 'image/svg+xml',
  '.js': 'text/javascript',
  '.css': 'text/css',
};

/** Serves the images of DokuWiki; whatever has another ending is not there. */
async function staticOrigin(t: TestContext): Promise<string> {
  const server = createServer((request, response) => {
    const path = join(HOME, normalize(new URL(request.url ?? '/', 'http://files').pathname));
    const type = TYPES[extname(path)];
    if (type === undefined || statSync(path, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'max-age=3600' });
    createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
