/** The TLS ports of a server, which trust whom authentication trusts, as that changes. */
import type { MetricsRegistry } from '#base';
import type { Authentication } from '../authentication/authentication.ts';
import { type Entry, type Listener, type ListenOptions, listen } from '../http/listener.ts';

export class Ports {
  readonly listeners: Listener[] = [];
  readonly #entry: Entry;
  readonly #authentication: Authentication;
  readonly #handshakeErrors: { inc(): void };

  constructor(entry: Entry, authentication: Authentication, metrics: MetricsRegistry) {
    this.#entry = entry;
    this.#authentication = authentication;
    this.#handshakeErrors = metrics.counter(
      'apiserver_tls_handshake_errors_total',
      "[ALPHA] Number of requests dropped with 'TLS handshake error from' error",
    );
    const { clientAuthorities, proxyAuthorities } = authentication;
    for (const authorities of [clientAuthorities, proxyAuthorities]) {
      authorities.onChange(() => this.listeners.forEach(listener => void listener.trust(this.#trusted())));
    }
  }

  /** Opens one more. Its clients' authority is the server's from then on. */
  async open(options: ListenOptions): Promise<Listener> {
    this.#authentication.clientAuthorities.set('listener', options.tls.clientCaPem);
    const tls = { ...options.tls, clientCaPem: this.#trusted() };
    const listener = await listen(
      { ...options, tls, onHandshakeError: () => this.#handshakeErrors.inc() },
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
