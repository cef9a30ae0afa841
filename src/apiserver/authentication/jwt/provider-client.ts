/**
 * Gets documents from OpenID providers, trusting the authorities that the configuration names, or those of the machine.
 * Redirects are followed as Go does. Upstream: plugin/pkg/authenticator/token/oidc/oidc.go (http.Client).
 *
 * Deviation: an answer may have 4 MiB; upstream has no bound. HTTP/1.1 only.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Clock } from '#base';
import { goNetworkError } from '../../admission/dynamic/webhooks/go-errors.ts';

const timeoutMs = 30_000;
const maxRedirects = 10;
const maxAnswerBytes = 4 * 1024 * 1024;

/** Why nothing came, in Go's words. */
class FetchError extends Error {
  override readonly name = 'FetchError';
}

export interface Fetched {
  readonly status: number;
  /** `404 Not Found`. */
  readonly statusText: string;
  readonly contentType: string;
  readonly cacheControl: string;
  readonly expires: string;
  readonly body: string;
}

export class ProviderClient implements Disposable {
  readonly #clock: Clock;
  readonly #agent: Agent;
  readonly #signal: AbortSignal;

  /** `caPem` empty: the machine's own authorities. */
  constructor(caPem: string, clock: Clock, signal: AbortSignal) {
    this.#clock = clock;
    this.#signal = signal;
    this.#agent = new Agent({
      keepAlive: true,
      maxCachedSessions: 0,
      ...(caPem !== '' && { ca: caPem, allowPartialTrustChain: true }),
    });
    signal.addEventListener('abort', () => this[Symbol.dispose](), { once: true });
  }

  /** Throws a FetchError. */
  async get(url: string, headers: Readonly<Record<string, string>> = {}): Promise<Fetched> {
    const stop = new AbortController();
    const deadline = this.#clock.setTimer(() => stop.abort(), timeoutMs);
    try {
      return await this.#follow(url, headers, AbortSignal.any([stop.signal, this.#signal]));
    } catch (error) {
      if (error instanceof FetchError) throw error;
      const late = 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)';
      const why = stop.signal.aborted ? late : goNetworkError(error, new Date(this.#clock.now()));
      throw new FetchError(`Get ${JSON.stringify(url)}: ${this.#signal.aborted ? 'context canceled' : why}`);
    } finally {
      deadline.cancel();
    }
  }

  async #follow(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Fetched> {
    let at = new URL(url);
    const first = at.host;
    for (let hop = 0; ; hop++) {
      if (at.protocol !== 'https:' && at.protocol !== 'http:') {
        throw new FetchError(
          `Get ${JSON.stringify(at.href)}: unsupported protocol scheme "${at.protocol.slice(0, -1)}"`,
        );
      }
      const { fetched, location } = await this.#send(at, at.host === first ? headers : {}, signal);
      if (location === undefined || ![301, 302, 303, 307, 308].includes(fetched.status)) return fetched;
      if (hop >= maxRedirects) throw new FetchError(`Get ${JSON.stringify(at.href)}: stopped after 10 redirects`);
      at = new URL(location, at);
    }
  }

  #send(
    url: URL,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ fetched: Fetched; location: string | undefined }> {
    return new Promise((resolve, reject) => {
      const options = { headers: { 'user-agent': 'Go-http-client/1.1', ...headers }, signal };
      const onAnswer = (answer: IncomingMessage): void => {
        const chunks: Buffer[] = [];
        let size = 0;
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size <= maxAnswerBytes) chunks.push(chunk);
          else {
            reject(new FetchError(`the answer has more than ${maxAnswerBytes} bytes`));
            answer.destroy();
          }
        });
        answer.on('error', reject);
        answer.on('end', () =>
          resolve({ fetched: fetchedOf(answer, Buffer.concat(chunks)), location: answer.headers.location }),
        );
      };
      const request =
        url.protocol === 'https:'
          ? httpsRequest(url, { ...options, agent: this.#agent }, onAnswer)
          : httpRequest(url, options, onAnswer);
      request.on('error', reject);
      request.end();
    });
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

function fetchedOf({ statusCode = 0, statusMessage = '', headers }: IncomingMessage, body: Buffer): Fetched {
  return {
    status: statusCode,
    statusText: `${statusCode} ${statusMessage}`,
    contentType: headers['content-type'] ?? '',
    cacheControl: headers['cache-control'] ?? '',
    expires: headers.expires ?? '',
    body: body.toString('utf8'),
  };
}
