import type { OriginAddress } from '../../core/origin.ts';
import type { TlsOptions } from './options.ts';

/** The name that an origin is asked for, and that has to be in its certificate. */
export function serverNameOf({ serverName }: Pick<TlsOptions, 'serverName'>, { host, path }: OriginAddress): string {
  if (serverName !== '') return serverName.replace(/\.$/, '');
  return path === undefined ? host.replace(/\.$/, '') : 'localhost';
}

/** Who an origin over TLS has to be, and who we are, as operators see it. */
export interface Identity {
  readonly serverName: string;
  /** What its certificate is held against; with nothing anybody may answer. */
  readonly checks: ('ca' | 'fingerprint')[];
  /** We show a certificate of our own. */
  readonly clientCertificate: boolean;
}

export function identityOf(tls: TlsOptions, address: OriginAddress): Identity {
  return {
    serverName: serverNameOf(tls, address),
    checks: [
      ...(tls.verify ? (['ca'] as const) : []),
      ...(tls.fingerprints.length > 0 ? (['fingerprint'] as const) : []),
    ],
    clientCertificate: tls.cert !== null,
  };
}
