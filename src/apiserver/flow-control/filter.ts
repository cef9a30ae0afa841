/**
 * The step of a request's way in which it waits for its turn. Headers of every answer behind it name its schema and
 * level. A list holds its seats until it is sent, a watch until its initial events are; requests within the process hold
 * theirs until they are answered, since nothing of theirs waits for a wire. Upstream: apiserver
 * pkg/server/filters/priority-and-fairness.go.
 */
import type { Clock } from '#base';
import { deadlineMs } from '../filters/deadline.ts';
import { isLongRunning } from '../filters/long-running.ts';
import type { ResponseBody, ServerRequest, ServerResponse } from '../http/message.ts';
import { textResponse } from '../http/message.ts';
import type { DroppedRequests } from './dropped-requests.ts';
import type { Classified, FlowControl } from './flow-control.ts';
import { type InFlightByKind, requestKind } from './in-flight.ts';
import type { RequestDigest } from './matching.ts';
import type { Ticket } from './queue-set.ts';
import type { WatchTracker } from './watch-tracker.ts';

/** Runs a request's remaining steps when it is its turn. */
export interface ConcurrencyFilter {
  /** `run` may throw what becomes an answer by `failed`. Rejects with nothing of its own. */
  handle(request: ServerRequest, digest: RequestDigest, next: Next): Promise<ServerResponse>;
}

export interface Next {
  run(): Promise<ServerResponse>;
  /** The answer that an error becomes. */
  failed(error: unknown): ServerResponse;
}

export interface FilterDeps {
  readonly clock: Clock;
  readonly flowControl: FlowControl;
  readonly watches: WatchTracker;
  readonly dropped: DroppedRequests;
  readonly executing: InFlightByKind;
  readonly waiting: InFlightByKind;
  /** `--request-timeout`. */
  readonly requestTimeoutMs: number;
}

const maxWaitMs = 60_000;

export function tooManyRequests(retryAfterSeconds: number): ServerResponse {
  const response = textResponse(429, 'Too many requests, please try again later.\n');
  response.headers['retry-after'] = String(retryAfterSeconds);
  return response;
}

/** See the file header. */
export function priorityAndFairness(deps: FilterDeps): ConcurrencyFilter {
  return {
    async handle(request, digest, next) {
      const { info } = digest;
      const isWatch = info.verb === 'watch';
      if (isLongRunning(info) && !isWatch) return next.run();
      const started = deps.flowControl.start(digest, { query: request.query, lingers: !request.user });
      const { schema, ticket } = started;
      const headers = (response: ServerResponse): ServerResponse => {
        response.headers['x-kubernetes-pf-flowschema-uid'] = schema.uid;
        response.headers['x-kubernetes-pf-prioritylevel-uid'] = schema.level.config.metadata.uid ?? '';
        return response;
      };
      if (!ticket || !(await turn(deps, request, digest, { schema, ticket }))) {
        return headers(tooManyRequests(deps.dropped.record(schema.level.name)));
      }
      const executing = deps.executing[requestKind(info.verb)];
      deps.flowControl.began({ schema, ticket });
      executing.add(1);
      const forget = isWatch ? deps.watches.register(info) : undefined;
      const finished = (): void => {
        if (ticket.state !== 'executing') return;
        executing.add(-1);
        deps.flowControl.finished({ schema, ticket }, info);
      };
      try {
        const response = await next.run();
        return headers(held(response, request, finished, forget));
      } catch (error) {
        finished();
        forget?.();
        return headers(next.failed(error));
      }
    },
  };
}

/** Waits if it must. */
async function turn(
  { clock, flowControl, waiting, requestTimeoutMs }: FilterDeps,
  request: ServerRequest,
  { info }: RequestDigest,
  classified: Classified & { readonly ticket: Ticket },
): Promise<boolean> {
  const { ticket } = classified;
  if (ticket.state === 'executing') return true;
  // A watch has no deadline of its own.
  const deadline = info.verb === 'watch' ? requestTimeoutMs : deadlineMs(request);
  const sinceMs = clock.monotonicMs() - ticket.arrivedAtMs;
  const limitMs = Math.max(0, Math.min(deadline / 4, maxWaitMs) - sinceMs);
  const inQueue = waiting[requestKind(info.verb)];
  inQueue.add(1);
  try {
    return await flowControl.wait(classified, { limitMs, signal: request.signal });
  } finally {
    inQueue.add(-1);
  }
}

/** The response, with `finished` called when the work for it is over and `forget` when its watch is. */
function held(
  response: ServerResponse,
  request: ServerRequest,
  finished: () => void,
  forget: (() => void) | undefined,
): ServerResponse {
  const { body } = response;
  if (body.kind === 'watch') return { ...response, body: watched(body, request, finished, forget) };
  forget?.();
  if (body.kind !== 'chunks' || request.user) {
    finished();
    return response;
  }
  return { ...response, body: untilSent(body.chunks, finished) };
}

function watched(
  body: Extract<ResponseBody, { kind: 'watch' }>,
  request: ServerRequest,
  finished: () => void,
  forget: (() => void) | undefined,
): ResponseBody {
  const { done, initialized } = body;
  const ended = (): void => {
    finished();
    forget?.();
  };
  if (request.user || !initialized) finished();
  else void initialized.then(finished);
  if (!done || done.aborted) ended();
  else done.addEventListener('abort', ended, { once: true });
  const iterator = body.events[Symbol.asyncIterator]();
  const events = {
    next: () => iterator.next(),
    // Of a watch that nobody began to read nothing else tells the end.
    return: async () => {
      ended();
      return (await iterator.return?.()) ?? { done: true as const, value: undefined };
    },
    [Symbol.asyncIterator]: () => events,
  };
  return { ...body, events };
}

/** Not a generator: `return` has to tell the end of one that nobody began to read, too. */
function untilSent(chunks: AsyncIterable<Uint8Array>, finished: () => void): ResponseBody {
  const iterator = chunks[Symbol.asyncIterator]();
  const watched: AsyncIterableIterator<Uint8Array> = {
    async next() {
      try {
        const step = await iterator.next();
        if (step.done) finished();
        return step;
      } catch (error) {
        finished();
        throw error;
      }
    },
    async return() {
      finished();
      return (await iterator.return?.()) ?? { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => watched,
  };
  return { kind: 'chunks', chunks: watched };
}
