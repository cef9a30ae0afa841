/**
 * How a server comes to its end without breaking off what it was asked: readiness fails at once while everything is
 * served as before (`--shutdown-delay-duration`); then nothing new is taken, what is being answered gets its answer,
 * watches are ended, and the connections go. Upstream: apiserver pkg/server/{genericapiserver,lifecycle_signals}.go,
 * pkg/server/filters/{waitgroup,with_retry_after,watch_termination,goaway}.go.
 */
import type { Clock, Logger, Random } from '#base';
import { isLongRunning } from '../filters/long-running.ts';
import type { RequestInfo } from '../filters/request-info.ts';
import { header, type ServerRequest, type ServerResponse, statusResponse, textResponse } from '../http/message.ts';
import type { ShutdownSettings } from './settings.ts';

export interface LifecycleDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `--request-timeout`: nothing that is waited for takes longer. */
  readonly requestTimeoutMs: number;
}

/** A listener, as far as its end is concerned. */
export interface Draining {
  /** No new connections; those that there are end when they are idle. */
  stopAccepting(): void;
}

/** A request between its arrival and the end of its answer. */
export interface Inside {
  /** The answer, watched until it is sent. */
  answered(response: ServerResponse): ServerResponse;
}

const openPaths = ['/readyz', '/livez', '/healthz', '/metrics'];
const minWatchesASecond = 200;

export class Lifecycle {
  readonly #deps: LifecycleDeps;
  readonly #settings: ShutdownSettings;
  readonly #ended = new Set<() => void>();
  /** Long-running ones not counted. */
  #inFlight = 0;
  readonly #watches = new Set<() => void>();
  #began: Promise<void> | undefined;
  #refuses = false;
  #drains = false;

  constructor(deps: LifecycleDeps, settings: ShutdownSettings) {
    this.#deps = deps;
    this.#settings = settings;
  }

  /** What the check `shutdown` says. */
  get problem(): string | undefined {
    return this.#began ? 'process is shutting down' : undefined;
  }

