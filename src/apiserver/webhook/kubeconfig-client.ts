/**
 * A webhook that a kubeconfig names: objects are posted to its server's very path, with the identity of its user.
 * Upstream: apiserver pkg/util/webhook/webhook.go, client-go rest/{request,with_retry}.go.
 *
 * Redirects are followed as Go does: nine at most, 301 to 303 with GET; credentials go to the named host alone, and only
 * over TLS.
 * Deviation: an answer may have 16 MiB; upstream has no bound. HTTP/1.1 only.
 * Deviation: the pause before a webhook is called again is the back-off's; upstream waits as long as `Retry-After` says
 * first. A token is not sent on to the host of a redirect; upstream adds it to every request.
 */
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import { createSecureContext } from 'node:tls';
import { formatGoDuration, InputError, readTypeMeta } from '#apimachinery';
import type { Clock, Random } from '#base';
import { type HttpsTransportConfig, loadKubeconfig } from '#client';
import { goNetworkError } from '../admission/dynamic/webhooks/go-errors.ts';
import { refusal, statusMessage } from './refusal.ts';

const maxAnswerBytes = 16 * 1024 * 1024;
/** Go asks so often in all, and calls the last answer one redirect too many. */
const maxRequests = 10;

export type FailureKind =
  /** It may succeed when it is tried again. */
  'transient' | 'timeout' | 'other';

/** Why a call came to nothing, in upstream's words. */
export class WebhookCallError extends Error {
  override readonly name = 'WebhookCallError';
  readonly kind: FailureKind;

  constructor(message: string, kind: FailureKind = 'other') {
    super(message);
    this.kind = kind;
  }
}

export interface KubeconfigWebhook extends Disposable {
  /** The answer to an object, as JSON. Throws a WebhookCallError. */
  post(body: object, signal?: AbortSignal): Promise<unknown>;
  /** Sends JSON as it is; what a success answers does not matter. Throws a WebhookCallError. */
  deliver(json: string, signal?: AbortSignal): Promise<void>;
}

export interface KubeconfigWebhookOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Of one call, its answer included. */
  readonly timeoutMs: number;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly location: string | undefined;
  readonly body: Buffer;
  readonly retryAfter: string | undefined;
}

/** Reads the kubeconfig now. Throws a UserError for what is wrong with it. */
export function kubeconfigWebhook({ path, clock, timeoutMs }: KubeconfigWebhookOptions): KubeconfigWebhook {
  const { transport } = loadKubeconfig(path);
  const base = new URL(transport.server.includes('://') ? transport.server : `http://${transport.server}`);
  const timeout = formatGoDuration(BigInt(timeoutMs) * 1_000_000n);
  const target = new URL(`${base.pathname.replace(/\/+$/, '') || '/'}?timeout=${encodeURIComponent(timeout)}`, base);
  const connection = new Connection(path, base, transport, clock);
  const call = async <T>(body: string, signal: AbortSignal | undefined, read: (answer: Answer) => T): Promise<T> => {
    const stop = new AbortController();
    const deadline = clock.setTimer(() => stop.abort('deadline'), timeoutMs);
    const gone = (): void => stop.abort('gone');
    signal?.addEventListener('abort', gone, { once: true });
    if (signal?.aborted) gone();
    try {
      return read(await follow(target, { ...connection.current(), body, signal: stop.signal }));
    } catch (error) {
      throw asCallError(error, target, stop.signal, clock);
    } finally {
      deadline.cancel();
      signal?.removeEventListener('abort', gone);
    }
  };
  return {
    post: (body, signal) => call(JSON.stringify(body), signal, parsed),
    deliver: (json, signal) => call(json, signal, refuseFailure),
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  };
}

/** Upstream's client looks every five minutes. */
const lookMs = 60_000;

