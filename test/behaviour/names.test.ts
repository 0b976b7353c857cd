/** Names that lead to origins: a DNS server, the resolver, and a proxy that goes over to what it says. */
import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { check, showProblems } from '../../src/config/index.ts';
import { Sluice } from '../../src/sluice.ts';
import { addressRecord, dnsServer, type DnsServer } from '../support/dns-server.ts';
import { eventually } from '../support/scripted.ts';

interface Named {
  readonly port: number;
  readonly hosts: string[];
  readonly held: (() => void)[];
}

/** An origin that answers its name, notes the Host it sees, and keeps `/hold` until told. */
async function named(t: TestContext, name: string, host = '127.0.0.1', port = 0): Promise<Named> {
  const hosts: string[] = [];
  const held: (() => void)[] = [];
  const server = createServer((request, response) => {
    hosts.push(request.headers.host ?? '');
    if (request.url === '/hold') {
      response.write('begin ');
      held.push(() => response.end(name));
    } else response.end(name);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, hosts, held };
}

/** The same port at two addresses of this machine. */
async function pair(t: TestContext): Promise<{ one: Named; two: Named; port: number }> {
  for (let attempt = 0; ; attempt++) {
    const one = await named(t, 'one', '127.0.0.2');
    try {
      return { one, two: await named(t, 'two', '127.0.0.3', one.port), port: one.port };
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

interface Running {
  readonly address: string;
  /** What sluice said about names: `code message`. */
  readonly said: string[];
  /** Origins that came and went. */
  readonly changes: number;
  origins(): string[];
}

async function running(t: TestContext, dns: DnsServer, upstream: object): Promise<Running> {
  const { config, problems } = check({
    listen: '127.0.0.1:0',
    log: { access: 'off', error: 'off' },
    timeouts: { drain: '1m' },
    resolver: { servers: dns.address, least: '100ms', timeout: '5s', tries: 1, family: 'ipv4' },
    upstreams: { app: upstream },
  });
  if (config === undefined) throw new Error(showProblems(problems));
  const said: string[] = [];
  let changes = 0;
  const messages = {
    say(_level: string, code: string, message: string): void {
      assert.notEqual(code, 'internal', message);
      if (code === 'names') changes++;
      else if (code.startsWith('name-')) said.push(`${code} ${message}`);
    },
  };
  const sluice = new Sluice(config, { messages });
  await sluice.open();
  t.after(() => sluice.close(0));
  return {
    address: sluice.addresses[0],
    said,
    get changes() {
      return changes;
    },
    origins: () => sluice.upstreams.get('app')?.origins.map(({ name }) => name) ?? [],
  };
}

function get(base: string, path = '/'): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest(base + path, { agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('latin1').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
      answer.on('error', reject);
    });
    asked.on('error', reject).end();
  });
}

/** Whether a machine has all of 127/8, as Linux does; others have 127.0.0.1 only. */
const wholeLoopback = process.platform === 'linux' ? {} : { skip: 'only 127.0.0.1 is there' };

test('each address of a name is an origin, and what vanishes drains', wholeLoopback, async (t) => {
  const dns = await dnsServer(t);
  const { one, two, port } = await pair(t);
  dns.host('app.example', ['127.0.0.2'], 0);
  const proxy = await running(t, dns, { origins: `http://App.Example:${port}`, host: 'origin' });
  assert.deepEqual(proxy.origins(), [`127.0.0.2:${port}`]);
  const held = get(proxy.address, '/hold');
  await eventually(() => one.held.length === 1, 'the request is with its origin');
  dns.host('app.example', ['127.0.0.2', '127.0.0.3'], 0);
  await eventually(() => proxy.origins().length === 2, 'both are origins');
  dns.host('app.example', ['127.0.0.3'], 0);
  await eventually(() => proxy.origins().length === 1, 'one is gone');
  assert.equal(await get(proxy.address), '200 two');
  one.held[0]();
  assert.equal(await held, '200 begin one', 'what it had in hand it finishes');
  assert.deepEqual([one.hosts, two.hosts], [[`app.example:${port}`], [`app.example:${port}`]], 'Host is the name');
});

test('a set that flaps all the time costs no request', wholeLoopback, async (t) => {
  const dns = await dnsServer(t);
  const { port } = await pair(t);
  const sets = [['127.0.0.2'], ['127.0.0.2', '127.0.0.3'], ['127.0.0.3'], ['127.0.0.3', '127.0.0.2'], []];
  let turn = 0;
  dns.zone.set('A app.example', () => ({
    answers: sets[turn++ % sets.length].map((ip) => addressRecord('app.example', ip, 0)),
  }));
  const proxy = await running(t, dns, { origins: `app.example:${port}` });
  const answers = new Map<string, number>();
  let stop = false;
  const clients = Array.from({ length: 6 }, async () => {
    while (!stop) {
      const answer = await get(proxy.address).catch((error: Error) => error.message);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  });
  await eventually(() => proxy.changes >= 8, 'eight changes');
  stop = true;
  await Promise.all(clients);
  assert.deepEqual([...answers.keys()].toSorted(), ['200 one', '200 two']);
});

test('a resolver that fails, and one that answers nothing, keep the set and say so once', async (t) => {
  const dns = await dnsServer(t);
  const origin = await named(t, 'one');
  dns.host('app.example', ['127.0.0.1'], 0);
  const proxy = await running(t, dns, { origins: `app.example:${origin.port}` });
  const asked = (): number => dns.count('A', 'app.example');
  for (const [reply, code] of [
    [{ rcode: 2 }, 'name-failed'],
    [{ answers: [] }, 'name-empty'],
    [{ rcode: 3 }, 'name-empty'],
  ] as const) {
    proxy.said.length = 0;
    dns.zone.set('A app.example', reply);
    const before = asked();
    const times = code === 'name-failed' ? 2 : 1;
    await eventually(() => asked() >= before + times && proxy.said.length > 0, 'it was asked for');
    assert.equal(await get(proxy.address), '200 one');
    dns.host('app.example', ['127.0.0.1'], 0);
    await eventually(() => proxy.said.some((line) => line.startsWith('name-resolved')), 'it resolves again');
    assert.deepEqual(
      proxy.said.map((line) => line.split(' ')[0]),
      [code, 'name-resolved'],
    );
  }
  await dns.stop();
  await eventually(() => proxy.said.some((line) => /^name-failed .*ECONNREFUSED/.test(line)), 'nobody listens');
  assert.equal(await get(proxy.address), '200 one');
  assert.equal(proxy.changes, 0);
});

test('an upstream whose name is not known yet answers 503, and serves as soon as it is', async (t) => {
  const dns = await dnsServer(t);
  const origin = await named(t, 'late');
  const proxy = await running(t, dns, { origins: 'srv:_http._tcp.app.example' });
  assert.match(await get(proxy.address), /^503 /);
  dns.service('_http._tcp.app.example', [`0 0 ${origin.port} a.app.example`], 0);
  dns.host('a.app.example', ['127.0.0.1']);
  await eventually(() => proxy.origins().length === 1, 'the origin is there');
  assert.equal(await get(proxy.address), '200 late');
});

test('SRV records: ports and weights are theirs, and a lower priority is the reserve', async (t) => {
  const dns = await dnsServer(t);
  const [first, second, reserve] = [await named(t, 'first'), await named(t, 'second'), await named(t, 'reserve')];
  const records = [`10 3 ${first.port} a.example`, `10 1 ${second.port} a.example`, `20 9 ${reserve.port} a.example`];
  const addresses = [addressRecord('a.example', '127.0.0.1', 0)];
  dns.service('_http._tcp.app.example', records, 0, addresses);
  const proxy = await running(t, dns, {
    origins: 'srv:_http._tcp.app.example',
    balance: 'round-robin',
    host: 'origin',
  });
  const answers: string[] = [];
  for (let i = 0; i < 8; i++) answers.push(await get(proxy.address));
  const count = (text: string): number => answers.filter((answer) => answer === text).length;
  assert.deepEqual([count('200 first'), count('200 second')], [6, 2]);
  assert.equal(first.hosts[0], `app.example:${first.port}`);
  dns.service('_http._tcp.app.example', records.slice(2), 0, addresses);
  await eventually(() => proxy.origins().length === 1, 'only the reserve is left');
  assert.equal(await get(proxy.address), '200 reserve');
});
