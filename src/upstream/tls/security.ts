import {
  checkServerIdentity,
  type ConnectionOptions,
  createSecureContext,
  type DetailedPeerCertificate,
  getCACertificates,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { parseAddress } from '../../core/networks.ts';
import type { OriginAddress } from '../../core/origin.ts';
import { serverNameOf } from './identity.ts';
import { alertFault, chainFault, type Fault, handshakeFault } from './fault.ts';
import type { TlsOptions } from './options.ts';
import { Tickets } from './tickets.ts';

export const MIN_VERSIONS = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const;

/** What is offered by ALPN (RFC 7301). */
export interface Offer {
  readonly names: readonly string[];
  /** The origin has to choose one of them; else one that does not know ALPN will do. */
  readonly required: boolean;
}

/** Why OpenSSL cannot use a list of ciphers; `undefined`: it can. */
export function cipherProblem(ciphers: string): string | undefined {
  try {
    createSecureContext({ ciphers });
    return undefined;
  } catch {
    return 'OpenSSL knows none of these ciphers; `openssl ciphers -v` lists them';
  }
}

/**
 * TLS towards the origins of one upstream, in one thread: certificates and keys are read into OpenSSL once, and sessions
 * are kept for the next connection. With other options there is another one of these, so that nothing that was trusted
 * before lives on.
 */
export class Security {
  readonly #options: TlsOptions;
  readonly #clock: Clock;
  readonly #tickets = new Tickets();
  #context: SecureContext | null = null;

  constructor(options: TlsOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /**
   * What one connection needs.
   *
   * @param resume for whom sessions are kept and taken up again; `null`: every handshake is a whole one
   */
  handshake(address: OriginAddress, offer: Offer, resume: object | null): Handshake {
    this.#context ??= contextOf(this.#options);
    const name = serverNameOf(this.#options, address);
    return new Handshake(this.#options, this.#context, name, offer, this.#clock, this.#tickets, resume);
  }
}

/** One connection's handshake: how it is begun, whether its outcome will do, and what went wrong. */
export class Handshake {
  readonly #options: TlsOptions;
  readonly #context: SecureContext;
  readonly #name: string;
  readonly #offer: Offer;
  readonly #clock: Clock;
  readonly #tickets: Tickets;
  readonly #resume: object | null;
  /** There is a connection. */
  reached = false;
  #good = false;
  /** Wall time until which what the origin gives may be resumed. */
  #until = Infinity;
  #session: Buffer | null = null;

  constructor(
    options: TlsOptions,
    context: SecureContext,
    name: string,
    offer: Offer,
    clock: Clock,
    tickets: Tickets,
    resume: object | null,
  ) {
    this.#options = options;
    this.#context = context;
    this.#name = name;
    this.#offer = offer;
    this.#clock = clock;
    this.#tickets = tickets;
    this.#resume = resume;
  }

  /** For `tls.connect`. Node is told to accept any certificate because `judge`, which has to be asked, tells more of it. */
  connectOptions(): ConnectionOptions {
    const { names } = this.#offer;
    const ticket = this.#resume === null ? undefined : this.#tickets.take(this.#resume, this.#name, this.#clock.wall());
    if (ticket !== undefined) this.#until = ticket.until;
    return {
      secureContext: this.#context,
      // RFC 6066 §3: an IP address is not sent.
      servername: parseAddress(this.#name) === undefined ? this.#name : '',
      ...(names.length === 0 ? {} : { ALPNProtocols: [...names] }),
      ...(ticket === undefined ? {} : { session: ticket.session }),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    };
  }

  /** Listens for what resumes the session. With TLS 1.3 that comes after the handshake, and again whenever the origin likes. */
  listen(socket: TLSSocket): void {
    if (this.#resume === null) return;
    socket.on('session', (session: Buffer) => {
      if (this.#good) this.#keep(session);
      else this.#session = session;
    });
  }

  /** What is wrong with a handshake that is done; `undefined`: the origin is who it should be. Called once, at once. */
  judge(socket: TLSSocket): Fault | undefined {
    const fault = this.#protocolFault(socket) ?? this.#certificateFault(socket);
    if (fault !== undefined) {
      this.#forget();
      return fault;
    }
    this.#good = true;
    if (!socket.isSessionReused()) {
      this.#until = Math.min(this.#clock.wall() + LONGEST, Date.parse(socket.getPeerCertificate().valid_to));
    }
    if (this.#session !== null) this.#keep(this.#session);
    this.#session = null;
    return undefined;
  }

  /**
   * What ended the connection, as far as that is about TLS. With TLS 1.3 a server looks at the client's certificate only
   * after the client has begun to send; it says so, and has not looked at what was sent.
   */
  explain(error: NodeJS.ErrnoException | null): Fault | undefined {
    const own = this.#options.cert !== null;
    if (!this.#good) {
      this.#forget();
      return handshakeFault(error, this.reached, own);
    }
    const fault = alertFault(error, own);
    return fault?.code === 'tls-client-certificate' ? fault : undefined;
  }

  #protocolFault({ alpnProtocol }: TLSSocket): Fault | undefined {
    const { names, required } = this.#offer;
    if (!required || names.includes(alpnProtocol === false ? '' : (alpnProtocol ?? ''))) return undefined;
    return { code: 'tls-no-protocol', detail: `it does not speak ${names.join(' or ')}` };
  }

  #certificateFault(socket: TLSSocket): Fault | undefined {
    // It was looked at when the session began, and is not sent again.
    if (socket.isSessionReused()) return undefined;
    const { fingerprints, verify } = this.#options;
    if (!verify && fingerprints.length === 0) return undefined;
    const certificate = socket.getPeerCertificate(true);
    if (fingerprints.length > 0 && !fingerprints.includes(certificate.fingerprint256)) {
      return { code: 'tls-wrong-fingerprint', detail: `it is ${certificate.fingerprint256 ?? 'missing'}` };
    }
    if (!verify) return undefined;
    const { authorizationError } = socket;
    if (!socket.authorized) {
      // Node has the code here where its types say that there is an error.
      const { code, detail } = chainFault(String(authorizationError));
      const more = code === 'tls-expired' || code === 'tls-not-yet-valid' ? this.#dates(certificate, code) : detail;
      return { code, detail: `${more}; ${subjectOf(certificate)}` };
    }
    if (checkServerIdentity(this.#name, certificate) === undefined) return undefined;
    const names = plain(certificate.subjectaltname?.replaceAll(/\b(?:DNS|IP Address):/g, '') ?? subjectOf(certificate));
    return { code: 'tls-wrong-name', detail: `it is for ${names}, not for ${this.#name}` };
  }

  /** Which certificate of the chain is out of its time, and since when. */
  #dates(first: DetailedPeerCertificate, code: 'tls-expired' | 'tls-not-yet-valid'): string {
    const now = this.#clock.wall();
    const seen = new Set<DetailedPeerCertificate>();
    for (let one = first; one !== undefined && !seen.has(one); one = one.issuerCertificate) {
      seen.add(one);
      const which = one === first ? '' : ` of its issuer ${commonName(one)}`;
      if (code === 'tls-expired' && Date.parse(one.valid_to) < now) return `on ${day(one.valid_to)}${which}`;
      if (code === 'tls-not-yet-valid' && Date.parse(one.valid_from) > now)
        return `until ${day(one.valid_from)}${which}`;
    }
    return 'by the clock of this machine';
  }

  #keep(session: Buffer): void {
    if (this.#resume !== null) this.#tickets.keep(this.#resume, this.#name, session, this.#until);
  }

  #forget(): void {
    if (this.#resume !== null && this.reached) this.#tickets.forget(this.#resume);
  }
}

/** The longest that sessions are taken up without a whole handshake, in milliseconds: then the certificate is looked at again. */
const LONGEST = 24 * 3_600_000;

function contextOf({ ca, cert, key, passphrase, minVersion, ciphers }: TlsOptions): SecureContext {
  return createSecureContext({
    minVersion,
    ...(ciphers === '' ? {} : { ciphers }),
    // Without a list Node takes its own, which it has in memory already.
    ...(ca.length === 0
      ? {}
      : { ca: ca.flatMap((one) => (typeof one === 'string' ? getCACertificates(one) : [one.text])) }),
    ...(cert === null || key === null ? {} : { cert: cert.text, key: key.text }),
    ...(passphrase === null ? {} : { passphrase }),
  });
}

type Named = Pick<DetailedPeerCertificate, 'subject' | 'issuer'>;

function subjectOf(certificate: Named): string {
  return `${commonName(certificate)}, issued by ${plain(String(certificate.issuer?.CN ?? certificate.issuer?.O ?? 'nobody'))}`;
}

function commonName({ subject }: Pick<Named, 'subject'>): string {
  return plain(String(subject?.CN ?? subject?.O ?? 'no name'));
}

/** A stranger has written what is in a certificate. */
function plain(text: string): string {
  const shown = text.replaceAll(/[^\x20-\x7e]/g, '?');
  return shown.length <= 200 ? shown : `${shown.slice(0, 200)}…`;
}

function day(text: string): string {
  return new Date(text).toISOString().slice(0, 10);
}
