/** ServiceAccount tokens for pods, asked of the API and renewed in time. Upstream: pkg/kubelet/token/token_manager.go. */
import { parseTimeMs } from '#apimachinery';
import type { Clock, Random } from '#base';
import type { Client } from '#client';
import type { Pod } from './api-objects.ts';
import { resources } from './resources.ts';

interface Known {
  readonly token: string;
  readonly issuedMs: number;
  readonly expiresMs: number;
}

const maxAgeMs = 24 * 3600 * 1000;
const maxJitterMs = 10_000;

export class TokenManager {
  readonly #known = new Map<string, Known>();
  readonly #deps: { readonly client: Client; readonly clock: Clock; readonly random: Random };

  constructor(deps: { readonly client: Client; readonly clock: Clock; readonly random: Random }) {
    this.#deps = deps;
  }

  /** A token bound to the pod; the one there is while a fifth of its life is left. */
  async token(pod: Pod, audience: string, expirationSeconds: number): Promise<string> {
    const { name = '', namespace = '', uid = '' } = pod.metadata;
    const account = pod.spec.serviceAccountName || 'default';
    const key = [uid, account, audience, expirationSeconds].join('\0');
    const known = this.#known.get(key);
    if (known && !this.#stale(known)) return known.token;
    const request = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {
        audiences: audience ? [audience] : [],
        expirationSeconds,
        boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
      },
    };
    try {
      const accounts = this.#deps.client.resource(resources.serviceAccounts).namespace(namespace);
      const answer = (await accounts.subresource(account, 'token', request)) as {
        readonly status: { readonly token: string; readonly expirationTimestamp: string };
      };
      const { token, expirationTimestamp } = answer.status;
      const issuedMs = this.#deps.clock.now();
      this.#known.set(key, { token, issuedMs, expiresMs: parseTimeMs(expirationTimestamp) });
      return token;
    } catch (cause) {
      if (known && this.#deps.clock.now() < known.expiresMs) return known.token;
      throw new Error(`failed to fetch token: ${(cause as Error).message}`, { cause });
    }
  }

  #stale({ issuedMs, expiresMs }: Known): boolean {
    const now = this.#deps.clock.now();
    const jitterMs = this.#deps.random.float() * maxJitterMs;
    if (now >= issuedMs + maxAgeMs - jitterMs) return true;
    return now >= expiresMs - (expiresMs - issuedMs) * 0.2 - jitterMs;
  }

  forgetPod(uid: string): void {
    for (const key of this.#known.keys()) if (key.startsWith(`${uid}\0`)) this.#known.delete(key);
  }
}