/** The credentials of the kubeconfig as they are now: the files that it names are replaced while the server runs. */
class Connection implements Disposable {
  readonly #path: string;
  readonly #base: URL;
  readonly #clock: Clock;
  #transport: HttpsTransportConfig;
  #agent: HttpAgent | HttpsAgent;
  #lookedMs: number;

  constructor(path: string, base: URL, transport: HttpsTransportConfig, clock: Clock) {
    this.#path = path;
    this.#base = base;
    this.#clock = clock;
    this.#transport = transport;
    this.#agent = agentOf(base, transport);
    this.#lookedMs = clock.monotonicMs();
  }

  current(): { readonly transport: HttpsTransportConfig; readonly agent: HttpAgent | HttpsAgent } {
    if (this.#clock.monotonicMs() - this.#lookedMs >= lookMs) this.#look();
    return { transport: this.#transport, agent: this.#agent };
  }

  #look(): void {
    this.#lookedMs = this.#clock.monotonicMs();
    const before = this.#transport;
    try {
      const { caPem, certPem, keyPem } = loadKubeconfig(this.#path).transport;
      if (caPem === before.caPem && certPem === before.certPem && keyPem === before.keyPem) return;
      const { caPem: _ca, certPem: _cert, keyPem: _key, ...rest } = before;
      const transport = { ...rest, ...(caPem && { caPem }), ...(certPem && { certPem }), ...(keyPem && { keyPem }) };
      if (certPem && keyPem) createSecureContext({ cert: certPem, key: keyPem });
      const agent = this.#agent;
      this.#agent = agentOf(this.#base, transport);
      this.#transport = transport;
      agent.destroy();
    } catch {
      // Half-written: those before stay until the next look.
    }
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function agentOf(base: URL, transport: HttpsTransportConfig): HttpAgent | HttpsAgent {
  if (base.protocol === 'http:') return new HttpAgent({ keepAlive: true });
  const { caPem, certPem, keyPem, serverName, insecureSkipTlsVerify } = transport;
  return new HttpsAgent({
    keepAlive: true,
    maxCachedSessions: 0,
    ...(caPem !== undefined && { ca: caPem, allowPartialTrustChain: true }),
    ...(certPem !== undefined && { cert: certPem }),
    ...(keyPem !== undefined && { key: keyPem }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(insecureSkipTlsVerify && { rejectUnauthorized: false }),
  });
}

interface Exchange {
  readonly transport: HttpsTransportConfig;
  readonly agent: HttpAgent | HttpsAgent;
  readonly body: string;
  readonly signal: AbortSignal;
}

async function follow(target: URL, exchange: Exchange): Promise<Answer> {
  let at = target;
  let body: string | undefined = exchange.body;
  for (let requests = 1; ; requests++) {
    const answer = await send(at, at.host === target.host, body, exchange);
    const { status, location } = answer;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) return answer;
    if (requests >= maxRequests)
      throw new WebhookCallError(`Post ${JSON.stringify(at.href)}: stopped after 10 redirects`);
    at = new URL(location, at);
    if (at.protocol !== target.protocol) {
      throw new WebhookCallError(`Post ${JSON.stringify(at.href)}: unsupported protocol scheme of a redirect`);
    }
    if (status < 307) body = undefined;
  }
}

async function send(url: URL, ownHost: boolean, body: string | undefined, exchange: Exchange): Promise<Answer> {
  const { transport, agent, signal } = exchange;
  const tokenFile = transport.tokenFile;
  const token = tokenFile === undefined ? transport.token : readFileSync(tokenFile, 'utf8').trim();
  const options: RequestOptions = {
    method: body === undefined ? 'GET' : 'POST',
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port || (url.protocol === 'http:' ? 80 : 443),
    path: `${url.pathname}${url.search}`,
    // Elsewhere the same authority is trusted, and nothing is shown.
    ...(ownHost ? { agent } : transport.caPem !== undefined && { ca: transport.caPem, allowPartialTrustChain: true }),
    signal,
    headers: {
      accept: 'application/json, */*',
      'user-agent': 'kube-apiserver',
      ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      // Nobody's secret goes over a wire that is not encrypted.
      ...(ownHost && url.protocol === 'https:' && token !== undefined && { authorization: `Bearer ${token}` }),
    },
  };
  const exchanged = (): Promise<Answer> => answerTo(url, options, body);
  try {
    return await exchanged();
  } catch (error) {
    // A kept connection that the other side had closed meanwhile: nothing was read of the request.
    if (!(error as { stale?: boolean }).stale) throw error;
    return exchanged();
  }
}

function answerTo(url: URL, options: RequestOptions, body: string | undefined): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const make = url.protocol === 'http:' ? httpRequest : httpsRequest;
    const request = make(options, (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxAnswerBytes) chunks.push(chunk);
        else {
          reject(new WebhookCallError(`the answer has more than ${maxAnswerBytes} bytes`));
          response.destroy();
        }
      });
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          contentType: response.headers['content-type'] ?? '',
          location: response.headers.location,
          retryAfter: response.headers['retry-after'],
          body: Buffer.concat(chunks),
        }),
      );
      response.on('error', reject);
    });
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
      reject(Object.assign(error, { stale }));
    });
    request.end(body);
  });
}

