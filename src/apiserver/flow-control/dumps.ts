/**
 * What is waiting and executing now, as tables for people:
 * /debug/api_priority_and_fairness/dump_{priority_levels,queues,requests}. Upstream: apiserver
 * pkg/util/flowcontrol/apf_controller_debug.go.
 */
import { formatGoDuration } from '#apimachinery';
import type { Clock } from '#base';
import { type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';
import type { RequestDigest } from './matching.ts';
import type { PriorityLevel } from './priority-level.ts';
import type { Ticket } from './queue-set.ts';
import { seatSecondsText } from './seat-seconds.ts';

const root = '/debug/api_priority_and_fairness/';
const levelColumns = [
  'PriorityLevelName',
  'ActiveQueues',
  'IsIdle',
  'IsQuiescing',
  'WaitingRequests',
  'ExecutingRequests',
  'DispatchedRequests',
  'RejectedRequests',
  'TimedoutRequests',
  'CancelledRequests',
];
const queueColumns = [
  'PriorityLevelName',
  'Index',
  'PendingRequests',
  'ExecutingRequests',
  'SeatsInUse',
  'NextDispatchR',
  'InitialSeatsSum',
  'MaxSeatsSum',
  'TotalWorkSum',
];
const requestColumns = [
  'PriorityLevelName',
  'FlowSchemaName',
  'QueueIndex',
  'RequestIndexInQueue',
  'FlowDistingsher',
  'ArriveTime',
  'InitialSeats',
  'FinalSeats',
  'AdditionalLatency',
  'StartTime',
];
const detailColumns = ['UserName', 'Verb', 'APIPath', 'Namespace', 'Name', 'APIVersion', 'Resource', 'SubResource'];

type Cell = string | number | boolean;
type Levels = ReadonlyMap<string, PriorityLevel>;

/** The answer, or undefined for a path that is none of these. */
export function dump(request: ServerRequest, levels: Levels, clock: Clock): ServerResponse | undefined {
  if (!request.path.startsWith(root)) return undefined;
  switch (request.path.slice(root.length)) {
    case 'dump_priority_levels':
      return table([levelColumns, ...levelRows(levels)]);
    case 'dump_queues':
      return table([queueColumns, ...queueRows(levels)]);
    case 'dump_requests': {
      const detailed = (request.query.get('includeRequestDetails') ?? '') !== '';
      const columns = detailed ? [...requestColumns, ...detailColumns] : requestColumns;
      return table([columns, ...requestRows(levels, detailed, clock)]);
    }
    default:
      return undefined;
  }
}

function levelRows(levels: Levels): Cell[][] {
  return [...levels.values()]
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .map(({ name, queues, quiescing }) => [
      name,
      queues.queues.filter(queue => queue.waiting.size > 0).length,
      queues.isIdle,
      quiescing,
      queues.waiting,
      queues.executing,
      queues.dispatched,
      queues.rejected,
      queues.timedOut,
      queues.cancelled,
    ]);
}

function queueRows(levels: Levels): Cell[][] {
  return [...levels.values()].flatMap(({ name, queues }) =>
    queues.queues.map((queue, at) => [
      name,
      at,
      queue.waiting.size,
      queue.executing.size,
      queue.seatsInUse,
      seatSecondsText(queue.nextDispatchR),
      queue.waitingInitialSeats,
      queue.waitingSeats,
      seatSecondsText(queue.waitingWork),
    ]),
  );
}

function requestRows(levels: Levels, detailed: boolean, clock: Clock): Cell[][] {
  const row = (level: string, queue: number, place: number, ticket: Ticket): Cell[] => [
    level,
    ticket.flow.schema,
    queue,
    place,
    ticket.flow.distinguisher,
    timeText(ticket.arrivedAtMs, clock),
    ticket.work.initialSeats,
    ticket.work.finalSeats,
    formatGoDuration(BigInt(Math.round(ticket.work.additionalLatencyMs * 1e6))),
    ticket.state === 'waiting' ? '0001-01-01T00:00:00Z' : timeText(ticket.startedAtMs, clock),
    ...(detailed ? details(ticket.about as RequestDigest) : []),
  ];
  return [...levels.values()].flatMap(({ name, queues }) => [
    ...queues.queues.flatMap((queue, at) => [
      ...[...queue.waiting].map((ticket, place) => row(name, at, place, ticket)),
      ...[...queue.executing].map(ticket => row(name, at, -1, ticket)),
    ]),
    ...[...queues.unqueued].map(ticket => row(name, -1, -1, ticket)),
  ]);
}

function details({ info, user }: RequestDigest): Cell[] {
  const groupVersion = info.group === '' ? info.version : `${info.group}/${info.version}`;
  return [user.name, info.verb, info.path, info.namespace, info.name, groupVersion, info.resource, info.subresource];
}

/** Of a monotonic time. */
function timeText(atMs: number, clock: Clock): string {
  return new Date(clock.now() - (clock.monotonicMs() - atMs)).toISOString();
}

/** Columns as Go's tabwriter sets them: each as wide as its widest cell and one space, at least eight. */
function table(rows: ReadonlyArray<readonly Cell[]>): ServerResponse {
  const texts = rows.map(row => row.map((cell, at) => (at < row.length - 1 ? `${cell},` : String(cell))));
  const widths = (texts[0] ?? []).map((_, at) => Math.max(8, ...texts.map(row => row[at]!.length + 1)));
  const lines = texts.map(row =>
    row.map((cell, at) => (at < row.length - 1 ? cell.padEnd(widths[at]!) : cell)).join(''),
  );
  const response = textResponse(200, `${lines.join('\n')}\n`);
  delete response.headers['x-content-type-options'];
  return response;
}
