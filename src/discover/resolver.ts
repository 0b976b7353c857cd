import { promises as dns } from 'node:dns';
import { networkInterfaces } from 'node:os';
import type { DecodedPacket } from 'dns-packet';
import type { Clock } from '../core/clock.ts';
import { DnsClient } from './dns-client.ts';
import { ask, rcodeOf, readAddresses, readServices, type Question, type Service } from './dns-message.ts';
import { canonical, orderly, type Answer, type Found } from './found.ts';
import { fileStamp, HostsFile } from './hosts.ts';
import type { ResolverOptions } from './options.ts';
import { parseServer, type DnsServer } from './server.ts';

/** What names that DNS did not answer are worth: the hosts file and the system's resolver tell no TTL. Milliseconds. */
const LOCAL_TTL = 30_000;

/** What the machine has, for tests to put their own in its place. */
export interface Machine {
  /** Path of the hosts file. */
  readonly hosts?: string;
  /** Path of the file that lists the system's DNS servers; when it changes, they are asked for anew. */
  readonly serversFile?: string;
  /** Those servers, as node:dns writes them. */
  readonly servers?: () => readonly string[];
  /** The system's resolver (getaddrinfo), for names that DNS does not know. */
  readonly lookup?: (name: string) => Promise<readonly { readonly address: string }[]>;
  readonly hasIPv6?: () => boolean;
}

/** How the names of SRV records are written where names of hosts are meant otherwise. */
export const SRV = 'srv:';

type Wanted = Pick<ResolverOptions, 'servers' | 'timeout' | 'tries' | 'family'>;

/**
 * Asks what a name leads to: the hosts file first, then DNS, then, for names that a search list or the system's own ways
 * may know (`app`, `app.namespace`, `app.local`), the system.
 */
export class Resolver {
  readonly #options: Wanted;
  readonly #machine: Machine;
  readonly #hosts: HostsFile;
  readonly #client: DnsClient;
  #servers: readonly DnsServer[];
  #serversStamp = '';
  #closed = false;

  constructor(options: Wanted, clock: Clock, machine: Machine = {}) {
    this.#options = options;
    this.#machine = machine;
    this.#hosts = new HostsFile(machine.hosts);
    this.#client = new DnsClient(clock);
    this.#servers = this.#readServers();
  }

  /**
   * Never rejects.
   *
   * @param name a host's, or `srv:` and an SRV record's
   * @param before what it led to last: kept for the parts that cannot be asked for now
   */
  async resolve(name: string, before: readonly Found[]): Promise<Answer> {
    try {
      await this.#renew();
      const answer = name.startsWith(SRV)
        ? await this.#services(name.slice(SRV.length), before)
        : await this.#addresses(name, before);
      return answer.outcome === 'found' ? { ...answer, records: orderly(answer.records) } : answer;
    } catch (error) {
      return { outcome: 'failed', why: error instanceof Error ? error.message : String(error) };
    }
  }

  /** What is under way fails soon. */
  close(): void {
    this.#closed = true;
    this.#client.close();
  }

