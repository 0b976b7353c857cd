import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';

/** Certificates or a key, and where they are from: the name of a file, or `inline` in the config. */
export interface Pem {
  readonly from: string;
  readonly text: string;
}

/** Why there is no PEM to be had; says nothing of what is in it. */
export class PemProblem extends Error {}

/** Every CA that Mozilla trusts takes up 220 KiB: what is larger is another kind of file. */
const MOST_BYTES = 4 * 1024 * 1024;

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^]*?-----END \1-----/g;

/** What a config says: PEM itself, or the name of a file that holds it. Throws `PemProblem`. */
export function readPem(given: string): Pem {
  if (given.includes('-----BEGIN ')) return { from: 'inline', text: given };
  try {
    const status = statSync(given);
    // A named pipe would keep whoever reads it waiting for ever.
    if (!status.isFile()) throw new PemProblem(`${given} is no file`);
    if (status.size > MOST_BYTES) throw new PemProblem(`${given} is too large for certificates`);
    return { from: given, text: readFileSync(given, 'latin1') };
  } catch (error) {
    if (error instanceof PemProblem) throw error;
    throw new PemProblem(`cannot read ${given}: ${reason(error as NodeJS.ErrnoException)}`);
  }
}

/** The certificates in it, in order; everything else in the file is left out. Throws when there is none. */
export function certificatesIn({ from, text }: Pem): Pem {
  const found = blocks(text, (label) => /^(?:X509 |TRUSTED )?CERTIFICATE$/.test(label));
  if (found.length === 0) {
    const hint = blocks(text, (label) => label.endsWith('PRIVATE KEY')).length > 0 ? ', but a private key' : '';
    throw new PemProblem(`no certificate is in ${place(from)}${hint}; PEM begins with -----BEGIN CERTIFICATE-----`);
  }
  for (const [index, one] of found.entries()) {
    try {
      new X509Certificate(one);
    } catch {
      throw new PemProblem(`certificate ${index + 1} in ${place(from)} cannot be read: it is damaged`);
    }
  }
  return { from, text: `${found.join('\n')}\n` };
}

/** The private key in it; everything else in the file is left out. Throws when there is none. */
export function keyIn({ from, text }: Pem): Pem {
  const [found] = blocks(text, (label) => label.endsWith('PRIVATE KEY'));
  if (found === undefined) {
    throw new PemProblem(`no private key is in ${place(from)}; PEM begins with -----BEGIN PRIVATE KEY-----`);
  }
  return { from, text: `${found}\n` };
}

/** Throws unless the key can be read, and is that of the first certificate. */
export function checkPair(certificates: Pem, key: Pem, passphrase: string | null): void {
  let read: KeyObject;
  try {
    read = createPrivateKey({ key: key.text, ...(passphrase === null ? {} : { passphrase }) });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const locked = code === 'ERR_MISSING_PASSPHRASE' || /bad decrypt|interrupted or cancelled/.test(message);
    const why = locked
      ? passphrase === null
        ? 'it is encrypted, and there is no "passphrase"'
        : 'the passphrase is wrong'
      : 'it is damaged';
    throw new PemProblem(`the private key in ${place(key.from)} cannot be read: ${why}`);
  }
  const [first] = blocks(certificates.text, () => true);
  if (new X509Certificate(first).checkPrivateKey(read)) return;
  throw new PemProblem(
    `the private key in ${place(key.from)} is not that of the first certificate in ${place(certificates.from)}`,
  );
}

function blocks(text: string, wanted: (label: string) => boolean): string[] {
  return [...text.matchAll(BLOCK)].filter(([, label]) => wanted(label)).map(([block]) => block);
}

function place(from: string): string {
  return from === 'inline' ? 'the text' : from;
}

function reason({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'no permission';
  return code ?? message;
}
