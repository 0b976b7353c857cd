import { decode, encode, RECURSION_DESIRED, type Answer, type DecodedPacket } from 'dns-packet';
import { canonical, type Found } from './found.ts';
import { plain } from './hosts.ts';

/**
 * Bytes of an answer over UDP that we take: what passes every network without fragments, which could be forged
 * (DNS Flag Day 2020).
 */
const UDP_SIZE = 1232;

/** A CNAME chain longer than this is a loop or a joke. */
const LONGEST_CHAIN = 16;

/** SRV records of one name that are looked at; each may need a question of its own. */
const MOST_TARGETS = 256;

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

/** What a host name may look like to be asked for; SRV targets come from the network. */
const HOST_NAME =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

export type QuestionType = 'A' | 'AAAA' | 'SRV';

/** What is asked. */
export interface Question {
  readonly type: QuestionType;
  /** Lower case, without a dot at the end. */
  readonly name: string;
}

/** Throws when the name has a form that DNS cannot carry. */
export function ask(type: QuestionType, text: string): Question {
  const name = plain(text);
  if (!HOST_NAME.test(name))
    throw new Error('it is no name that DNS can have: labels of 1 to 63 letters, digits, - and _');
  return { type, name };
}

/** @param edns old servers do not understand it */
export function encodeQuestion(id: number, { type, name }: Question, edns: boolean): Buffer {
  const size: Answer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: UDP_SIZE,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  const questions = [{ type, name }];
  return encode({ type: 'query', id, flags: RECURSION_DESIRED, questions, additionals: edns ? [size] : [] });
}

/** The answer to just this question, or `undefined`: it is garbage, somebody else's, or forged. */
export function decodeAnswer(bytes: Buffer, id: number, asked: Question): DecodedPacket | undefined {
  let packet: DecodedPacket;
  try {
    packet = decode(bytes);
  } catch {
    return undefined;
  }
  const opcode = ((packet.flags ?? 0) >> 11) & 0xf;
  if (packet.type !== 'response' || packet.id !== id || opcode !== 0) return undefined;
  const questions = packet.questions ?? [];
  // A server that understood nothing may send the question back, or nothing at all (RFC 1035 §4.1.1).
  if (questions.length === 0 && rcodeOf(packet) === 'FORMERR') return packet;
  const [question] = questions;
  if (questions.length !== 1 || question.type !== asked.type || question.class !== 'IN') return undefined;
  return plain(question.name) === asked.name ? packet : undefined;
}

/** `NOERROR`, `NXDOMAIN`, `SERVFAIL` …, or `RCODE16`. */
export function rcodeOf(packet: DecodedPacket): string {
  let extended = 0;
  for (const record of packet.additionals ?? []) if (record.type === 'OPT') extended = record.extendedRcode;
  const code = (extended << 4) | ((packet.flags ?? 0) & 0xf);
  return RCODES[code] ?? `RCODE${code}`;
}

export interface Service {
  readonly target: string;
  readonly port: number;
  readonly weight: number;
  readonly priority: number;
}

/** What an answer holds about an SRV name. */
export interface Services {
  /** At most `MOST_TARGETS`, those of the lowest priority numbers. */
  readonly services: readonly Service[];
  /** Addresses that came along, by target. */
  readonly addresses: ReadonlyMap<string, readonly Found[]>;
  /** In milliseconds, the lowest of all records; Infinity without any. */
  readonly ttl: number;
}

/** The addresses that were asked for, and the lowest TTL in milliseconds; Infinity without any record. */
export function readAddresses(packet: DecodedPacket, question: Question): { found: Found[]; ttl: number } {
  const found: Found[] = [];
  const chain = followAliases(packet, question.name);
  let { ttl } = chain;
  for (const record of packet.answers ?? []) {
    if (record.type !== question.type || plain(record.name) !== chain.owner) continue;
    ttl = Math.min(ttl, ttlOf(record.ttl));
    const address = canonical(record.data as string);
    if (address !== undefined) found.push(address);
  }
  return { found, ttl };
}

export function readServices(packet: DecodedPacket, { name }: Question): Services {
  const answers = packet.answers ?? [];
  const chain = followAliases(packet, name);
  const { owner } = chain;
  let { ttl } = chain;
  const services: Service[] = [];
  for (const record of answers) {
    if (record.type !== 'SRV' || plain(record.name) !== owner) continue;
    const { target, port, weight = 0, priority = 0 } = record.data;
    const host = plain(target);
    // The target `.` says that there is no such service (RFC 2782); its TTL does not matter to anybody.
    if (!HOST_NAME.test(host) || port === 0) continue;
    ttl = Math.min(ttl, ttlOf(record.ttl));
    services.push({ target: host, port, weight, priority });
  }
  services.sort(
    (a, b) => a.priority - b.priority || (a.target < b.target ? -1 : a.target > b.target ? 1 : a.port - b.port),
  );
  services.splice(MOST_TARGETS);
  const targets = new Set(services.map(({ target }) => target));
  const addresses = new Map<string, Found[]>();
  for (const record of packet.additionals ?? []) {
    if (record.type !== 'A' && record.type !== 'AAAA') continue;
    const host = plain(record.name);
    const found = canonical(record.data);
    // Only what was asked for: the rest may have been put there to be believed.
    if (found === undefined || !targets.has(host)) continue;
    ttl = Math.min(ttl, ttlOf(record.ttl));
    addresses.set(host, [...(addresses.get(host) ?? []), found]);
  }
  return { services, addresses, ttl };
}

/** Where the CNAME records of an answer lead from a name, and the lowest of their TTLs. */
function followAliases({ answers = [] }: DecodedPacket, name: string): { owner: string; ttl: number } {
  let owner = name;
  let ttl = Infinity;
  for (let step = 0; step < LONGEST_CHAIN; step++) {
    const alias = answers.find((record) => record.type === 'CNAME' && plain(record.name) === owner);
    if (alias?.type !== 'CNAME') break;
    ttl = Math.min(ttl, ttlOf(alias.ttl));
    owner = plain(alias.data);
  }
  return { owner, ttl };
}

/** A TTL with the highest bit set counts as 0 (RFC 2181 §8). */
function ttlOf(seconds = 0): number {
  return seconds > 0x7fff_ffff ? 0 : seconds * 1000;
}
