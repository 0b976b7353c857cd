import { z } from 'zod';
import { oneOrMany } from '../../core/kind.ts';
import { cipherProblem, MIN_VERSIONS } from './security.ts';
import { certificatesIn, checkPair, keyIn, type Pem, PemProblem, readPem } from './pem.ts';

/** Names of whole stores of CAs, which may stand where a file may. */
const STORES = ['default', 'system'] as const;
type Store = (typeof STORES)[number];

/** How connections to origins over TLS are made. Files have been read, so that another content is another config. */
export interface TlsOptions {
  /** The chain and the name are checked. Without this and without fingerprints, anybody may answer. */
  readonly verify: boolean;
  /** Who is trusted; empty: whom Node trusts. */
  readonly ca: readonly (Pem | Store)[];
  /** The name that is asked for and has to be in the certificate; '' is the host in the origin's URL. */
  readonly serverName: string;
  /** SHA-256 of certificates, one of which it has to be: `AB:CD:…`, 32 bytes. */
  readonly fingerprints: readonly string[];
  readonly cert: Pem | null;
  readonly key: Pem | null;
  readonly passphrase: string | null;
  readonly minVersion: (typeof MIN_VERSIONS)[number];
  /** OpenSSL's list; '' is Node's. */
  readonly ciphers: string;
  /** What is offered by ALPN, the best first; empty: what the scheme says. */
  readonly alpn: readonly string[];
}

/** Text that is read into something else, with what is wrong about it as an issue at its place. */
function reading<Value>(read: (given: string) => Value): z.ZodType<Value, string> {
  return z
    .string()
    .min(1)
    .transform((given, context): Value => {
      try {
        return read(given);
      } catch (error) {
        if (!(error instanceof PemProblem)) throw error;
        context.addIssue({ code: 'custom', input: given, message: error.message });
        return z.NEVER;
      }
    });
}

const authority = reading((given): Pem | Store =>
  (STORES as readonly string[]).includes(given) ? (given as Store) : certificatesIn(readPem(given)),
);

const fingerprint = z.string().transform((given, context): string => {
  const digits = given.replace(/^sha-?256[:=\s]+/i, '').replaceAll(/[:\s]/g, '');
  if (/^[0-9a-f]{64}$/i.test(digits)) return (digits.toUpperCase().match(/../g) ?? []).join(':');
  const message = /^[0-9a-f]{40}$/i.test(digits)
    ? 'this is a SHA-1 fingerprint: expected SHA-256, as `openssl x509 -noout -fingerprint -sha256` prints it'
    : 'expected a SHA-256 fingerprint of 64 hexadecimal digits, as `openssl x509 -noout -fingerprint -sha256` prints it';
  context.addIssue({ code: 'custom', input: given, message });
  return z.NEVER;
});

const NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?$/i;

const shape = z
  .strictObject({
    verify: z
      .boolean()
      .optional()
      .describe(
        "Whether the origin's certificate has to be issued by somebody who is trusted, for its name, and be valid today. " +
          'Default: true, or false where `fingerprint` stands without `ca`. With neither, whoever gets between can read and change everything.',
      ),
    ca: oneOrMany(authority)
      .optional()
      .describe(
        'Who is trusted, instead of everybody whom Node trusts: files of certificates or PEM itself; `default` is whom Node trusts, ' +
          '`system` whom the operating system trusts.',
      ),
    serverName: z
      .string()
      .regex(NAME, 'expected a host name, as it is in the certificate')
      .optional()
      .describe(
        "The name that the origin is asked for (SNI) and that its certificate has to have. Default: the host in the origin's URL, " +
          'also when that leads to several addresses; `localhost` for a unix socket. An IP address is not sent, but has to be in the certificate.',
      ),
    fingerprint: oneOrMany(fingerprint)
      .optional()
      .describe(
        'SHA-256 of the certificate that the origin has to have, or of several. Alone it replaces all other checks, so a ' +
          'self-signed or expired certificate will do; with `ca` or `verify: true` it comes on top.',
      ),
    cert: reading(readPem)
      .optional()
      .describe(
        'For origins that want to know who asks: a file with the certificate, and those up to the CA behind it, or PEM itself.',
      ),
    key: reading(readPem)
      .optional()
      .meta({ secret: true })
      .describe('The private key of `cert`: a file or PEM itself. Default: it is in the same file.'),
    passphrase: z.string().min(1).optional().meta({ secret: true }).describe('Of `key`, when that is encrypted.'),
    minVersion: z
      .enum(MIN_VERSIONS)
      .default('TLSv1.2')
      .describe(
        'The oldest version of TLS that will do. Those before TLSv1.2 also need `ciphers: "DEFAULT@SECLEVEL=0"`.',
      ),
    ciphers: z
      .string()
      .superRefine((given, context) => {
        const problem = cipherProblem(given);
        if (problem !== undefined) context.addIssue({ code: 'custom', input: given, message: problem });
      })
      .optional()
      .describe("What may be used, as a list in OpenSSL's form. Default: Node's."),
    alpn: oneOrMany(z.string().regex(/^[\x21-\x7e]{1,255}$/, 'expected the name of a protocol, such as http/1.1'), 0)
      .default([])
      .describe(
        'Protocols that `https://` origins may choose from (ALPN), the best first: `h2` and `http/1.1`; what they choose is spoken. Origins that choose nothing are spoken ' +
          'to in HTTP/1.1 where that is in the list. Default: HTTP/1.1.',
      ),
  })
  .meta({ title: 'tls' });

/** TLS towards origins; files are read and checked. */
export const tlsSchema = shape.transform((given, context): TlsOptions => {
  const { verify, ca = [], serverName = '', fingerprint: fingerprints = [], minVersion, ciphers = '', alpn } = given;
  const common = { ca, serverName, fingerprints, minVersion, ciphers, alpn };
  const refuse = (key: string, message: string): never => {
    context.addIssue({ code: 'custom', input: undefined, path: [key], message });
    return z.NEVER;
  };
  const checks = verify ?? (fingerprints.length === 0 || ca.length > 0);
  if (!checks && ca.length > 0)
    return refuse('ca', 'nobody is asked whom it trusts, with `verify: false`: leave it out');
  const plain = { ...common, verify: checks, cert: null, key: null, passphrase: null };
  if (given.cert === undefined) {
    if (given.key !== undefined) return refuse('key', '"cert" is missing: a key is of no use without a certificate');
    if (given.passphrase !== undefined) return refuse('passphrase', '"cert" is missing');
    return plain;
  }
  const passphrase = given.passphrase ?? null;
  let at = 'cert';
  try {
    const cert = certificatesIn(given.cert);
    at = given.key === undefined ? 'cert' : 'key';
    const key = keyIn(given.key ?? given.cert);
    checkPair(cert, key, passphrase);
    return { ...plain, cert, key, passphrase };
  } catch (error) {
    if (!(error instanceof PemProblem)) throw error;
    const hint =
      given.key === undefined && at === 'cert' && error.message.startsWith('no private key') ? '; give "key"' : '';
    return refuse(at, error.message + hint);
  }
});

/** With nothing configured. */
export const tlsDefaults: TlsOptions = tlsSchema.parse({});