  /**
   * Begins the end: readiness fails from now on. Resolves when `hooks` (which take the server out of where it is
   * announced) are done and the delay is over. Later calls give the first one's promise.
   */
  begin(hooks: () => Promise<void>): Promise<void> {
    this.#began ??= Promise.all([
      hooks().catch(error => this.#deps.logger.warn('what announces the server was not taken back', { error })),
      this.#settings.delayMs > 0 ? this.#deps.clock.sleep(this.#settings.delayMs) : undefined,
    ]).then(() => {});
    return this.#began;
  }

  /** Takes nothing new, and resolves when all is answered and all watches have ended. After {@link begin}. */
  async drain(listeners: readonly Draining[]): Promise<void> {
    this.#refuses = true;
    if (!this.#settings.sendRetryAfter) for (const listener of listeners) listener.stopAccepting();
    const graceful = this.#settings.watchGraceMs > 0 ? this.#endWatchesByAndBy() : undefined;
    // Requests that have arrived but were not read yet are taken in before the gate closes.
    await new Promise<void>(resolve => setImmediate(resolve));
    this.#drains = true;
    await this.#until(() => this.#inFlight === 0, this.#deps.requestTimeoutMs);
    await graceful;
    for (const end of [...this.#watches]) end();
    await new Promise<void>(resolve => setImmediate(resolve));
    for (const listener of listeners) listener.stopAccepting();
  }

  /** Takes a request in, or answers it. */
  enter(request: ServerRequest, info: RequestInfo): Inside | ServerResponse {
    if (request.user) return passing;
    const open = this.#isOpen(request);
    if (this.#refuses && this.#settings.sendRetryAfter && !open) return comeAgain();
    const isWatch = info.verb === 'watch';
    if (isLongRunning(info)) {
      if (isWatch && this.#drains && this.#settings.watchGraceMs > 0) return unavailable();
      return { answered: response => this.#goaway(request, isWatch ? this.#watched(response) : response) };
    }
    if (this.#drains) return open ? passing : unavailable();
    this.#inFlight++;
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      this.#inFlight--;
      if (this.#drains) for (const check of [...this.#ended]) check();
    };
    request.signal.addEventListener('abort', leave, { once: true });
    return { answered: response => this.#goaway(request, untilSent(response, leave)) };
  }

  /** Those that a load balancer asks, and other servers. */
  #isOpen(request: ServerRequest): boolean {
    if (!this.#refuses) return true;
    const isServer = (header(request, 'user-agent') ?? '').startsWith('kube-apiserver/');
    return isServer || openPaths.some(path => request.path.startsWith(path));
  }

  #goaway(request: ServerRequest, response: ServerResponse): ServerResponse {
    const { goawayChance } = this.#settings;
    const isHttp2 = ':method' in request.headers;
    if (goawayChance > 0 && isHttp2 && this.#deps.random.float() < goawayChance)
      response.headers['connection'] = 'close';
    return response;
  }

  #watched(response: ServerResponse): ServerResponse {
    const { body } = response;
    if (body.kind !== 'watch' || !body.end || !body.done) return response;
    const end = (): void => body.end!();
    this.#watches.add(end);
    body.done.addEventListener(
      'abort',
      () => {
        this.#watches.delete(end);
        for (const check of [...this.#ended]) check();
      },
      { once: true },
    );
    return response;
  }

  /** So many a second that all are ended within the grace period, so that their clients do not all come back at once. */
  async #endWatchesByAndBy(): Promise<void> {
    const { clock } = this.#deps;
    const { watchGraceMs } = this.#settings;
    const all = [...this.#watches];
    const perSecond = Math.max(minWatchesASecond, all.length / (watchGraceMs / 1000));
    const began = clock.monotonicMs();
    for (const [at, end] of all.entries()) {
      const dueMs = began + (at / perSecond) * 1000 - clock.monotonicMs();
      if (dueMs > 1) await clock.sleep(dueMs);
      end();
    }
    await this.#until(() => this.#watches.size === 0, began + watchGraceMs - clock.monotonicMs());
  }

  /** Resolves when `isOver`, which is asked when something ended, or after `limitMs`. */
  async #until(isOver: () => boolean, limitMs: number): Promise<void> {
    if (isOver()) return;
    await new Promise<void>(resolve => {
      const check = (): void => {
        if (isOver()) done();
      };
      const done = (): void => {
        timer.cancel();
        this.#ended.delete(check);
        resolve();
      };
      const timer = this.#deps.clock.setTimer(done, Math.max(0, limitMs));
      this.#ended.add(check);
    });
  }
}

const passing: Inside = Object.freeze({ answered: (response: ServerResponse) => response });

/** 429: the connection is to be closed, another server asked. */
function comeAgain(): ServerResponse {
  const response = textResponse(429, 'The apiserver is shutting down, please try again later.\n');
  response.headers['connection'] = 'close';
  response.headers['retry-after'] = '5';
  return response;
}

/** 503: it came too late. */
function unavailable(): ServerResponse {
  const response = statusResponse({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'apiserver is shutting down',
    reason: 'ServiceUnavailable',
    code: 503,
  });
  response.headers['retry-after'] = '1';
  response.headers['x-content-type-options'] = 'nosniff';
  return response;
}

/** The response, with `sent` told when its last byte is made or nobody wants it. */
function untilSent(response: ServerResponse, sent: () => void): ServerResponse {
  const { body } = response;
  if (body.kind !== 'chunks') {
    // What is in one piece is handed to the connection when the promise that it came by is settled.
    setImmediate(sent);
    return response;
  }
  const iterator = body.chunks[Symbol.asyncIterator]();
  const chunks: AsyncIterableIterator<Uint8Array> = {
    async next() {
      try {
        const step = await iterator.next();
        if (step.done) sent();
        return step;
      } catch (error) {
        sent();
        throw error;
      }
    },
    async return() {
      sent();
      return (await iterator.return?.()) ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => chunks,
  };
  return { ...response, body: { ...body, chunks } };
}
