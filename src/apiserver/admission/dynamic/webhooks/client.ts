/**
 * Calls to webhooks: HTTPS to a URL or to a Service of the cluster, with the configuration's CA, a time-out and a bound
 * on the answer. Upstream: apiserver pkg/util/webhook/client.go, client-go rest/request.go.
 *
 * Redirects are followed as Go does: nine at most, 301 to 303 with GET.
 * Deviation: an answer may have 16 MB; upstream has no bound. HTTP/1.1 only.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { WebhookClientConfig } from '#api/types';
import { isStatusError } from '#apimachinery';
import type { Clock } from '#base';
import { AgentPool } from '../../../proxy/agent-pool.ts';
import type { ServiceResolver } from '../../../server/service-resolver.ts';
import { refusal, statusMessage } from '../../../webhook/refusal.ts';
import type { WebhookCredential, WebhookCredentials } from './credentials.ts';
import { goNetworkError } from './go-errors.ts';

const maxAnswerBytes = 16 * 1024 * 1024;
/** Go asks so often in all, and calls the last answer one redirect too many. */
const maxRequests = 10;
const maxAgents = 200;

/** Why a call came to nothing, in upstream's words. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

export interface Call {
  readonly config: WebhookClientConfig;
  readonly body: string;
  /** Zero: as long as it takes. */
  readonly timeoutSeconds: number;
  /** When the request that it is about ends, by the monotonic clock. */
  readonly deadlineMs?: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly credentials?: WebhookCredentials | undefined;
}

/** The answer had begun. */
class BrokenBody extends Error {
  override readonly name = 'BrokenBody';

  constructor(cause: unknown) {
    super('unexpected error when reading response body. Please retry. Original error: ', { cause });
  }
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly location: string | undefined;
  readonly body: Buffer;
}

interface Target {
  readonly url: URL;
  /** The same with its port, which URL leaves out where it is the scheme's own. */
  readonly shown: string;
  readonly ca: string | undefined;
  /** Shown to it, and to nobody whom it redirects to. */
  readonly credential?: WebhookCredential | undefined;
  /** In whose name the certificate must be, for Services. */
  readonly serverName: string | undefined;
  readonly dial: (() => Promise<{ readonly host: string; readonly port: number }>) | undefined;
}

export class WebhookClient implements Disposable {
  readonly #resolve: ServiceResolver;
  readonly #clock: Clock;
  readonly #agents = new AgentPool(maxAgents, options => new Agent(options));

