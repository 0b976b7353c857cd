import assert from 'node:assert/strict';
import test from 'node:test';
import { check } from './index.ts';
import { withoutSecrets } from './secrets.ts';

test('secrets are hidden, everything else is as it was', () => {
  const { config } = check({
    upstreams: {
      app: { origins: [3000], balance: { name: 'sticky', secret: 'a-secret-of-sticky', cookie: 'mine' } },
      plain: { origins: [3001], balance: 'sticky' },
    },
    routes: [{ to: 'app' }],
    admin: { address: 9000, token: 'a-secret-of-admin' },
  });
  assert.ok(config !== undefined);
  const shown = withoutSecrets(config);
  assert.doesNotMatch(JSON.stringify(shown), /a-secret/);
  assert.deepEqual(shown.admin, { ...config.admin, token: '***' });
  assert.deepEqual(shown.upstreams['app'].balance.options['secret'], '***');
  assert.deepEqual(shown.upstreams['app'].balance.options['cookie'], 'mine');
  assert.deepEqual(shown.upstreams['plain'], config.upstreams['plain'], 'there is none to hide');
  assert.deepEqual({ ...shown, admin: null, upstreams: null }, { ...config, admin: null, upstreams: null });
  assert.match(JSON.stringify(config), /a-secret-of-admin/, 'the config in force is not touched');
});

test('so are the secret of AJP and the fields of a check; what tells nothing is shown', () => {
  const { config } = check({
    upstreams: {
      app: {
        origins: 'ajp://127.0.0.1:8009',
        ajp: { secret: 'a-secret-of-ajp' },
      },
      web: {
        origins: 'https://app.example',
        check: { type: 'http', path: '/up', headers: { Authorization: 'Bearer a-secret-of-web' } },
      },
    },
    routes: [{ to: 'app' }],
  });
  assert.ok(config !== undefined);
  const shown = withoutSecrets(config);
  assert.doesNotMatch(JSON.stringify(shown), /a-secret/);
  assert.deepEqual(shown.upstreams['web'].check?.options['headers'], { Authorization: '***' });
  assert.equal(shown.upstreams['web'].check?.options['path'], '/up');
  assert.deepEqual(shown.upstreams['app'].tls, config.upstreams['app'].tls, 'there is none to hide');
});