  async #services(name: string, before: readonly Found[]): Promise<Answer> {
    const question = ask('SRV', name);
    const packet = await this.#ask(question);
    if (rcodeOf(packet) === 'NXDOMAIN') return { outcome: 'empty', why: 'DNS does not know it (NXDOMAIN)' };
    const { services, addresses, ttl } = readServices(packet, question);
    if (services.length === 0) return { outcome: 'empty', why: 'DNS has no SRV records for it' };
    const targets = [...new Set(services.map(({ target }) => target))];
    const families = this.#families();
    const answers = new Map<string, Answer>();
    for (const [target, found] of addresses) {
      const records = found.filter(({ family }) => families.includes(family));
      if (records.length > 0) answers.set(target, { outcome: 'found', records, ttl, missing: [] });
    }
    const unknown = targets.filter((target) => !answers.has(target));
    await Promise.all(
      unknown.map(async (target) => {
        // Absolute, as everything that DNS names: no search list and none of the system's ways.
        answers.set(
          target,
          await this.#addresses(
            `${target}.`,
            before.filter((one) => one.target === target),
          ),
        );
      }),
    );
    return assemble(services, answers, before, ttl);
  }

  async #addresses(name: string, before: readonly Found[]): Promise<Answer> {
    const families = this.#families();
    const local = await this.#hosts.find(name);
    if (local !== undefined) {
      const records = local.filter(({ family }) => families.includes(family));
      return records.length > 0
        ? { outcome: 'found', records, ttl: LOCAL_TTL, missing: [] }
        : { outcome: 'empty', why: 'the hosts file has no address for it that can be used' };
    }
    const answer = await this.#asked(name, families, before);
    if (answer.outcome === 'found' || name.endsWith('.') || this.#closed) return answer;
    const simple = !name.includes('.');
    // A list of servers is a decision; only names without a dot, which are not DNS's, go past it.
    const system = simple || (this.#options.servers.length === 0 && answer.outcome === 'empty');
    return system ? this.#bySystem(name, families, answer) : answer;
  }

  /** What DNS says, for each address family. */
  async #asked(name: string, families: readonly (4 | 6)[], before: readonly Found[]): Promise<Answer> {
    const parts = await Promise.all(families.map((family) => this.#family(name, family)));
    const records = parts.flatMap((part) => part.records);
    const failed = parts.filter((part) => part.failure !== undefined);
    const missing = [...new Set(failed.map(({ failure }) => failure as string))];
    if (records.length > 0) {
      const kept = before.filter(({ family }) => failed.some((part) => part.family === family));
      const ttl = Math.min(...parts.map((part) => part.ttl));
      return { outcome: 'found', records: [...records, ...kept], ttl, missing };
    }
    // A name that does not exist has no address of the other family either, whatever became of that question.
    if (parts.some((part) => part.unknown)) return { outcome: 'empty', why: 'DNS does not know it (NXDOMAIN)' };
    if (missing.length > 0) return { outcome: 'failed', why: missing.join(', ') };
    return { outcome: 'empty', why: 'DNS has no address for it that can be used' };
  }

  async #family(name: string, family: 4 | 6): Promise<Part> {
    const part: Part = { family, records: [], ttl: Infinity };
    try {
      const question = ask(family === 4 ? 'A' : 'AAAA', name);
      const packet = await this.#ask(question);
      const { found, ttl } = readAddresses(packet, question);
      return { ...part, records: found, ttl, unknown: rcodeOf(packet) === 'NXDOMAIN' };
    } catch (error) {
      return { ...part, failure: error instanceof Error ? error.message : String(error) };
    }
  }

  #ask(question: Question): Promise<DecodedPacket> {
    const { timeout, tries } = this.#options;
    return this.#client.ask(question, this.#servers, timeout, tries);
  }

  async #bySystem(name: string, families: readonly (4 | 6)[], dnsAnswer: Answer): Promise<Answer> {
    const lookup = this.#machine.lookup ?? ((asked) => dns.lookup(asked, { all: true }));
    try {
      const found = await lookup(name);
      const records = found
        .flatMap(({ address }) => canonical(address) ?? [])
        .filter(({ family }) => families.includes(family));
      return records.length > 0 ? { outcome: 'found', records, ttl: LOCAL_TTL, missing: [] } : dnsAnswer;
    } catch {
      // What DNS said says more than EAI_AGAIN.
      return dnsAnswer;
    }
  }

  #families(): readonly (4 | 6)[] {
    switch (this.#options.family) {
      case 'ipv4':
        return [4];
      case 'ipv6':
        return [6];
      case 'both':
        return [4, 6];
      default:
        return (this.#machine.hasIPv6 ?? hasIPv6)() ? [4, 6] : [4];
    }
  }

  /** The system's servers may change: a VPN, another network. */
  async #renew(): Promise<void> {
    if (this.#options.servers.length > 0) return;
    const stamp = await fileStamp(this.#machine.serversFile ?? '/etc/resolv.conf');
    if (stamp === this.#serversStamp) return;
    this.#serversStamp = stamp;
    this.#servers = this.#readServers();
  }

  /** Those of the config, or of the system: Node reads their list when a resolver is made, and never again. */
  #readServers(): DnsServer[] {
    const { servers } = this.#options;
    const system = this.#machine.servers ?? (() => new dns.Resolver().getServers());
    return (servers.length > 0 ? servers : system()).flatMap((text) => parseServer(text) ?? []);
  }
}

/** What one address family had to say. */
interface Part {
  readonly family: 4 | 6;
  readonly records: readonly Found[];
  /** Infinity without records. */
  readonly ttl: number;
  /** The name does not exist. */
  readonly unknown?: boolean;
  /** Why nobody could say. */
  readonly failure?: string;
}

/** Puts the addresses of the targets into the SRV records. */
function assemble(
  services: readonly Service[],
  answers: ReadonlyMap<string, Answer>,
  before: readonly Found[],
  srvTtl: number,
): Answer {
  const records: Found[] = [];
  const missing = new Set<string>();
  let ttl = srvTtl;
  for (const { target, port, weight, priority } of services) {
    const answer = answers.get(target);
    if (answer === undefined || answer.outcome === 'empty') continue;
    const addresses = answer.outcome === 'found' ? answer.records : before.filter((one) => one.target === target);
    if (answer.outcome === 'found') {
      ttl = Math.min(ttl, answer.ttl);
      for (const why of answer.missing) missing.add(`${target}: ${why}`);
    } else missing.add(`${target}: ${answer.why}`);
    for (const { ip, family } of addresses) records.push({ ip, family, port, weight, priority, target });
  }
  if (records.length > 0) return { outcome: 'found', records, ttl, missing: [...missing] };
  if (missing.size > 0) return { outcome: 'failed', why: [...missing].join(', ') };
  return { outcome: 'empty', why: 'none of the hosts in its SRV records has an address that can be used' };
}

/** As AI_ADDRCONFIG of getaddrinfo has it: an address that leads somewhere else. */
function hasIPv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address)),
  );
}
