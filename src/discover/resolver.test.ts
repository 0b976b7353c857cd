import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { addressRecord, dnsServer, type DnsServer, type Reply } from '../../test/support/dns-server.ts';
import { systemClock } from '../core/clock.ts';
import type { Answer, Found } from './found.ts';
import type { ResolverOptions } from './options.ts';
import { Resolver, type Machine } from './resolver.ts';

/** Long enough for a busy machine, where an answer is expected. */
const PATIENT = 5000;
/** Where none is. */
const SHORT = 60;

function resolver(
  t: TestContext,
  servers: readonly (DnsServer | string)[],
  options: Partial<ResolverOptions> = {},
  machine: Machine = {},
): Resolver {
  const made = new Resolver(
    {
      servers: servers.map((server) => (typeof server === 'string' ? server : server.address)),
      timeout: PATIENT,
      tries: 1,
      family: 'both',
      ...options,
    },
    systemClock,
    { hosts: '/nonexistent', lookup: () => Promise.reject(new Error('not here')), ...machine },
  );
  t.after(() => made.close());
  return made;
}

function found(answer: Answer): { ips: string[]; ttl: number; missing: readonly string[] } {
  assert.equal(answer.outcome, 'found', JSON.stringify(answer));
  if (answer.outcome !== 'found') throw new Error('unreachable');
  const ips = answer.records.map(({ ip, port, weight, priority }) =>
    port === undefined ? ip : `${ip} ${port} ${weight} ${priority}`,
  );
  return { ips, ttl: answer.ttl, missing: answer.missing };
}

const before = (...ips: string[]): Found[] => ips.map((ip) => ({ ip, family: ip.includes(':') ? 6 : 4 }));

test('addresses of both families, sorted by number, once each, with the lowest TTL', async (t) => {
  const dns = await dnsServer(t);
  dns.zone.set('A app.example', {
    answers: ['10.0.0.10', '10.0.0.9', '10.0.0.10'].map((ip, i) => addressRecord('app.example', ip, 30 + i)),
  });
  dns.zone.set('AAAA app.example', { answers: [addressRecord('app.example', 'FD00:0:0::1', 20)] });
  const answer = found(await resolver(t, [dns]).resolve('app.example', []));
  assert.deepEqual(answer, { ips: ['10.0.0.9', '10.0.0.10', 'fd00::1'], ttl: 20_000, missing: [] });
});

test('only the families that are wanted are asked for; auto goes by the machine', async (t) => {
  const dns = await dnsServer(t);
  dns.host('app.example', ['10.0.0.1', 'fd00::1']);
  const ask = async (family: ResolverOptions['family'], hasIPv6 = true) =>
    found(await resolver(t, [dns], { family }, { hasIPv6: () => hasIPv6 }).resolve('app.example', [])).ips;
  assert.deepEqual(await ask('ipv4'), ['10.0.0.1']);
  assert.deepEqual(await ask('ipv6'), ['fd00::1']);
  assert.deepEqual(await ask('auto', false), ['10.0.0.1']);
  assert.equal(dns.count('AAAA', 'app.example'), 1);
  assert.deepEqual(await ask('auto', true), ['10.0.0.1', 'fd00::1']);
});

test('a name that DNS does not know is empty, and so is one whose addresses lead nowhere', async (t) => {
  const dns = await dnsServer(t);
  dns.zone.set('TXT bare.example', {});
  dns.host('blocked.example', ['0.0.0.0', '::', '224.0.0.1', 'fe80::1', 'ff02::1']);
  const asker = resolver(t, [dns]);
  assert.deepEqual(await asker.resolve('none.example', []), {
    outcome: 'empty',
    why: 'DNS does not know it (NXDOMAIN)',
  });
  for (const name of ['bare.example', 'blocked.example']) {
    const why = 'DNS has no address for it that can be used';
    assert.deepEqual(await asker.resolve(name, []), { outcome: 'empty', why }, name);
  }
});

