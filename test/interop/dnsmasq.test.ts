/** Debian's dnsmasq as the DNS server. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { Names } from '../../src/discover/names.ts';
import { Resolver } from '../../src/discover/resolver.ts';
import { skipUnless } from '../support/peer.ts';
import { eventually } from '../support/scripted.ts';
import { address, folder, listening, start } from './stage.ts';

test('dnsmasq: addresses, aliases, services, a long answer over TCP, changes, and its death', async (t) => {
  const dnsmasq = skipUnless(t, 'dnsmasq');
  if (dnsmasq === undefined) return;
  const at = await address();
  const hosts = join(folder(t), 'hosts');
  writeFileSync(hosts, '10.0.0.1 app.example\n10.0.0.2 app.example\nfd00::1 app.example\n');
  const services = Array.from(
    { length: 60 },
    (_, i) => `--srv-host=_many._tcp.app.example,app.example,${2000 + i},1,1`,
  );
  const server = start(t, dnsmasq, [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', `--user=${userInfo().username}`],
    ...[`--port=${at.port}`, `--listen-address=${at.host}`, '--bind-interfaces', '--no-resolv', '--no-hosts'],
    ...['--log-facility=-', '--local=/example/', '--local-ttl=7', `--addn-hosts=${hosts}`],
    ...['--cname=www.example,app.example', '--srv-host=_http._tcp.app.example,app.example,3001,10,5', ...services],
  ]);
  await listening(at, server);
  const options = { servers: [`${at.host}:${at.port}`], timeout: 5000, tries: 1, family: 'both' as const };
  const resolver = new Resolver(options, systemClock, { hosts: '/nonexistent' });
  t.after(() => resolver.close());
  const ask = async (name: string): Promise<unknown> => {
    const answer = await resolver.resolve(name, []);
    if (answer.outcome !== 'found') return answer;
    assert.equal(answer.ttl, 7000, name);
    return answer.records.map(({ ip, port, weight, priority }) =>
      port === undefined ? ip : `${ip} ${port} ${weight} ${priority}`,
    );
  };
  const three = ['10.0.0.1', '10.0.0.2', 'fd00::1'];
  assert.deepEqual(await ask('app.example'), three);
  assert.deepEqual(await ask('www.example'), three);
  assert.deepEqual(
    await ask('srv:_http._tcp.app.example'),
    three.map((ip) => `${ip} 3001 5 10`),
  );
  const many = (await ask('srv:_many._tcp.app.example')) as string[];
  assert.equal(many.length, 180, JSON.stringify(many));
  for (const name of ['none.example', 'srv:none.example']) {
    assert.deepEqual(await ask(name), { outcome: 'empty', why: 'DNS does not know it (NXDOMAIN)' }, name);
  }
  assert.deepEqual(await ask('srv:app.example'), { outcome: 'empty', why: 'DNS has no SRV records for it' });
  assert.match(JSON.stringify(await ask('elsewhere.test')), /"failed".*REFUSED from /);

  const sets: string[] = [];
  const said: string[] = [];
  const names = new Names(
    {
      least: 100,
      most: 200,
      retry: 1000,
      resolve: (name, before) => resolver.resolve(name, before),
      changed: (_, records) => sets.push(records.map(({ ip }) => ip).join(' ')),
      said: (_, code, message) => said.push(`${code} ${message}`),
    },
    systemClock,
  );
  t.after(() => names.close());
  names.want(['app.example']);
  await names.ready(['app.example'], 10_000);
  writeFileSync(hosts, '10.0.0.2 app.example\n10.0.0.3 app.example\n');
  server.signal('SIGHUP');
  await eventually(
    () => sets.at(-1) === '10.0.0.2 10.0.0.3',
    () => `the new set, after ${sets.join(', ')}`,
  );
  server.signal('SIGKILL');
  await server.ended;
  await eventually(() => said.length > 0, 'it is said');
  assert.match(
    said.join(),
    /^name-failed app\.example: .*ECONNREFUSED.*stays in use as of .*: 10\.0\.0\.2, 10\.0\.0\.3$/,
  );
  assert.equal(names.known.get('app.example')?.length, 2);
});