  constructor(resolve: ServiceResolver, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** The body of a successful answer. Throws a CallError. */
  async post({ config, body, timeoutSeconds, deadlineMs, signal, credentials }: Call): Promise<Buffer> {
    const own = timeoutSeconds > 0 ? timeoutSeconds * 1000 : Number.POSITIVE_INFINITY;
    const left = deadlineMs === undefined ? own : Math.max(0, deadlineMs - this.#clock.monotonicMs());
    const ms = Math.min(own, left);
    const asWhom = this.#target(config, ms);
    const port = asWhom.url.port || '443';
    const target = { ...asWhom, credential: credentials?.(`${asWhom.url.hostname}:${port}`) };
    // The URL that is being asked, which redirects change.
    const asked = { shown: target.shown };
    const stop = new AbortController();
    const deadline = Number.isFinite(ms) ? this.#clock.setTimer(() => stop.abort('deadline'), ms) : undefined;
    const gone = (): void => stop.abort('gone');
    signal?.addEventListener('abort', gone, { once: true });
    if (signal?.aborted) gone();
    try {
      return accepted(await this.#follow(target, body, stop.signal, asked));
    } catch (error) {
      const { aborted, reason } = stop.signal;
      const ended = reason === 'deadline' ? 'context deadline exceeded' : 'context canceled';
      if (error instanceof BrokenBody) throw new CallError(`${error.message}${aborted ? ended : 'unexpected EOF'}`);
      if (error instanceof CallError) throw error;
      const why = isStatusError(error) ? error.message : goNetworkError(error, new Date(this.#clock.now()));
      throw new CallError(`Post ${JSON.stringify(asked.shown)}: ${aborted ? ended : why}`);
    } finally {
      deadline?.cancel();
      signal?.removeEventListener('abort', gone);
    }
  }

  #target({ url, service, caBundle }: WebhookClientConfig, timeoutMs: number): Target {
    const ca = caBundle ? Buffer.from(caBundle, 'base64').toString() : undefined;
    const query = timeoutMs > 0 && Number.isFinite(timeoutMs) ? `?timeout=${Math.ceil(timeoutMs / 1000)}s` : '';
    if (!service) {
      const [, origin = '', path = ''] = /^([^:/]+:\/\/[^/?#]*)([^?#]*)/.exec(url ?? '') ?? [];
      const shown = `${origin}${path || '/'}${query}`;
      return { url: new URL(shown), shown, ca, serverName: undefined, dial: undefined };
    }
    const { name, namespace, path = '', port = 443 } = service;
    const serverName = `${name}.${namespace}.svc`;
    const shown = `https://${serverName}:${port}${path.startsWith('/') ? '' : '/'}${path}${query}`;
    return { url: new URL(shown), shown, ca, serverName, dial: () => this.#resolve(namespace, name, port) };
  }

  async #follow(target: Target, body: string, signal: AbortSignal, asked: { shown: string }): Promise<Answer> {
    let at = target;
    let sent: string | undefined = body;
    for (let requests = 1; ; requests++) {
      const answer = await this.#send(at, sent, signal);
      const { status, location } = answer;
      const redirects = status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
      if (!redirects || location === undefined) return answer;
      if (requests >= maxRequests) throw new CallError(`Post ${JSON.stringify(location)}: stopped after 10 redirects`);
      const url = new URL(location, at.url);
      if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        const scheme = url.protocol.slice(0, -1);
        throw new CallError(`Post ${JSON.stringify(url.href)}: unsupported protocol scheme ${JSON.stringify(scheme)}`);
      }
      const same = url.host === target.url.host;
      const { ca } = target;
      at = same
        ? { ...target, url, shown: url.href }
        : { url, shown: url.href, ca, serverName: undefined, dial: undefined };
      asked.shown = at.shown;
      if (status < 307) sent = undefined;
    }
  }

  async #send(target: Target, body: string | undefined, signal: AbortSignal): Promise<Answer> {
    const { url, serverName, dial, credential } = target;
    const authorization = credential?.authorization();
    const to = dial ? await dial() : undefined;
    signal.throwIfAborted();
    const options: RequestOptions = {
      method: body === undefined ? 'GET' : 'POST',
      host: to?.host ?? url.hostname.replace(/^\[|\]$/g, ''),
      port: to?.port ?? (url.port || (url.protocol === 'http:' ? 80 : 443)),
      path: `${url.pathname}${url.search}`,
      headers: {
        host: /^[^:]+:\/\/([^/?#]*)/.exec(target.shown)?.[1] ?? url.host,
        accept: 'application/json, */*',
        'user-agent': 'kube-apiserver-admission',
        ...(authorization !== undefined && { authorization }),
        ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      },
      ...(url.protocol === 'https:' && { agent: this.#agent(target) }),
      protocol: url.protocol,
      signal,
      ...(serverName !== undefined && { servername: serverName }),
    };
    const exchange = (): Promise<Answer> => exchanged(options, body);
    try {
      return await exchange();
    } catch (error) {
      // A kept connection that the other side had closed meanwhile: nothing was read of the request.
      if (!(error as { stale?: boolean }).stale) throw error;
      return exchange();
    }
  }

  /** Connections are kept by CA and name, so that calls share them. */
  #agent({ url, ca, serverName, credential }: Target): Agent {
    const { certPem: cert, keyPem: key } = credential ?? {};
    // As Go, any certificate of the bundle is trusted, one that a server shows itself too.
    const trust = ca !== undefined && { ca, allowPartialTrustChain: true };
    return this.#agents.get([url.host, ca, serverName, cert, key], { ...trust, ...(cert && { cert, key }) });
  }

  [Symbol.dispose](): void {
    this.#agents[Symbol.dispose]();
  }
}

function exchanged(options: RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const open = options.protocol === 'http:' ? httpRequest : httpsRequest;
    let cert: PeerCertificate | undefined;
    let begun = false;
    const request = open(options, (response: IncomingMessage) => {
      begun = true;
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxAnswerBytes) chunks.push(chunk);
        else {
          response.destroy();
          reject(new CallError(`the answer has more than ${maxAnswerBytes} bytes`));
        }
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          location: response.headers.location,
          body: Buffer.concat(chunks),
        }),
      );
      response.on('error', error => reject(new BrokenBody(error)));
    });
    // Before the certificate is judged, after which nobody can ask for it: texts tell its dates.
    request.on('socket', socket => {
      if (!request.reusedSocket && 'getPeerCertificate' in socket) {
        socket.prependOnceListener('secure', () => (cert = (socket as TLSSocket).getPeerCertificate()));
      }
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      if (begun) return reject(new BrokenBody(error));
      const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(Object.assign(error, { stale, ...(cert && { cert }) }));
    });
    request.end(body);
  });
}

function accepted({ status, contentType, body }: Answer): Buffer {
  if (status >= 200 && status <= 206) {
    if (body.length > 0) return body;
    const type = contentType || 'application/json';
    throw new CallError(`0-length response with status code: ${status} and content type: ${type}`);
  }
  const isText = contentType === '' || contentType.startsWith('text/');
  throw new CallError(refusal(status, statusMessage(body) ?? (isText ? body.toString().trim() : 'unknown')));
}
