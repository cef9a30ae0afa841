/**
 * The servers behind APIServices: requests of clients handed on in their users' names, and questions of this server's
 * own. Upstream: kube-aggregator pkg/apiserver/handler_proxy.go.
 *
 * Deviation: connections are kept by trust and name, not by APIService; HTTP/1.1 only, and trailers are not handed on.
 */
import { Agent } from 'node:https';
import { type Clock, deadline, type Logger } from '#base';
import type { UserInfo } from '../authentication/user.ts';
import { Query, type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';
import { AgentPool } from '../proxy/agent-pool.ts';
import { type Backend, ForwardError, forward } from '../proxy/forward.ts';
import type { ResolvedService, ServiceResolver } from '../server/service-resolver.ts';
import type { RegisteredService } from './api-services.ts';
import { identityHeaders } from './identity-headers.ts';

export interface ClientPair {
  readonly certPem: string;
  readonly keyPem: string;
}

export interface BackendsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly resolve: ServiceResolver;
  /** `--proxy-client-cert-file`, `--proxy-client-key-file`, as they are now. */
  readonly clientPair: () => ClientPair | undefined;
  /** `--aggregator-reject-forwarding-redirect`. */
  readonly rejectRedirects: boolean;
}

/** A whole answer to a question of this server's own. */
export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

export interface Question {
  readonly path: string;
  readonly user: UserInfo;
  readonly timeoutMs: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The answer's body is read up to so much; more is an error. Zero: not at all. */
  readonly maxBytes: number;
}

/** No answer to a question; the message is Go's, the URL the one that was asked. */
export class QuestionError extends Error {
  override readonly name = 'QuestionError';
  readonly url: string;

  constructor(message: string, url: string) {
    super(message);
    this.url = url;
  }
}

/** Discovery has to be quick: a client asks all groups before it does anything. */
const discoveryMs = 5000;
const maxAgents = 100;

export class Backends implements Disposable {
  readonly #deps: BackendsDeps;
  readonly #agents = new AgentPool(maxAgents, options => new Agent(options));

  constructor(deps: BackendsDeps) {
    this.#deps = deps;
  }

  /**
   * A client's request, given up after `limitMs` (undefined: never); failures are answers too, in upstream's plain text.
   */
  async serve(
    service: RegisteredService,
    request: ServerRequest,
    user: UserInfo,
    limitMs: number | undefined,
  ): Promise<ServerResponse> {
    if (!service.available) return unavailable();
    let resolved: ResolvedService;
    try {
      resolved = await this.#resolved(service);
    } catch (error) {
      const { namespace, name } = service.service!;
      this.#deps.logger.error('error resolving', { service: `${namespace}/${name}`, error });
      return unavailable();
    }
    const isDiscovery = request.path.split('/').filter(each => each !== '').length === 3;
    const ms = isDiscovery ? discoveryMs : limitMs;
    if (ms === undefined || request.upgrade) return this.#forward(service, resolved, request, user, request.signal);
    const limit = deadline(this.#deps.clock, ms, request.signal);
    const response = await this.#forward(service, resolved, request, user, limit.signal);
    if (response.body.kind !== 'chunks') {
      limit[Symbol.dispose]();
      return response;
    }
    return { ...response, body: { kind: 'chunks', chunks: until(response.body.chunks, limit) } };
  }

  async #forward(
    service: RegisteredService,
    resolved: ResolvedService,
    request: ServerRequest,
    user: UserInfo,
    signal: AbortSignal,
  ): Promise<ServerResponse> {
    const { clock, rejectRedirects } = this.#deps;
    try {
      return await forward(request, {
        backend: this.#backend(service, resolved),
        path: request.url,
        host: resolved.authority,
        headers: { ...identityHeaders(user), ...(request.auditId !== undefined && { 'audit-id': request.auditId }) },
        links: { scheme: 'https', host: resolved.authority, prefix: '' },
        rejectRedirects,
        signal,
        nowMs: clock.now(),
      });
    } catch (error) {
      if (!(error instanceof ForwardError)) throw error;
      return textResponse(503, `${error.message}\n`);
    }
  }

  /** Asks whether or not the service is marked as available. Follows no redirect. Throws a QuestionError. */
  async ask(service: RegisteredService, question: Question): Promise<Answer> {
    const { path, user, timeoutMs, headers = {}, maxBytes } = question;
    let url = path;
    using limit = deadline(this.#deps.clock, timeoutMs);
    try {
      const resolved = await this.#resolved(service);
      url = `https://${resolved.authority}${path}`;
      const response = await forward(ownRequest(path, headers, limit.signal), {
        backend: this.#backend(service, resolved),
        path,
        host: resolved.authority,
        headers: identityHeaders(user),
        signal: limit.signal,
        nowMs: this.#deps.clock.now(),
      });
      const { status, headers: said } = response;
      return { url, status, headers: said, body: await bodyOf(response, maxBytes) };
    } catch (error) {
      if (!(error instanceof ForwardError)) throw new QuestionError((error as Error).message, url);
      const late = limit.signal.aborted ? ' (Client.Timeout exceeded while awaiting headers)' : '';
      throw new QuestionError(`Get ${JSON.stringify(url)}: ${error.reason}${late}`, url);
    }
  }

  #resolved({ service }: RegisteredService): Promise<ResolvedService> {
    const { namespace, name, port } = service!;
    return this.#deps.resolve(namespace, name, port);
  }

  #backend(registered: RegisteredService, { host, port }: ResolvedService): Backend {
    const { service, caBundle, insecureSkipTLSVerify } = registered;
    const serverName = `${service!.name}.${service!.namespace}.svc`;
    const pair = this.#deps.clientPair();
    const tls = { ...pair, caPem: caBundle, serverName, verified: !insecureSkipTLSVerify };
    const identity = [host, port, serverName, caBundle, insecureSkipTLSVerify, pair?.certPem];
    return { protocol: 'https', host, port, tls, agent: this.#agents.get(identity) };
  }

  [Symbol.dispose](): void {
    this.#agents[Symbol.dispose]();
  }
}

export function unavailable(): ServerResponse {
  return textResponse(503, 'service unavailable\n');
}

function ownRequest(path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): ServerRequest {
  const body = async (): Promise<Uint8Array> => new Uint8Array();
  return { method: 'GET', path, url: path, query: Query.empty, headers, body, signal };
}

async function* until(chunks: AsyncIterable<Uint8Array>, limit: Disposable): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } finally {
    limit[Symbol.dispose]();
  }
}

async function bodyOf({ body }: ServerResponse, maxBytes: number): Promise<Buffer> {
  if (body.kind !== 'chunks') return Buffer.alloc(0);
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body.chunks) {
    if (maxBytes === 0) break;
    if ((size += part.length) > maxBytes) throw new Error(`the answer has more than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}
