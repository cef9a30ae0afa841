/**
 * The certificates of one TLS port: one for everybody and further ones by the name that a client asks for, all of which
 * can be replaced while connections stay. Upstream: apiserver pkg/server/dynamiccertificates/{tlsconfig,named_certificates}.go.
 */
import { X509Certificate } from 'node:crypto';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type SecureVersion,
  type Server,
} from 'node:tls';

/** A certificate for clients that ask for one of `names`, which may begin with `*.`. */
export interface SniPair {
  readonly certPem: string;
  readonly keyPem: string;
  readonly names: readonly string[];
}

export interface TlsConfig {
  readonly certPem: string;
  readonly keyPem: string;
  /** CAs whose client certificates are accepted, PEM. */
  readonly clientCaPem: string;
  /** The first that has a name counts. */
  readonly sni?: readonly SniPair[];
  /** Default TLS 1.2. */
  readonly minVersion?: SecureVersion;
  /** Of TLS 1.2, as OpenSSL lists them; default Node's. */
  readonly ciphers?: string;
  /** Key exchanges, as OpenSSL lists them; default Node's. */
  readonly curves?: string;
}

/** The names that a certificate speaks for, for {@link SniPair}. */
export function sniNames(certPem: string): string[] {
  const { subjectAltName = '', subject } = new X509Certificate(certPem);
  const names = subjectAltName.split(', ').flatMap(each => (each.startsWith('DNS:') ? [each.slice(4)] : []));
  const common = /^CN=(.+)$/m.exec(subject)?.[1];
  return names.length > 0 || common === undefined ? names : [common];
}

/** See the file header. */
export class PortCertificates {
  #config: TlsConfig;
  #bySni: ReadonlyArray<{ readonly names: readonly string[]; readonly context: SecureContext }> = [];

  constructor(config: TlsConfig) {
    this.#config = config;
    this.#bySni = sniContexts(config);
  }

  /** What to make a server with. */
  get options(): SecureContextOptions & { SNICallback: NonNullable<import('node:tls').TlsOptions['SNICallback']> } {
    const SNICallback = (name: string, done: (error: Error | null, context?: SecureContext) => void): void =>
      done(null, this.#contextFor(name.toLowerCase()));
    return { ...contextOptions(this.#config, this.#config), SNICallback };
  }

  /** New handshakes see `change` at once. Throws, changing nothing, when certificate and key do not belong together. */
  replace(server: Server, change: Partial<TlsConfig>): void {
    const next = { ...this.#config, ...change };
    const bySni = sniContexts(next);
    server.setSecureContext(contextOptions(next, next));
    this.#config = next;
    this.#bySni = bySni;
  }

  #contextFor(name: string): SecureContext | undefined {
    const wild = `*${name.slice(name.indexOf('.'))}`;
    return this.#bySni.find(({ names }) => names.includes(name) || (name.includes('.') && names.includes(wild)))
      ?.context;
  }
}

function contextOptions(config: TlsConfig, pair: Pick<TlsConfig, 'certPem' | 'keyPem'>): SecureContextOptions {
  return {
    cert: pair.certPem,
    key: pair.keyPem,
    ca: config.clientCaPem,
    allowPartialTrustChain: true,
    minVersion: config.minVersion ?? 'TLSv1.2',
    ...(config.ciphers && { ciphers: config.ciphers }),
    ...(config.curves && { ecdhCurve: config.curves }),
  };
}

function sniContexts(config: TlsConfig): Array<{ names: readonly string[]; context: SecureContext }> {
  return (config.sni ?? []).map(pair => ({
    names: pair.names.map(name => name.toLowerCase()),
    context: createSecureContext(contextOptions(config, pair)),
  }));
}