test('SERVFAIL, REFUSED, silence and a dead server are failures that name the server', async (t) => {
  const dns = await dnsServer(t);
  const dead = await dnsServer(t);
  await dead.stop();
  const fails: [Reply, RegExp][] = [
    [{ rcode: 2 }, /SERVFAIL from 127\.0\.0\.1:\d+/],
    [{ rcode: 5 }, /REFUSED from 127\.0\.0\.1:\d+/],
    [{ silent: true }, /no answer (?:in time|within 60 ms) from 127\.0\.0\.1:\d+/],
  ];
  for (const [reply, why] of fails) {
    for (const type of ['A', 'AAAA', 'SRV']) dns.zone.set(`${type} app.example`, reply);
    const asker = resolver(t, [dns], { timeout: reply.silent === true ? SHORT : PATIENT });
    for (const name of ['app.example', 'srv:app.example']) {
      const answer = await asker.resolve(name, []);
      assert.equal(answer.outcome, 'failed', `${name} ${JSON.stringify(answer)}`);
      assert.match(answer.outcome === 'failed' ? answer.why : '', why);
    }
  }
  for (const name of ['app.example', 'srv:app.example']) {
    const answer = await resolver(t, [dead]).resolve(name, []);
    assert.match(answer.outcome === 'failed' ? answer.why : '', /ECONNREFUSED from 127\.0\.0\.1:\d+/, name);
  }
});

test('the next server is asked when one is silent, fails or is gone', async (t) => {
  const [silent, failing, dead, good] = await Promise.all([dnsServer(t), dnsServer(t), dnsServer(t), dnsServer(t)]);
  await dead.stop();
  for (const type of ['A', 'AAAA', 'SRV']) {
    silent.zone.set(`${type} app.example`, { silent: true });
    failing.zone.set(`${type} app.example`, { rcode: 2 });
  }
  good.host('app.example', ['10.0.0.1']);
  good.service('app.example', ['1 2 3000 app.example'], 60, [addressRecord('app.example', '10.0.0.2')]);
  const asker = resolver(t, [silent, failing, dead, good], { timeout: 1000, family: 'ipv4' });
  assert.deepEqual(found(await asker.resolve('app.example', [])).ips, ['10.0.0.1']);
  assert.deepEqual(found(await asker.resolve('srv:app.example', [])).ips, ['10.0.0.2 3000 2 1']);
});

test('a family that fails keeps its addresses, the other one goes on', async (t) => {
  const dns = await dnsServer(t);
  dns.host('app.example', ['10.0.0.2']);
  dns.zone.set('AAAA app.example', { rcode: 2 });
  const answer = found(await resolver(t, [dns]).resolve('app.example', before('10.0.0.1', 'fd00::1')));
  assert.deepEqual(answer.ips, ['10.0.0.2', 'fd00::1']);
  assert.match(answer.missing.join(), /^SERVFAIL from /);
  dns.zone.delete('A app.example');
  const failed = await resolver(t, [dns]).resolve('app.example', before('10.0.0.1'));
  assert.equal(failed.outcome, 'failed', 'no A and nobody knows about AAAA: that is not "no address"');
});

test('a chain of CNAMEs is followed, and its TTL counts; a chain to nowhere is empty', async (t) => {
  const dns = await dnsServer(t);
  const chain = [0, 1, 2, 3].map((i) => ({
    type: 'CNAME' as const,
    name: i === 0 ? 'app.example' : `c${i}.example`,
    ttl: 100 - i,
    data: `c${i + 1}.example`,
  }));
  dns.zone.set('A app.example', { answers: [...chain, addressRecord('c4.example', '10.0.0.4', 500)] });
  dns.zone.set('AAAA app.example', { answers: chain });
  const srv = { type: 'SRV' as const, name: 'c4.example', ttl: 500, data: { port: 1, target: 't.example' } };
  dns.zone.set('SRV app.example', { answers: [srv, ...chain], additionals: [addressRecord('t.example', '10.0.0.5')] });
  dns.zone.set('SRV loop.example', {
    answers: [{ type: 'CNAME', name: 'loop.example', ttl: 5, data: 'loop.example' }],
  });
  const asker = resolver(t, [dns]);
  assert.deepEqual(found(await asker.resolve('app.example', [])), { ips: ['10.0.0.4'], ttl: 97_000, missing: [] });
  assert.deepEqual(found(await asker.resolve('srv:app.example', [])), {
    ips: ['10.0.0.5 1 0 0'],
    ttl: 60_000,
    missing: [],
  });
  assert.equal((await asker.resolve('srv:loop.example', [])).outcome, 'empty');
});

