import type { ErrorCode } from '../../core/errors.ts';

/** What is wrong with a connection over TLS: the row of the table of errors, and what there is to say beyond it. */
export interface Fault {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** RFC 8446 §6.2, and those of RFC 5246 that it has left out. */
const ALERTS: Readonly<Record<number, string>> = {
  10: 'unexpected_message',
  20: 'bad_record_mac',
  22: 'record_overflow',
  40: 'handshake_failure',
  41: 'no_certificate',
  42: 'bad_certificate',
  43: 'unsupported_certificate',
  44: 'certificate_revoked',
  45: 'certificate_expired',
  46: 'certificate_unknown',
  47: 'illegal_parameter',
  48: 'unknown_ca',
  49: 'access_denied',
  50: 'decode_error',
  51: 'decrypt_error',
  70: 'protocol_version',
  71: 'insufficient_security',
  80: 'internal_error',
  86: 'inappropriate_fallback',
  90: 'user_canceled',
  109: 'missing_extension',
  110: 'unsupported_extension',
  112: 'unrecognized_name',
  115: 'unknown_psk_identity',
  116: 'certificate_required',
  120: 'no_application_protocol',
};

/** Alerts by which a server says that it does not like the client's certificate, or misses it. */
const ABOUT_CERTIFICATES = [41, 42, 43, 44, 45, 46, 48, 49, 116];
const HANDSHAKE_FAILURE = 40;

/** What OpenSSL says when the first bytes are no TLS record. */
const NOT_TLS =
  /^ERR_SSL_(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)$/;

/** Errors of the chain, by OpenSSL's names as Node has them. */
const CHAIN: Readonly<Record<string, Fault>> = {
  CERT_HAS_EXPIRED: { code: 'tls-expired', detail: '' },
  CERT_NOT_YET_VALID: { code: 'tls-not-yet-valid', detail: '' },
  DEPTH_ZERO_SELF_SIGNED_CERT: { code: 'tls-untrusted', detail: 'it is self-signed' },
  SELF_SIGNED_CERT_IN_CHAIN: { code: 'tls-untrusted', detail: 'its chain ends in a CA that is not trusted' },
  UNABLE_TO_GET_ISSUER_CERT: { code: 'tls-untrusted', detail: 'its issuer is not known' },
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: { code: 'tls-untrusted', detail: 'its issuer is not known' },
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: {
    code: 'tls-untrusted',
    detail: 'its issuer is not known: the origin sends one certificate, without those up to a CA',
  },
  CERT_UNTRUSTED: { code: 'tls-untrusted', detail: 'its CA is not trusted for this' },
};

/** What a chain that OpenSSL has refused is said to be; `code` is OpenSSL's word. */
export function chainFault(code: string): Fault {
  return CHAIN[code] ?? { code: 'tls-bad-certificate', detail: code };
}

/**
 * What made the handshake fail, as far as it is about TLS; `undefined`: the connection itself failed.
 *
 * @param reached there was a connection before
 * @param own a client certificate was offered
 */
export function handshakeFault(error: NodeJS.ErrnoException | null, reached: boolean, own: boolean): Fault | undefined {
  const alert = alertFault(error, own);
  if (alert !== undefined) return alert;
  const { code = '' } = error ?? {};
  if (NOT_TLS.test(code)) return { code: 'tls-not-spoken', detail: 'its first bytes are not TLS' };
  if (!reached) return undefined;
  if (/^ERR_(?:SSL|TLS|OSSL)/.test(code)) {
    return {
      code: 'tls-failed',
      detail: code
        .replace(/^ERR_(?:SSL_)?/, '')
        .toLowerCase()
        .replaceAll('_', ' '),
    };
  }
  return { code: 'tls-failed', detail: `closed during the handshake${code === '' ? '' : ` (${code})`}` };
}

/**
 * Alerts about what we have said or asked for, which will be the same the next time (RFC 8446 §6.2): versions, ciphers, names, ALPN. The
 * others may be of the moment: internal_error is what Go says when a certificate could not be had just now.
 */
const REFUSALS: readonly number[] = [40, 70, 71, 86, 109, 110, 112, 120];

/** The alert that the peer has sent, when that is what the error is. With TLS 1.3 it may come after the handshake. */
export function alertFault(error: NodeJS.ErrnoException | null, own: boolean): Fault | undefined {
  const found = /\balert number (\d+)/i.exec(error?.message ?? '');
  if (found === null) return undefined;
  const number = Number(found[1]);
  const alert = `alert ${ALERTS[number] ?? number}`;
  if (ABOUT_CERTIFICATES.includes(number)) {
    const why = own ? 'it does not accept the one in tls.cert' : 'it wants one: tls.cert is not set';
    return { code: 'tls-client-certificate', detail: `${alert}: ${why}` };
  }
  // Before TLS 1.3 this is also how a missing certificate is told.
  const hint = number === HANDSHAKE_FAILURE && !own ? ': no common cipher, or it wants a client certificate' : '';
  return { code: REFUSALS.includes(number) ? 'tls-refused' : 'tls-failed', detail: alert + hint };
}
