import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestOf } from '../../../test/support/request.ts';
import { cgiSchema } from './options.ts';
import { scriptOf } from './script.ts';

/** `SCRIPT_NAME|PATH_INFO`, or why there is none. */
function located(target: string, options: object = {}): string {
  const script = scriptOf(requestOf(`GET ${target} HTTP/1.1`, 'Host: a'), cgiSchema.parse(options));
  return typeof script === 'string' ? script : `${script.name}|${script.info}`;
}

function all(options: object, expected: Readonly<Record<string, string>>): void {
  for (const [target, script] of Object.entries(expected)) assert.equal(located(target, options), script, target);
}

test('one application at the root: SCRIPT_NAME is empty, never "/"', () => {
  all({}, { '/': '|/', '/?x': '|/', '/a/b?c/d': '|/a/b', '*': '|/', 'http://a': '|/', 'http://a/b': '|/b' });
});

test('one application at a prefix', () => {
  for (const prefix of ['/app', '/app/']) {
    all(
      { prefix },
      { '/app': '/app|', '/app/': '/app|/', '/app/x': '/app|/x', '/appx': '|/appx', '/': '|/', '/App/x': '|/App/x' },
    );
  }
});

test('a script is the first segment with such an end', () => {
  all(
    { root: '/r', split: ['.php', '.php5'] },
    {
      '/index.php': '/index.php|',
      '/index.php/': '/index.php|/',
      '/index.php/extra/more': '/index.php|/extra/more',
      '/a/b.php/c.php': '/a/b.php|/c.php',
      '/x.php5': '/x.php5|',
      '/x.php5/a.php': '/x.php5|/a.php',
      '/a.php.txt/x.php': '/a.php.txt/x.php|',
      '/a.php.txt/x': 'no-script',
      '/a.phpx': 'no-script',
      '/a.PHP': 'no-script',
      '/': 'no-script',
      '/picture.jpg': 'no-script',
      '/a?x.php': 'no-script',
      '/%61.p%68p/x': '/a.php|/x',
      '/.php': '/.php|',
    },
  );
});

test('index for folders, front for the rest', () => {
  const options = { root: '/r', split: ['.php'], index: 'index.php', front: '/start.php' };
  all(options, {
    '/': '/index.php|',
    '/blog/': '/blog/index.php|',
    '/blog': '/start.php|/blog',
    '/picture.jpg': '/start.php|/picture.jpg',
    '/a.php/': '/a.php|/',
  });
  all({ ...options, index: '' }, { '/': '/start.php|/', '/blog/': '/start.php|/blog/' });
  all({ ...options, front: '' }, { '/': '/index.php|', '/blog': 'no-script' });
});

test('the path is the one that routes see: dot segments cannot lead elsewhere', () => {
  all(
    { root: '/r', split: ['.php'] },
    {
      '/public/../admin.php': '/admin.php|',
      '/public/%2e%2e/admin.php': '/admin.php|',
      '//a///b.php//x': '/a/b.php|/x',
      '/a.php/../b.php': '/b.php|',
      '/../a.php': 'bad-target',
      // An escaped slash is none: it stays as it was sent, and no file is called so.
      '/..%2fadmin.php': '/..%2fadmin.php|',
      '/a.php/x%2Fy': '/a.php|/x%2Fy',
      '/a.php%2fx': 'no-script',
    },
  );
});

test('bytes: UTF-8 or not, line ends, NUL', () => {
  all(
    { root: '/r', split: ['.php'] },
    {
      '/a.php/caf%C3%A9': '/a.php|/caf\u00c3\u00a9',
      '/a.php/caf%E9': '/a.php|/caf\u00e9',
      // CVE-2019-11043: a line end must not make PATH_INFO vanish.
      '/a.php/x%0Ay': '/a.php|/x\ny',
      '/evil.jpg%00.php': 'bad-target',
      '/a.php/%00': 'bad-target',
      '/a.php/%2500': '/a.php|/%00',
      '/a.php/%zz%4': '/a.php|/%zz%4',
    },
  );
  all({ prefix: '/caf\u00e9' }, { '/caf%C3%A9/x': '/caf\u00c3\u00a9|/x' });
});

test('a file that is no script stays what PHP is asked for: PHP itself has to be told not to walk up', () => {
  // cgi.fix_pathinfo: no proxy knows which of these is a folder. docs/fastcgi.md says what to set.
  all({ root: '/r', split: ['.php'] }, { '/uploads/evil.jpg/x.php': '/uploads/evil.jpg/x.php|' });
});

test('long paths take no longer than they must', () => {
  const begun = process.hrtime.bigint();
  const options = { root: '/r', split: ['.php', '.phtml', '.php5'] };
  for (let i = 0; i < 200; i++) assert.equal(located(`/${'.phpx'.repeat(1600)}`, options), 'no-script');
  assert.ok(Number(process.hrtime.bigint() - begun) < 20e9);
});

test('options that cannot be meant are refused', () => {
  const bad: object[] = [
    { root: 'relative' },
    { split: ['/x.php'] },
    { split: [''] },
    { index: 'a/index.php' },
    { front: 'index.php' },
    { front: '/' },
    { prefix: 'app' },
    { env: { 'A-B': '1' } },
    { env: { A: 'x\0y' } },
    { script: '/x' },
  ];
  for (const options of bad) assert.equal(cgiSchema.safeParse(options).success, false, JSON.stringify(options));
  assert.equal(cgiSchema.parse({ root: '/srv/app/' }).root, '/srv/app');
});
