import assert from 'node:assert/strict';
import test from 'node:test';
import { check, type ConfigInput } from '../config/index.ts';
import { originSchema, type OriginInput } from '../upstream/options.ts';
import { resolverSchema } from './options.ts';

const resolver = (given: ConfigInput['resolver']): string => {
  const { problems } = check({ upstreams: { app: { origins: 'a.example' } }, resolver: given });
  return (problems ?? []).map(({ message }) => message).join('\n');
};

test('servers in one form', () => {
  const { servers } = resolverSchema.parse({
    servers: ['10.0.0.1', '10.0.0.1:53', '127.0.0.1:5353', '::1', '[::1]', '[fd00::1]:5353'],
  });
  assert.deepEqual(servers, ['10.0.0.1', '10.0.0.1', '127.0.0.1:5353', '::1', '::1', '[fd00::1]:5353']);
  assert.deepEqual(resolverSchema.parse({ servers: '10.0.0.1' }).servers, ['10.0.0.1']);
  assert.deepEqual(resolverSchema.parse({}).servers, []);
});

test('what is no server, and what to write instead', () => {
  const bad: [string, RegExp][] = [
    ['dns.example', /given by its IP address/],
    ['localhost:53', /given by its IP address/],
    ['https://1.1.1.1/dns-query', /plain UDP and TCP/],
    ['udp://1.1.1.1', /plain UDP and TCP/],
    ['1.1.1.1:0', /port from 1 to 65535/],
    ['1.1.1.1:65536', /port from 1 to 65535/],
    ['[::1]:70000', /port from 1 to 65535/],
    ['1.1.1', /such as 10\.0\.0\.1/],
    ['[10.0.0.1]:53', /such as 10\.0\.0\.1/],
    ['', /such as 10\.0\.0\.1/],
  ];
  for (const [server, why] of bad) assert.match(resolver({ servers: [server] }), why, server);
});

test('times that cannot be', () => {
  assert.match(resolver({ least: '10m' }), /at most as much as `most`/);
  assert.match(resolver({ least: '1ms' }), /at least 100ms/);
  assert.match(resolver({ timeout: 'off' }), /a duration/);
  assert.match(resolver({ tries: 0 }), /at least 1/);
  assert.equal(resolver({ least: '2s', most: '1m', timeout: '100ms' }), '');
});

test('`resolve` belongs to names only, and SRV records cannot do without', () => {
  const schema = originSchema(['http']);
  const why = (origin: OriginInput): string =>
    schema
      .safeParse(origin)
      .error?.issues.map((issue) => JSON.stringify(issue))
      .join() ?? '';
  for (const url of ['10.0.0.1:80', '[::1]:80', 'localhost:80', 'a.localhost', 'unix:/a', 3000]) {
    assert.match(why({ url, resolve: 'all' }), /only a host name is resolved/, String(url));
    assert.equal(schema.parse(url).resolve, undefined, String(url));
  }
  assert.match(why({ url: 'srv:a.example', resolve: 'no' }), /expected all or one/);
  assert.match(why({ url: 'a.example', resolve: 'any' as never }), /all|one/);
  assert.equal(schema.parse('a.example').resolve, 'all');
  assert.equal(schema.parse({ url: 'a.example', resolve: 'no' }).resolve, 'no');
});
