/**
 * The step of a request's way in which it waits for its turn. Headers of every answer behind it name its schema and
 * level. A list holds its seats until it is sent, a watch until its initial events are; requests within the process hold
 * theirs until they are answered, since nothing of theirs waits for a wire. Upstream: apiserver
 * pkg/server/filters/priority-and-fairness.go.
 * Deviation: a write from within the process gives its seats back when it is answered, however many watches it woke;
 * an answer in one piece does so before it is sent.
 */
import type { Clock } from '#base';
import { deadlineMs } from '../filters/deadline.ts';
import { isLongRunning } from '../filters/long-running.ts';
import type { ResponseBody, ServerRequest, ServerResponse } from '../http/message.ts';
import { textResponse } from '../http/message.ts';
import { type BulkTurns, inTurns } from './bulk-turns.ts';
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
  readonly turns: BulkTurns;
  /** `--request-timeout`. */
  readonly requestTimeoutMs: number;
}

const maxWaitMs = 60_000;

export function tooManyRequests(retryAfterSeconds: number): ServerResponse {
  const response = textResponse(429, 'Too many requests, please try again later.\n');
  response.headers['retry-after'] = String(retryAfterSeconds);
  return { ...response, terminated: true };
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
      const isShort = info.verb !== 'list' && !isWatch;
      if (isShort) deps.turns.shortBegan();
      const forget = isWatch ? deps.watches.register(info) : undefined;
      const finished = (): void => {
        if (ticket.state !== 'executing') return;
        executing.add(-1);
        if (isShort) deps.turns.shortEnded();
        deps.flowControl.finished({ schema, ticket }, info);
      };
      try {
        const response = await next.run();
        return headers(held(response, request, { verb: info.verb, turns: deps.turns, finished, forget }));
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
  const deadline = info.verb === 'watch' ? requestTimeoutMs : deadlineMs(request, requestTimeoutMs);
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

interface Holder {
  readonly verb: string;
  readonly turns: BulkTurns;
  finished(): void;
  readonly forget: (() => void) | undefined;
}

/** The response, with `finished` called when the work for it is over and `forget` when its watch is. */
function held(response: ServerResponse, request: ServerRequest, holder: Holder): ServerResponse {
  const { verb, turns, finished, forget } = holder;
  const { body } = response;
  if (body.kind === 'watch') return { ...response, body: watched(body, request, holder) };
  forget?.();
  // A watch of other than events is another server's, and nothing but a list is made while it is sent.
  if (body.kind !== 'chunks' || verb !== 'list' || request.user) {
    finished();
    return response;
  }
  // Whoever passes the pieces on may forget to tell that nobody takes them.
  request.signal.addEventListener('abort', finished, { once: true });
  return { ...response, body: { ...body, chunks: inTurns(body.chunks, turns, finished) } };
}

function watched(
  body: Extract<ResponseBody, { kind: 'watch' }>,
  request: ServerRequest,
  { turns, finished, forget }: Holder,
): ResponseBody {
  const { done, initialized } = body;
  const ended = (): void => {
    finished();
    forget?.();
  };
  let initial = false;
  if (request.user || !initialized) finished();
  else {
    initial = true;
    void initialized.then(() => {
      initial = false;
      finished();
    });
  }
  if (!done || done.aborted) ended();
  else done.addEventListener('abort', ended, { once: true });
  const iterator = body.events[Symbol.asyncIterator]();
  const events = {
    // No async function: once a watch goes on, each of a thousand would be three more steps an event.
    next: () => (initial ? turns.next().then(() => iterator.next()) : iterator.next()),
    // Of a watch that nobody began to read nothing else tells the end.
    return: async () => {
      ended();
      return (await iterator.return?.()) ?? { done: true as const, value: undefined };
    },
    [Symbol.asyncIterator]: () => events,
  };
  return { ...body, events };
}