test('SRV records: targets are asked for, unless their addresses came along', async (t) => {
  const dns = await dnsServer(t);
  dns.service('_http._tcp.app.example', ['10 5 3001 a.example', '0 0 3002 B.example', '0 7 3003 gone.example'], 40, [
    addressRecord('a.example', '10.0.0.1', 35),
    addressRecord('evil.example', '6.6.6.6', 1),
  ]);
  dns.host('b.example', ['10.0.0.2', 'fd00::2'], 30);
  const answer = await resolver(t, [dns]).resolve('srv:_http._tcp.app.example', []);
  assert.deepEqual(found(answer), {
    ips: ['10.0.0.2 3002 0 0', 'fd00::2 3002 0 0', '10.0.0.1 3001 5 10'],
    ttl: 30_000,
    missing: [],
  });
  assert.equal(dns.count('A', 'a.example'), 0);
  assert.equal(answer.outcome === 'found' && answer.records[0].target, 'b.example');
});

test('SRV records whose targets fail keep the addresses of before, under the new ports and weights', async (t) => {
  const dns = await dnsServer(t);
  dns.service('s.example', ['0 9 3009 a.example', '0 1 3001 b.example']);
  dns.zone.set('A a.example', { rcode: 2 });
  dns.zone.set('AAAA a.example', { rcode: 2 });
  dns.host('b.example', ['10.0.0.2']);
  const known: Found[] = [
    { ip: '10.0.0.1', family: 4, port: 3000, weight: 1, priority: 0, target: 'a.example' },
    { ip: '10.0.0.7', family: 4, port: 3000, weight: 1, priority: 0, target: 'c.example' },
  ];
  const asker = resolver(t, [dns]);
  const answer = found(await asker.resolve('srv:s.example', known));
  assert.deepEqual(answer.ips, ['10.0.0.1 3009 9 0', '10.0.0.2 3001 1 0']);
  assert.match(answer.missing.join(), /^a\.example: SERVFAIL/);
  dns.service('s.example', ['0 9 3009 a.example']);
  const failed = await asker.resolve('srv:s.example', []);
  assert.match(failed.outcome === 'failed' ? failed.why : '', /^a\.example: SERVFAIL/);
});

test('a service that is not offered, targets that are no host names, port 0: empty', async (t) => {
  const dns = await dnsServer(t);
  dns.service('off.example', ['0 0 0 .']);
  dns.service('odd.example', ['0 0 80 a_b c.example', '0 0 80 -x.example', '0 0 0 a.example']);
  dns.service('gone.example', ['0 0 80 nobody.example']);
  const asker = resolver(t, [dns]);
  for (const name of ['off', 'odd', 'gone', 'none']) {
    assert.equal((await asker.resolve(`srv:${name}.example`, [])).outcome, 'empty', name);
  }
});

