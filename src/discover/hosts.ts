import { readFile, stat } from 'node:fs/promises';
import { canonical, type Found } from './found.ts';

/** Block lists in the hosts file have a few MB; what is larger than this is something else. */
const MOST_BYTES = 32 << 20;

/** Where this system has it. */
const hostsPath =
  process.platform === 'win32'
    ? `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\drivers\\etc\\hosts`
    : '/etc/hosts';

/** The hosts file, read again when it has changed. Its names win over DNS, as on every system. */
export class HostsFile {
  readonly #path: string;
  #stamp = '';
  #names: ReadonlyMap<string, readonly Found[]> = new Map();

  constructor(path: string = hostsPath) {
    this.#path = path;
  }

  /** The addresses of a name (any case, a dot at the end or not); `undefined` when the file does not have it. */
  async find(name: string): Promise<readonly Found[] | undefined> {
    const stamp = await fileStamp(this.#path);
    if (stamp !== this.#stamp) {
      this.#names = stamp === '' ? new Map() : parseHosts(await read(this.#path));
      this.#stamp = stamp;
    }
    return this.#names.get(plain(name));
  }
}

/** A text that is another one when the file has changed, and '' when there is none. */
export async function fileStamp(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino, dev } = await stat(path);
    return size > MOST_BYTES ? '' : `${mtimeMs} ${size} ${dev} ${ino}`;
  } catch {
    return '';
  }
}

/** Lines of an address and its names; `#` begins a comment. What is not an address that can be dialled is left out. */
export function parseHosts(text: string): Map<string, Found[]> {
  const names = new Map<string, Found[]>();
  for (const line of text.split(/\r?\n/)) {
    const [address = '', ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (aliases.length === 0) continue;
    const found = canonical(address);
    for (const alias of aliases) {
      const key = plain(alias);
      // A name that is only blocked (0.0.0.0) is known too: it has no address.
      const list = names.get(key) ?? [];
      if (found !== undefined) list.push(found);
      names.set(key, list);
    }
  }
  return names;
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

/** A name as it is compared. */
export function plain(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
