import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountAskedFor, accountOf } from './account.ts';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
www-data:x:33:34:www:/var/www:/usr/sbin/nologin
# a comment
1000:x:7:8:a name of digits:/:/bin/sh
broken:x
`;
const GROUPS = 'root:x:0:\nwww-data:x:34:\nstaff:x:50:a,b\n';

test('a user and a group, by name or by number', () => {
  for (const [user, group, expected] of [
    ['www-data', '', { uid: 33, gid: 34 }],
    ['33', '', { uid: 33, gid: 34 }],
    ['www-data', 'staff', { uid: 33, gid: 50 }],
    ['', 'staff', { uid: process.getuid?.() ?? 0, gid: 50 }],
    ['', '51', { uid: process.getuid?.() ?? 0, gid: 51 }],
    ['4000', '4001', { uid: 4000, gid: 4001 }],
    ['1000', '', { uid: 7, gid: 8 }],
    ['', '', null],
  ] as const)
    assert.deepEqual(accountOf(user, group, PASSWD, GROUPS), expected, `${user}:${group}`);
});

test('one that cannot be found is never root', () => {
  for (const [user, group, why] of [
    ['nobody', '', /no user nobody/],
    ['broken', '', /no user broken/],
    ['#', '', /no user #/],
    ['4000', '', /user 4000 is not in \/etc\/passwd: say which group/],
    ['www-data', 'none', /no group none/],
    ['nobody', 'staff', /no user nobody/],
  ] as const) {
    const found = accountOf(user, group, PASSWD, GROUPS);
    assert.ok(typeof found === 'string', JSON.stringify(found));
    assert.match(found, why);
  }
});

test('who may wait asks others as well; a number needs no entry', { skip: process.platform === 'win32' }, async () => {
  const self = process.getuid?.() ?? 0;
  assert.equal(await accountAskedFor('', ''), null);
  assert.deepEqual(await accountAskedFor(String(self), '12'), { uid: self, gid: 12 });
  assert.deepEqual(await accountAskedFor('1999999998', ''), { uid: 1999999998, gid: 1999999998 });
  for (const [user, group, why] of [
    ['nobody.of.this.name', '', /^no user nobody\.of\.this\.name: neither/],
    ['nobody.of.this.name', '5', /^no user/],
    ['', 'nobody.of.this.name', /^no group/],
  ] as const) {
    const found = await accountAskedFor(user, group);
    assert.ok(typeof found === 'string', JSON.stringify(found));
    assert.match(found, why);
  }
});
