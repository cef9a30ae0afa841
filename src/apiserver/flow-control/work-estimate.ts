/**
 * How many seats a request takes, and for how long beyond its end: lists and watches with initial events by what they
 * load, writes by the watches that they wake. Upstream: apiserver pkg/util/flowcontrol/request/{config,width,
 * list_work_estimator,mutating_work_estimator}.go.
 * Deviation: objects are counted as they change, not once a minute, so their number is never out of date; of kinds that
 * nobody has read since the start nothing is known, and a list of them takes one seat.
 */
import { booleanParameter, type RequestInfo } from '../filters/request-info.ts';
import type { Query } from '../http/message.ts';
import { durationPerSeat, seatsTimesDuration } from './seat-seconds.ts';

export interface WorkEstimate {
  /** While the request is answered. */
  readonly initialSeats: number;
  /** For `additionalLatencyMs` after that. */
  readonly finalSeats: number;
  readonly additionalLatencyMs: number;
}

/** What it holds at most, from its begin to its end. */
export function maxSeats({ initialSeats, finalSeats }: WorkEstimate): number {
  return initialSeats > finalSeats ? initialSeats : finalSeats;
}

/** The same until the request is answered, and nothing beyond. */
export function withoutLatency({ initialSeats }: WorkEstimate): WorkEstimate {
  return seatsOnly(initialSeats);
}

/** Objects of a resource. */
export interface ObjectStats {
  readonly count: number;
  readonly averageBytes: number;
}

export interface WorkSources {
  /** Undefined for what is not stored here. */
  stats(info: RequestInfo): ObjectStats | undefined;
  /** Watches that a write wakes. */
  watchCount(info: RequestInfo): number;
}

const minimumSeats = 1;
const listSeatsLimit = 100;
const mutatingSeatsLimit = 10;
const watchesPerSeat = 10;
const eventMs = 5;
const bytesPerSeat = 100_000;
/** A list from the cache is streamed: it never holds more than this. */
const streamedBytes = 1_000_000;

const oneSeat: WorkEstimate = Object.freeze({ initialSeats: minimumSeats, finalSeats: 0, additionalLatencyMs: 0 });

/** The estimate for a level whose requests may take `levelSeats` (0: no limit of its own). */
export function estimateWork(
  sources: WorkSources,
  info: RequestInfo,
  query: Query,
  levelSeats: number,
  onWatchCount: (count: number) => void,
): WorkEstimate {
  switch (info.verb) {
    case 'list':
    case 'watch':
      return listWork(sources, info, query, limited(levelSeats, listSeatsLimit));
    case 'create':
    case 'update':
    case 'patch':
    case 'delete':
      return writeWork(sources, info, limited(levelSeats, mutatingSeatsLimit), onWatchCount);
    default:
      return oneSeat;
  }
}

function limited(levelSeats: number, limit: number): number {
  return levelSeats === 0 || levelSeats > limit ? limit : levelSeats;
}

function seatsOnly(initialSeats: number): WorkEstimate {
  return initialSeats === minimumSeats ? oneSeat : { initialSeats, finalSeats: 0, additionalLatencyMs: 0 };
}

function listWork(sources: WorkSources, info: RequestInfo, query: Query, most: number): WorkEstimate {
  const options = listOptions(query);
  // Its options are refused later.
  if (!options) return seatsOnly(most);
  const { resourceVersion, sendInitialEvents } = options;
  const isWatch = info.verb === 'watch';
  if (isWatch && !sendInitialEvents && resourceVersion !== '' && resourceVersion !== '0') return oneSeat;
  const stats = sources.stats(info);
  if (!stats) return oneSeat;
  const fromCache = isWatch || !readsStore(options);
  const listed = options.limit > 0 && options.limit < stats.count ? options.limit : stats.count;
  const selective = !fromCache && (query.get('fieldSelector') || query.get('labelSelector'));
  const loaded = info.name !== '' ? 1 : selective ? Math.max(listed, Math.floor(stats.count / 2)) : listed;
  const bytes = loaded * stats.averageBytes;
  const seats = Math.ceil((fromCache ? Math.min(bytes, streamedBytes) : bytes) / bytesPerSeat);
  return seatsOnly(Math.min(Math.max(seats, minimumSeats), most));
}

interface ListOptions {
  readonly resourceVersion: string;
  readonly resourceVersionMatch: string;
  readonly continued: boolean;
  readonly limit: number;
  readonly sendInitialEvents: boolean;
}

const noOptions: ListOptions = Object.freeze({
  resourceVersion: '',
  resourceVersionMatch: '',
  continued: false,
  limit: 0,
  sendInitialEvents: false,
});

/** Undefined for what cannot be read. */
function listOptions(query: Query): ListOptions | undefined {
  if (query.pairs.length === 0) return noOptions;
  const limit = query.get('limit') ?? '';
  if (!/^([+-]?\d+)?$/.test(limit) || !/^([+-]?\d+)?$/.test(query.get('timeoutSeconds') ?? '')) return undefined;
  return {
    resourceVersion: query.get('resourceVersion') ?? '',
    resourceVersionMatch: query.get('resourceVersionMatch') ?? '',
    continued: (query.get('continue') ?? '') !== '',
    limit: Number(limit),
    sendInitialEvents: booleanParameter(query.get('sendInitialEvents')),
  };
}

/** Whether upstream asks etcd rather than its cache. */
function readsStore({ resourceVersionMatch, continued, limit, resourceVersion }: ListOptions): boolean {
  if (resourceVersionMatch === 'NotOlderThan') return false;
  if (resourceVersionMatch !== '') return true;
  return continued || (limit > 0 && resourceVersion !== '' && resourceVersion !== '0');
}

function writeWork(
  sources: WorkSources,
  info: RequestInfo,
  most: number,
  onWatchCount: (count: number) => void,
): WorkEstimate {
  if (info.resource === 'serviceaccounts' && info.subresource === 'token') return oneSeat;
  const count = sources.watchCount(info);
  onWatchCount(count);
  if (count < watchesPerSeat) return oneSeat;
  const wanted = Math.ceil(count / watchesPerSeat);
  const work = seatsTimesDuration(wanted, eventMs);
  const finalSeats = Math.min(wanted, most);
  return { initialSeats: minimumSeats, finalSeats, additionalLatencyMs: durationPerSeat(work, finalSeats) };
}
