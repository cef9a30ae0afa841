/** The TLS ports of a server, which trust whom authentication trusts, as that changes. */
import type { Logger, MetricsRegistry } from '#base';
import type { Authentication } from '../authentication/authentication.ts';
import { type Entry, type Listener, type ListenOptions, listen } from '../http/listener.ts';

export interface PortsDeps {
  readonly metrics: MetricsRegistry;
  readonly logger: Logger;
}

/** How a port of this server is opened; what goes wrong on it is the server's to log and count. */
export type PortOptions = Omit<ListenOptions, 'onHandshakeError' | 'onAnswerError'>;

export class Ports {
  readonly listeners: Listener[] = [];
  readonly #entry: Entry;
  readonly #authentication: Authentication;
  readonly #logger: Logger;
  readonly #handshakeErrors: { inc(): void };

  constructor(entry: Entry, authentication: Authentication, { metrics, logger }: PortsDeps) {
    this.#entry = entry;
    this.#authentication = authentication;
    this.#logger = logger;
    this.#handshakeErrors = metrics.counter(
      'apiserver_tls_handshake_errors_total',
      "[ALPHA] Number of requests dropped with 'TLS handshake error from' error",
      true,
    );
    const { clientAuthorities, proxyAuthorities } = authentication;
    for (const authorities of [clientAuthorities, proxyAuthorities]) {
      authorities.onChange(() => this.listeners.forEach(listener => void listener.trust(this.#trusted())));
    }
  }

  /** Opens one more. Its clients' authority is the server's from then on. */
  async open(options: PortOptions): Promise<Listener> {
    this.#authentication.clientAuthorities.set('listener', options.tls.clientCaPem);
    const tls = { ...options.tls, clientCaPem: this.#trusted() };
    const listener = await listen(
      {
        ...options,
        tls,
        onHandshakeError: () => this.#handshakeErrors.inc(),
        onAnswerError: error => this.#logger.error('an answer broke off', { error }),
      },
      this.#entry,
    );
    this.listeners.push(listener);
    return {
      ...listener,
      // The clients' authority is the server's, not the port's.
      serve: ({ clientCaPem, ...shown }) => {
        listener.serve(shown);
        if (clientCaPem !== undefined) this.#authentication.clientAuthorities.set('listener', clientCaPem);
      },
    };
  }

  #trusted(): string {
    const { clientAuthorities, proxyAuthorities } = this.#authentication;
    return clientAuthorities.pem + proxyAuthorities.pem;
  }
}
