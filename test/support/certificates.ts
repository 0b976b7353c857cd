/** Certificates made on the fly by openssl, of which Node has nothing to make them with. */
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { skipUnless } from './peer.ts';

export interface Issued {
  /** Files. */
  readonly cert: string;
  readonly key: string;
  /** What is in them. */
  readonly pem: { readonly cert: string; readonly key: string };
  /** SHA-256, as `AB:CD:…`. */
  readonly fingerprint: string;
}

export interface Wanted {
  /** `DNS:a.example`, `IP:127.0.0.1`; default: both of localhost. */
  readonly names?: readonly string[];
  /** Days from today; default yesterday to in a month. */
  readonly from?: number;
  readonly to?: number;
  /** It may issue others. */
  readonly authority?: boolean;
}

const DAY = 86_400_000;
const LOCAL = ['DNS:localhost', 'IP:127.0.0.1'];

/** A certificate authority with a folder of its own, gone when the process ends. */
export class Authority {
  readonly folder: string;
  readonly cert: string;
  readonly pem: string;
  readonly #key: string;
  readonly #openssl: string;
  #count = 0;

  /** @param parent who has issued it; default: itself */
  constructor(openssl: string, name = 'Test CA', parent?: Authority, wanted: Wanted = {}) {
    this.#openssl = openssl;
    this.folder = mkdtempSync(join(tmpdir(), 'sluice-ca-'));
    process.once('exit', () => rmSync(this.folder, { recursive: true, force: true }));
    writeFileSync(join(this.folder, 'index.txt'), '');
    writeFileSync(
      join(this.folder, 'ca.cnf'),
      `[ca]\ndefault_ca = own\n[own]\ndatabase = ${this.folder}/index.txt\nnew_certs_dir = ${this.folder}\nrand_serial = yes
default_md = sha256\npolicy = any\nunique_subject = no\nemail_in_dn = no\ncopy_extensions = copy\n[any]\ncommonName = supplied
[req]\ndistinguished_name = dn\n[dn]\n`,
    );
    if (parent !== undefined) {
      const made = parent.issue(name, { ...wanted, authority: true });
      [this.cert, this.#key] = [made.cert, made.key];
    } else {
      this.cert = join(this.folder, 'ca.pem');
      this.#key = join(this.folder, 'ca.key');
      this.#run('req', '-x509', ...this.#request(name, this.#key), '-out', this.cert, '-days', '30');
    }
    this.pem = readFileSync(this.cert, 'latin1');
  }

  /** Its own certificate, for a server that has issued itself one. */
  get own(): Issued {
    const pem = { cert: this.pem, key: readFileSync(this.#key, 'latin1') };
    return { cert: this.cert, key: this.#key, pem, fingerprint: new X509Certificate(this.pem).fingerprint256 };
  }

  issue(name: string, { names = LOCAL, from = -1, to = 30, authority = false }: Wanted = {}): Issued {
    const base = join(this.folder, `${++this.#count}`);
    const [cert, key, request] = [`${base}.pem`, `${base}.key`, `${base}.csr`];
    const extensions = authority
      ? ['-addext', 'basicConstraints=critical,CA:TRUE']
      : names.length === 0
        ? []
        : ['-addext', `subjectAltName=${names.join(',')}`];
    this.#run('req', '-new', ...this.#request(name, key), '-out', request, ...extensions);
    const times = ['-startdate', stamp(from), '-enddate', stamp(to)];
    const own = ['-config', join(this.folder, 'ca.cnf'), '-cert', this.cert, '-keyfile', this.#key];
    this.#run('ca', '-batch', '-notext', ...own, '-in', request, '-out', cert, ...times);
    const pem = { cert: readFileSync(cert, 'latin1'), key: readFileSync(key, 'latin1') };
    return { cert, key, pem, fingerprint: new X509Certificate(pem.cert).fingerprint256 };
  }

  /** The key again, encrypted. */
  lock({ key }: Issued, passphrase: string): string {
    const locked = `${key}.locked`;
    this.#run('pkcs8', '-topk8', '-in', key, '-out', locked, '-passout', `pass:${passphrase}`);
    return locked;
  }

  #request(name: string, key: string): string[] {
    const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    return [...algorithm, '-config', join(this.folder, 'ca.cnf'), '-keyout', key, '-subj', `/CN=${name}`];
  }

  #run(...args: string[]): void {
    execFileSync(this.#openssl, args, { stdio: 'pipe' });
  }
}

let shared: Authority | undefined;

/** The file's own authority; `undefined` without openssl: then the test is skipped. */
export function authority(t: Pick<TestContext, 'skip'>): Authority | undefined {
  const openssl = skipUnless(t, 'openssl');
  if (openssl === undefined) return undefined;
  return (shared ??= new Authority(openssl));
}

/** `YYYYMMDDHHMMSSZ` */
function stamp(days: number): string {
  return new Date(Date.now() + days * DAY).toISOString().replaceAll(/[-:T]|\.\d+/g, '');
}
