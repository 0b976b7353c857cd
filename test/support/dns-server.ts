/** A DNS server on loopback that does as the test says: UDP and TCP on one port that the system hands out. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { AUTHORITATIVE_ANSWER, decode, encode, TRUNCATED_RESPONSE, type Answer, type Packet } from 'dns-packet';

/** What comes back for a question; what is left out is as a good server has it. */
export interface Reply {
  readonly answers?: readonly Answer[];
  readonly additionals?: readonly Answer[];
  /** 2 SERVFAIL, 3 NXDOMAIN, 5 REFUSED … */
  readonly rcode?: number;
  /** The question is not answered at all. */
  readonly silent?: boolean;
  /** Milliseconds until it is. */
  readonly delay?: number;
  /** Over UDP only the head comes, with the TC bit. */
  readonly truncated?: boolean;
  /** Datagrams or messages sent before the answer: built from it, or bytes. */
  readonly noise?: readonly (Partial<Packet> | Buffer)[];
  /** Over TCP: the connection ends after this many bytes. */
  readonly cutAfter?: number;
}

interface Asked {
  readonly type: string;
  readonly name: string;
  readonly over: 'udp' | 'tcp';
  readonly edns: boolean;
  readonly port: number;
  readonly id: number;
}

export interface DnsServer {
  /** `127.0.0.1:PORT`, as in `resolver.servers`. */
  readonly address: string;
  readonly port: number;
  /** Every question that came. */
  readonly asked: Asked[];
  /** By `TYPE name`; a name that has no entry of any type is NXDOMAIN, one that has another type's gets no records. */
  readonly zone: Map<string, Reply | ((asked: Asked) => Reply)>;
  /** Records of these addresses and this TTL in seconds, A and AAAA. */
  host(name: string, addresses: readonly string[], ttl?: number): void;
  /** `priority weight port target` each. */
  service(name: string, records: readonly string[], ttl?: number, additionals?: Answer[]): void;
  count(type: string, name: string): number;
  /** Stops for good; whoever asks is told by the kernel that nobody listens. */
  stop(): Promise<void>;
}

export function addressRecord(name: string, address: string, ttl = 60): Answer {
  return { type: address.includes(':') ? 'AAAA' : 'A', name, ttl, data: address };
}

export async function dnsServer(t: TestContext): Promise<DnsServer> {
  const [udp, tcp] = await bind();
  const { port } = udp.address();
  const asked: Asked[] = [];
  const zone: DnsServer['zone'] = new Map();
  const sockets = new Set<Socket>();
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;

  const answer = (bytes: Buffer, over: 'udp' | 'tcp', from: number, send: (bytes: Buffer, last: boolean) => void) => {
    const query = decode(bytes);
    const [question] = query.questions ?? [];
    const name = question.name.toLowerCase();
    const edns = (query.additionals ?? []).some(({ type }) => type === 'OPT');
    const one: Asked = { type: question.type, name, over, edns, port: from, id: query.id ?? 0 };
    asked.push(one);
    const entry = zone.get(`${question.type} ${name}`);
    const known = [...zone.keys()].some((key) => key.endsWith(` ${name}`));
    const reply = typeof entry === 'function' ? entry(one) : (entry ?? { rcode: known ? 0 : 3 });
    if (reply.silent === true) return;
    const truncated = reply.truncated === true && over === 'udp';
    const packet: Packet = {
      type: 'response',
      id: query.id,
      flags: AUTHORITATIVE_ANSWER | (truncated ? TRUNCATED_RESPONSE : 0) | (reply.rcode ?? 0),
      questions: query.questions,
      answers: truncated ? [] : [...(reply.answers ?? [])],
      additionals: truncated ? [] : [...(reply.additionals ?? [])],
    };
    const go = (): void => {
      if (stopped) return;
      for (const noise of reply.noise ?? [])
        send(Buffer.isBuffer(noise) ? noise : encode({ ...packet, ...noise }), false);
      send(encode(packet).subarray(0, over === 'tcp' ? reply.cutAfter : undefined), true);
    };
    if (reply.delay === undefined) go();
    else {
      const timer = setTimeout(() => (timers.delete(timer), go()), reply.delay);
      timers.add(timer);
    }
  };

  udp.on('message', (bytes: Buffer, peer: RemoteInfo) =>
    answer(bytes, 'udp', peer.port, (out) => udp.send(out, peer.port, peer.address, () => {})),
  );
  udp.on('error', () => {});
  tcp.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    let held = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE()) {
        const message = held.subarray(2, 2 + held.readUInt16BE());
        held = held.subarray(2 + message.length);
        let whole = 0;
        answer(Buffer.from(message), 'tcp', socket.remotePort ?? 0, (out, last) => {
          const length = Buffer.alloc(2);
          // A cut off answer announces more than comes.
          whole = last && isCut(message) ? out.length + 10 : out.length;
          length.writeUInt16BE(whole);
          socket.write(Buffer.concat([length, out]));
          if (whole !== out.length) socket.end();
        });
      }
    });
  });
  const isCut = (message: Buffer): boolean => {
    const [question] = decode(message).questions ?? [];
    const entry = zone.get(`${question.type} ${question.name.toLowerCase()}`);
    return typeof entry === 'object' && entry.cutAfter !== undefined;
  };

  const stop = async (): Promise<void> => {
    if (stopped) return;
    stopped = true;
    for (const timer of timers) clearTimeout(timer);
    for (const socket of sockets) socket.destroy();
    await Promise.all([
      new Promise<void>((resolve) => udp.close(() => resolve())),
      new Promise<void>((resolve) => tcp.close(() => resolve())),
    ]);
  };
  t.after(stop);
  return {
    address: `127.0.0.1:${port}`,
    port,
    asked,
    zone,
    host(name, addresses, ttl = 60) {
      for (const type of ['A', 'AAAA']) {
        const answers = addresses
          .map((address) => addressRecord(name, address, ttl))
          .filter((record) => record.type === type);
        zone.set(`${type} ${name}`, { answers });
      }
    },
    service(name, records, ttl = 60, additionals = []) {
      const answers = records.map((text): Answer => {
        const [priority, weight, ownPort, target = ''] = text.split(' ');
        const data = { priority: Number(priority), weight: Number(weight), port: Number(ownPort), target };
        return { type: 'SRV', name, ttl, data };
      });
      zone.set(`SRV ${name}`, { answers, additionals });
    },
    count: (type, name) => asked.filter((one) => one.type === type && one.name === name).length,
    stop,
  };
}

/** A port that is free for both: what UDP got may be taken by another test's TCP. */
async function bind(): Promise<[UdpSocket, Server]> {
  for (let attempt = 0; ; attempt++) {
    const udp = createSocket('udp4');
    await new Promise<void>((resolve) => udp.bind(0, '127.0.0.1', resolve));
    const tcp = createServer();
    const bound = await new Promise<boolean>((resolve) => {
      tcp.once('error', () => resolve(false));
      tcp.listen(udp.address().port, '127.0.0.1', () => resolve(true));
    });
    if (bound) return [udp, tcp];
    await new Promise<void>((resolve) => udp.close(() => resolve()));
    if (attempt === 20) throw new Error('no port is free for UDP and TCP');
  }
}