function asCallError(error: unknown, target: URL, stop: AbortSignal, clock: Clock): WebhookCallError {
  if (error instanceof WebhookCallError) return error;
  const prefix = `Post ${JSON.stringify(target.href)}: `;
  if (stop.aborted && stop.reason === 'deadline') {
    const why = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
    return new WebhookCallError(`${prefix}${why}`, 'timeout');
  }
  if (stop.aborted) return new WebhookCallError(`${prefix}context canceled`);
  const text = goNetworkError(error, new Date(clock.now()));
  const reset = text === 'EOF' || text === 'read: connection reset by peer';
  return new WebhookCallError(`${prefix}${text}`, reset ? 'transient' : 'other');
}

function refuseFailure({ status, contentType, retryAfter, body }: Answer): void {
  if (status < 200 || status > 206) {
    const isText = contentType === '' || contentType.startsWith('text/');
    const message = refusal(status, isText ? body.toString().trim() || 'unknown' : 'unknown');
    const again = status === 500 || status === 504 || status === 429 || retryAfter !== undefined;
    throw new WebhookCallError(statusMessage(body) ?? message, again ? 'transient' : 'other');
  }
}

function parsed(answer: Answer): unknown {
  refuseFailure(answer);
  const { status, contentType, body } = answer;
  if (body.length === 0) {
    throw new WebhookCallError(`0-length response with status code: ${status} and content type: ${contentType}`);
  }
  return readAnswer(body);
}

function readAnswer(body: Buffer): unknown {
  try {
    readTypeMeta(body);
    return JSON.parse(body.toString());
  } catch (error) {
    const why = error instanceof InputError ? error.message : `json parse error: ${(error as Error).message}`;
    throw new WebhookCallError(why);
  }
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal?: AbortSignal | undefined;
  /** Before the second attempt; default half a second. */
  readonly firstPauseMs?: number;
  /** Also what would fail in the same way again. */
  readonly always?: boolean;
}

const attempts = 5;
const defaultPauseMs = 500;
const factor = 1.5;
const jitter = 0.2;

/** Calls until it succeeds or fails for good, five times at most. Upstream: DefaultAuthWebhookRetryBackoff. */
export async function withRetries<T>(options: RetryOptions, call: () => Promise<T>): Promise<T> {
  const { clock, random, signal, always = false } = options;
  let pauseMs = options.firstPauseMs ?? defaultPauseMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return await call();
    } catch (error) {
      const again = error instanceof WebhookCallError && (always || error.kind === 'transient');
      if (!again || attempt >= attempts || signal?.aborted) throw error;
      await clock.sleep(pauseMs * (1 + random.float() * jitter), signal);
      pauseMs *= factor;
    }
  }
}