test('garbage, wrong ids, other questions and other names are not believed', async (t) => {
  const dns = await dnsServer(t);
  const fake = (name: string) => ({
    answers: [{ type: 'SRV' as const, name, ttl: 5, data: { port: 666, target: 'evil.example' } }],
    additionals: [addressRecord('evil.example', '6.6.6.6')],
  });
  dns.zone.set('SRV s.example', ({ id }) => ({
    answers: [{ type: 'SRV', name: 's.example', ttl: 60, data: { port: 80, target: 't.example' } }],
    additionals: [addressRecord('t.example', '10.0.0.1')],
    noise: [
      Buffer.alloc(0),
      Buffer.from('hello'),
      Buffer.alloc(512, 0xff),
      // A name that points at itself.
      Buffer.from([id >> 8, id & 0xff, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 33, 0, 1]),
      { ...fake('s.example'), id: (id + 1) & 0xffff },
      { ...fake('s.example'), type: 'query' },
      { ...fake('s.example'), questions: [{ type: 'SRV', name: 'other.example' }] },
      { ...fake('s.example'), questions: [{ type: 'A', name: 's.example' }] },
      { ...fake('s.example'), questions: [] },
    ],
  }));
  const answer = found(await resolver(t, [dns]).resolve('srv:s.example', []));
  assert.deepEqual(answer.ips, ['10.0.0.1 80 0 0']);
  assert.deepEqual(
    dns.asked.map(({ over }) => over),
    ['udp'],
  );
});

test('who floods us with guesses drives us to TCP', async (t) => {
  const dns = await dnsServer(t);
  dns.zone.set('SRV s.example', ({ over, id }) => ({
    answers: [{ type: 'SRV', name: 's.example', ttl: 60, data: { port: 80, target: 't.example' } }],
    additionals: [addressRecord('t.example', over === 'tcp' ? '10.0.0.1' : '6.6.6.6')],
    noise: over === 'tcp' ? [] : Array.from({ length: 40 }, (_, i) => ({ id: (id + 1 + i) & 0xffff })),
  }));
  assert.deepEqual(found(await resolver(t, [dns]).resolve('srv:s.example', [])).ips, ['10.0.0.1 80 0 0']);
});

test('each question has an id and a port of its own', async (t) => {
  const dns = await dnsServer(t);
  dns.service('s.example', ['0 0 80 t.example'], 60, [addressRecord('t.example', '10.0.0.1')]);
  const asker = resolver(t, [dns]);
  for (let i = 0; i < 10; i++) await asker.resolve('srv:s.example', []);
  assert.ok(new Set(dns.asked.map(({ id }) => id)).size >= 9, 'ids are random');
  assert.ok(new Set(dns.asked.map(({ port }) => port)).size >= 5, 'ports vary');
});

test('100 records come whole: truncated over UDP, then over TCP', async (t) => {
  const dns = await dnsServer(t);
  const names = Array.from({ length: 100 }, (_, i) => `10.1.0.${i + 1}`);
  dns.zone.set('A big.example', { truncated: true, answers: names.map((ip) => addressRecord('big.example', ip)) });
  dns.zone.set('SRV big.example', {
    truncated: true,
    answers: names.map((_, i) => ({
      type: 'SRV',
      name: 'big.example',
      ttl: 60,
      data: { port: 1000 + i, target: `h${i}.big.example` },
    })),
    additionals: names.map((ip, i) => addressRecord(`h${i}.big.example`, ip)),
  });
  const asker = resolver(t, [dns]);
  assert.equal(found(await asker.resolve('big.example', [])).ips.length, 100);
  const services = found(await asker.resolve('srv:big.example', [])).ips;
  assert.equal(services.length, 100);
  assert.equal(services[0], '10.1.0.1 1000 0 0');
  assert.equal(dns.count('A', 'h0.big.example'), 0);
});

test('100 targets without addresses are asked for one by one, and the zone may be larger than we take', async (t) => {
  const dns = await dnsServer(t);
  const records = Array.from({ length: 300 }, (_, i) => `${i} 1 80 h${i}.example`);
  for (let i = 0; i < 300; i++) dns.host(`h${i}.example`, [`10.2.${i >> 8}.${i & 255}`]);
  dns.service('many.example', records);
  const entry = dns.zone.get('SRV many.example') as Reply;
  dns.zone.set('SRV many.example', { ...entry, truncated: true });
  const { ips } = found(await resolver(t, [dns], { family: 'ipv4' }).resolve('srv:many.example', []));
  assert.equal(ips.length, 256);
  assert.equal(ips[0], '10.2.0.0 80 1 0');
});

