/** A network as 16 bytes of IPv6 and the length of its prefix; IPv4 lies in ::ffff:0:0/96, where sockets put it too. */
interface Network {
  readonly bytes: Uint8Array;
  readonly bits: number;
}

/** The first bit of an IPv4 address within the 128. */
const V4 = 96;

/** Networks that have a name. `unix` is every client that comes through a unix socket. */
const NAMED_NETWORKS: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  unix: [],
};

/** A set of IP networks, given as addresses, `ADDRESS/BITS` and the names above. */
export class Networks {
  readonly #networks: readonly Network[];
  readonly #unix: boolean;

  /** Texts that are not networks are left out: check them first with `networkProblem`. */
  constructor(list: readonly string[]) {
    this.#unix = list.includes('unix');
    this.#networks = list
      .flatMap((text) => NAMED_NETWORKS[text] ?? [text])
      .map(parseNetwork)
      .filter((network) => network !== undefined);
  }

  /** Whether the address, as a socket tells it (`::ffff:10.0.0.1`, `fe80::1%eth0` and `unix:` too), lies in one of them. */
  has(address: string): boolean {
    if (address === 'unix:') return this.#unix;
    if (this.#networks.length === 0) return false;
    const bytes = parseAddress(address);
    if (bytes === undefined) return false;
    for (const network of this.#networks) if (within(bytes, network)) return true;
    return false;
  }
}

/** What is wrong with the text of a network, or `undefined` when nothing is. */
export function networkProblem(text: string): string | undefined {
  if (Object.hasOwn(NAMED_NETWORKS, text)) return undefined;
  const [address = '', bits, ...rest] = text.split('/');
  const bytes = parseAddress(address);
  const names = Object.keys(NAMED_NETWORKS).join(', ');
  if (bytes === undefined || rest.length > 0 || address.includes('%')) {
    return `expected an IP address, ADDRESS/BITS, or one of ${names}`;
  }
  if (bits === undefined) return undefined;
  const most = address.includes(':') ? 128 : 32;
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > most) return `expected at most ${most} bits after the slash`;
  const prefix = Number(bits) + 128 - most;
  const start = bytes.map((byte, i) => byte & mask(prefix, i));
  if (start.every((byte, i) => byte === bytes[i])) return undefined;
  return `the address has bits set behind the first ${bits}: write ${showAddress(start, most)}/${bits}`;
}

/** 16 bytes of an IPv4 or IPv6 address; `undefined` when it is neither. A zone (`%eth0`) is passed over. */
export function parseAddress(text: string): Uint8Array | undefined {
  const zone = text.indexOf('%');
  const plain = zone < 0 ? text : text.slice(0, zone);
  if (!plain.includes(':')) {
    const four = zone < 0 ? parseV4(plain) : undefined;
    return four === undefined ? undefined : Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...four]);
  }
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const head = groups(halves[0]);
  const tail = halves.length === 2 ? groups(halves[1]) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return Uint8Array.from([...head, ...Array.from({ length: missing }, () => 0), ...tail]);
}

function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = parseAddress(address);
  if (bytes === undefined) return undefined;
  if (slash < 0) return { bytes, bits: 128 };
  return { bytes, bits: Number(text.slice(slash + 1)) + (address.includes(':') ? 0 : V4) };
}

/** IPv4 is not part of `::/0`: whoever writes that means IPv6. */
function within(bytes: Uint8Array, { bytes: start, bits }: Network): boolean {
  if (bits < V4 && isV4(bytes)) return false;
  for (let i = 0; i * 8 < bits; i++) if (((bytes[i] ^ start[i]) & mask(bits, i)) !== 0) return false;
  return true;
}

function isV4(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 0xff && bytes[11] === 0xff;
}

/** The part of byte `i` that belongs to a prefix of `bits` bits. */
function mask(bits: number, i: number): number {
  return 0xff & (0xff00 >> Math.min(8, Math.max(0, bits - i * 8)));
}

/** Bytes of the groups between colons; the last one may be IPv4. */
function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const bytes: number[] = [];
  const parts = text.split(':');
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (i === parts.length - 1 && part.includes('.')) {
      const four = parseV4(part);
      if (four === undefined) return undefined;
      bytes.push(...four);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      const value = Number.parseInt(part, 16);
      bytes.push(value >> 8, value & 0xff);
    } else {
      return undefined;
    }
  }
  return bytes;
}

/** Plain decimal only: an octal or short form means one address here and another one there. */
function parseV4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes: number[] = [];
  for (const part of parts) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bytes.push(Number(part));
  }
  return bytes;
}

function showAddress(bytes: Uint8Array, bits: number): string {
  if (bits === 32) return [...bytes.subarray(12)].join('.');
  const words: string[] = [];
  for (let i = 0; i < 16; i += 2) words.push(((bytes[i] << 8) | bytes[i + 1]).toString(16));
  return words.join(':').replace(/(?:^|:)0(?::0)+(?::|$)/, '::');
}
