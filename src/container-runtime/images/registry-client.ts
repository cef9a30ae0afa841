/**
 * Reads manifests and blobs from an OCI registry (opencontainers/distribution-spec 1.1), answering its challenge for a
 * bearer token or a password. Upstream for the texts of errors: containerd core/remotes/docker.
 */
import { type AuthConfig, CriError } from '#cri';
import type { ImageReference } from './reference.ts';

/** A registry and a repository in it, with what proves who asks. */
export interface RegistryClientOptions {
  readonly reference: ImageReference;
  readonly auth: AuthConfig | undefined;
  /** Registries spoken to without TLS, besides those on loopback. */
  readonly plainHttp: readonly string[];
  readonly signal: AbortSignal | undefined;
}

/** Answers that are no success, apart from 401: told to the caller. */
class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;
const maxTokenBytes = 1 << 20;

/** See the file header. One client serves one pull. */
export class RegistryClient {
  readonly #options: RegistryClientOptions;
  readonly #base: string;
  #authorization: string | undefined;

  constructor(options: RegistryClientOptions) {
    const { domain, path } = options.reference;
    this.#options = options;
    const host = domain === 'docker.io' ? 'registry-1.docker.io' : domain;
    const scheme = loopback.test(domain) || options.plainHttp.includes(domain) ? 'http' : 'https';
    this.#base = `${scheme}://${host}/v2/${path}`;
  }

  /** `what`: `manifests/<tag or digest>` or `blobs/<digest>`. Throws RegistryError for what is no success. */
  async get(what: string, accept?: readonly string[]): Promise<Response> {
    const url = `${this.#base}/${what}`;
    let response = await this.#send(url, accept);
    const challenge = response.headers.get('www-authenticate');
    if (response.status === 401 && challenge) {
      await response.body?.cancel();
      this.#authorization = await this.#answer(challenge);
      response = await this.#send(url, accept);
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw new RegistryError(response.status, failureText(response.status, url));
  }

  async #send(url: string, accept: readonly string[] | undefined): Promise<Response> {
    const headers = new Headers({ 'user-agent': 'kobune' });
    if (accept) headers.set('accept', accept.join(', '));
    if (this.#authorization) headers.set('authorization', this.#authorization);
    return request(url, { headers, ...(this.#options.signal ? { signal: this.#options.signal } : {}) });
  }

  /** What to send as `Authorization` from now on. */
  async #answer(challenge: string): Promise<string | undefined> {
    const { auth } = this.#options;
    if (auth?.registryToken) return `Bearer ${auth.registryToken}`;
    const basic = basicCredentials(auth);
    if (/^basic/i.test(challenge)) return basic;
    const parameters = Object.fromEntries(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value]),
    );
    if (!/^bearer/i.test(challenge) || !parameters['realm']) return undefined;
    const scope = parameters['scope'] ?? `repository:${this.#options.reference.path}:pull`;
    const response = auth?.identityToken
      ? await this.#tokenByRefresh(parameters['realm'], parameters['service'] ?? '', scope, auth.identityToken)
      : await this.#tokenByGet(parameters['realm'], parameters['service'], scope, basic);
    const text = await response.text();
    if (!response.ok || text.length > maxTokenBytes) {
      throw new RegistryError(
        response.status,
        `failed to authorize: failed to fetch token: unexpected status: ${response.status}`,
      );
    }
    const { token, access_token: access } = JSON.parse(text) as { token?: string; access_token?: string };
    return `Bearer ${token ?? access ?? ''}`;
  }

  #tokenByGet(realm: string, service: string | undefined, scope: string, basic: string | undefined): Promise<Response> {
    const url = new URL(realm);
    if (service) url.searchParams.set('service', service);
    url.searchParams.set('scope', scope);
    return request(url.href, { headers: basic ? { authorization: basic } : {} });
  }

  #tokenByRefresh(realm: string, service: string, scope: string, refreshToken: string): Promise<Response> {
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken, service, scope, client_id: 'kobune' };
    return request(realm, { method: 'POST', body: new URLSearchParams(form) });
  }
}

function basicCredentials(auth: AuthConfig | undefined): string | undefined {
  if (auth?.auth) return `Basic ${auth.auth}`;
  if (auth?.username === undefined) return undefined;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password ?? ''}`).toString('base64')}`;
}

function failureText(status: number, url: string): string {
  if (status === 404) return 'not found';
  if (status === 401 || status === 403) {
    return 'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed';
  }
  return `unexpected status from GET request to ${url}: ${status}`;
}

async function request(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw init.signal.reason;
    throw new RegistryError(0, `failed to do request: Get ${JSON.stringify(url)}: ${dialText(url, cause as Error)}`);
  }
}

/** Node's reasons in the words of Go's net package. */
function dialText(url: string, error: Error): string {
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  const { hostname, port, protocol } = new URL(url);
  const address = `${hostname}:${port || (protocol === 'https:' ? 443 : 80)}`;
  switch (code) {
    case 'ENOTFOUND':
      return `dial tcp: lookup ${hostname}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${hostname}: Temporary failure in name resolution`;
    case 'ECONNREFUSED':
      return `dial tcp ${address}: connect: connection refused`;
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `dial tcp ${address}: connect: ${code === 'ENETUNREACH' ? 'network is unreachable' : 'no route to host'}`;
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `dial tcp ${address}: i/o timeout`;
    default:
      return message;
  }
}

/** The failure of a whole pull, as containerd words it. */
export function pullError(reference: string, step: string, cause: unknown): CriError {
  const text = cause instanceof Error ? cause.message : String(cause);
  return new CriError('imagePull', `failed to pull and unpack image "${reference}": ${step}${text}`, { cause });
}