test('an answer over TCP that is cut off, garbage or nothing is a failure', async (t) => {
  const dns = await dnsServer(t);
  const answers = [{ type: 'SRV' as const, name: 's.example', ttl: 60, data: { port: 80, target: 't.example' } }];
  const ask = async (reply: Reply, timeout = PATIENT): Promise<string> => {
    dns.zone.set('SRV s.example', { answers, ...reply, truncated: true });
    const answer = await resolver(t, [dns], { timeout }).resolve('srv:s.example', []);
    return answer.outcome === 'failed' ? answer.why : JSON.stringify(answer);
  };
  assert.match(await ask({ cutAfter: 20 }), /a cut off answer from/);
  assert.match(await ask({ noise: [], rcode: 2 }), /SERVFAIL from/);
  dns.zone.set('SRV s.example', ({ over }) => (over === 'udp' ? { truncated: true } : { silent: true }));
  const silent = await resolver(t, [dns], { timeout: 200 }).resolve('srv:s.example', []);
  assert.match(silent.outcome === 'failed' ? silent.why : '', /no answer within 200 ms from/);
  dns.zone.set('SRV s.example', ({ over }) =>
    over === 'udp' ? { truncated: true } : { noise: [Buffer.from('garbage')] },
  );
  const garbage = await resolver(t, [dns]).resolve('srv:s.example', []);
  assert.match(garbage.outcome === 'failed' ? garbage.why : '', /a malformed answer from/);
});

test('a server from before EDNS is asked without', async (t) => {
  const dns = await dnsServer(t);
  dns.zone.set('SRV s.example', ({ edns }) =>
    edns
      ? { rcode: 1 }
      : {
          answers: [{ type: 'SRV', name: 's.example', ttl: 60, data: { port: 80, target: 't.example' } }],
          additionals: [addressRecord('t.example', '10.0.0.1')],
        },
  );
  assert.deepEqual(found(await resolver(t, [dns]).resolve('srv:s.example', [])).ips, ['10.0.0.1 80 0 0']);
});

test('TTL 0, a TTL of a week and a negative one are told as they are; a negative one is 0', async (t) => {
  const dns = await dnsServer(t);
  const ask = async (ttl: number): Promise<number> => {
    dns.service('s.example', ['0 0 80 t.example'], ttl, [addressRecord('t.example', '10.0.0.1', 0x7fff_ffff)]);
    return found(await resolver(t, [dns]).resolve('srv:s.example', [])).ttl;
  };
  assert.equal(await ask(0), 0);
  assert.equal(await ask(604_800), 604_800_000);
  assert.equal(await ask(0xffff_ffff), 0);
});

test('names in the hosts file win, and the file is read again when it changes', async (t) => {
  const dns = await dnsServer(t);
  dns.host('app.example', ['10.0.0.1']);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-hosts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const hosts = join(folder, 'hosts');
  const asker = resolver(t, [dns], {}, { hosts });
  const ask = async (name = 'app.example') => found(await asker.resolve(name, []));
  assert.deepEqual((await ask()).ips, ['10.0.0.1'], 'there is no file');
  writeFileSync(
    hosts,
    '# of ours\n10.9.0.1\tother App.Example. # mine\r\n10.9.0.2 app.example\nnonsense app.example\n',
  );
  assert.deepEqual(await ask(), { ips: ['10.9.0.1', '10.9.0.2'], ttl: 30_000, missing: [] });
  assert.deepEqual((await ask('other')).ips, ['10.9.0.1']);
  writeFileSync(hosts, '0.0.0.0 app.example\n');
  assert.deepEqual(await asker.resolve('app.example', []), {
    outcome: 'empty',
    why: 'the hosts file has no address for it that can be used',
  });
  rmSync(hosts);
  assert.deepEqual((await ask()).ips, ['10.0.0.1']);
});

test('what DNS does not know is asked of the system: names without a dot, others only without servers of ours', async (t) => {
  const dns = await dnsServer(t);
  dns.zone.set('A broken', { rcode: 2 });
  dns.host('app.example', ['10.0.0.1']);
  const asked: string[] = [];
  const lookup = (name: string) => {
    asked.push(name);
    return Promise.resolve([{ address: '172.17.0.3' }, { address: '172.17.0.2' }]);
  };
  const asker = resolver(t, [dns], {}, { lookup });
  assert.deepEqual(found(await asker.resolve('container', [])), {
    ips: ['172.17.0.2', '172.17.0.3'],
    ttl: 30_000,
    missing: [],
  });
  assert.deepEqual(found(await asker.resolve('broken', [])).ips, ['172.17.0.2', '172.17.0.3']);
  assert.deepEqual(found(await asker.resolve('app.example', [])).ips, ['10.0.0.1']);
  for (const name of ['none.example', 'container.']) assert.equal((await asker.resolve(name, [])).outcome, 'empty');
  assert.deepEqual(asked, ['container', 'broken']);
  const failing = resolver(t, [dns], {}, { lookup: () => Promise.reject(new Error('EAI_AGAIN')) });
  assert.equal((await failing.resolve('container', [])).outcome, 'empty', 'what DNS said stands');
});

test('the servers of the system, as they change; names that they do not know are asked of the system itself', async (t) => {
  const [one, two] = await Promise.all([dnsServer(t), dnsServer(t)]);
  one.host('app.example', ['10.0.0.1']);
  two.host('app.example', ['10.0.0.2']);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-servers-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const serversFile = join(folder, 'resolv.conf');
  writeFileSync(serversFile, 'one');
  let servers = [one.address];
  const asked: string[] = [];
  const lookup = (name: string) => {
    asked.push(name);
    return Promise.resolve([{ address: '172.17.0.2' }]);
  };
  const asker = resolver(t, [], {}, { servers: () => servers, serversFile, lookup });
  assert.deepEqual(found(await asker.resolve('app.example', [])).ips, ['10.0.0.1']);
  servers = [two.address];
  writeFileSync(serversFile, 'another one');
  assert.deepEqual(found(await asker.resolve('app.example', [])).ips, ['10.0.0.2']);
  assert.deepEqual(found(await asker.resolve('app.namespace', [])).ips, ['172.17.0.2']);
  assert.equal((await asker.resolve('app.namespace.', [])).outcome, 'empty', 'a dot at the end means: as it is');
  two.zone.set('A broken.example', { rcode: 2 });
  assert.equal((await asker.resolve('broken.example', [])).outcome, 'failed', 'a failure is not "not known"');
  assert.deepEqual(asked, ['app.namespace']);
  servers = [];
  writeFileSync(serversFile, 'none at all');
  const none = await asker.resolve('app.example', []);
  assert.match(none.outcome === 'failed' ? none.why : '', /no DNS server is known: set resolver\.servers/);
});

test('closing ends what is under way', async (t) => {
  const dns = await dnsServer(t);
  for (const type of ['A', 'AAAA', 'SRV']) dns.zone.set(`${type} app.example`, { silent: true });
  const asker = resolver(t, [dns], { tries: 5 });
  const answers = Promise.all([asker.resolve('app.example', []), asker.resolve('srv:app.example', [])]);
  while (dns.asked.length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
  asker.close();
  assert.deepEqual(
    (await answers).map(({ outcome }) => outcome),
    ['failed', 'failed'],
  );
  const asked = dns.asked.length;
  assert.equal((await asker.resolve('srv:app.example', [])).outcome, 'failed');
  assert.equal(dns.asked.length, asked, 'nobody is asked any more');
});
