/**
 * Records events: a new one is created, a repetition within ten minutes raises the count of the first.
 * Upstream: client-go tools/record/{event,events_cache}.go.
 */
import type { Event } from '#api/types';
import { formatTime, isStatusError, type KubeObject } from '#apimachinery';
import type { Activity, Clock, Logger } from '#base';
import type { Client } from './client.ts';
import { events } from './resources.ts';

export interface EventRecorderDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly activity: Activity;
}

/** Which part of the system speaks. */
export interface EventSource {
  readonly component: string;
  readonly host?: string;
}

export interface EventRecorder {
  /**
   * Says that something happened to `object`. Returns at once; an event that cannot be written is logged and lost.
   * `fieldPath` narrows it down, as `spec.containers{web}`.
   */
  event(object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
}

const repetitionMs = 10 * 60 * 1000;
const cacheSize = 4096;
/** Events kept waiting for the server at most; more are dropped, as upstream does. */
const maxPending = 1000;

interface Known {
  readonly name: string;
  readonly namespace: string;
  count: number;
  lastMs: number;
}

/** A recorder for one component. Events of one recorder are written in order. */
export function createEventRecorder(deps: EventRecorderDeps, source: EventSource): EventRecorder {
  const known = new Map<string, Known>();
  let tail: Promise<void> = Promise.resolve();
  let pending = 0;
  let lastNanos = 0n;
  /** Nanoseconds since the epoch in hexadecimal, as upstream's names end; distinct within a recorder. */
  const suffix = (): string => {
    const wanted = BigInt(Math.floor(deps.clock.now())) * 1_000_000n;
    lastNanos = wanted > lastNanos ? wanted : lastNanos + 1n;
    return lastNanos.toString(16);
  };

  const write = async (event: Event, key: string): Promise<void> => {
    const nowMs = deps.clock.now();
    const before = known.get(key);
    const resource = deps.client.resource(events).namespace(event.metadata.namespace!);
    if (before && nowMs - before.lastMs < repetitionMs) {
      before.count++;
      before.lastMs = nowMs;
      try {
        const patch = { count: before.count, lastTimestamp: event.lastTimestamp };
        await resource.patch(before.name, patch, { type: 'strategic' });
        return;
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
      }
    }
    await resource.create(event);
    known.delete(key);
    known.set(key, { name: event.metadata.name!, namespace: event.metadata.namespace!, count: 1, lastMs: nowMs });
    if (known.size > cacheSize) known.delete(known.keys().next().value!);
  };
  return {
    event(object, type, reason, message, fieldPath) {
      if (pending >= maxPending) return;
      const event = makeEvent(deps.clock.now(), suffix(), source, object, { type, reason, message, fieldPath });
      const key = JSON.stringify([event.involvedObject, type, reason, message]);
      const end = deps.activity.begin();
      pending++;
      tail = tail
        .then(() => write(event, key))
        .catch(error => deps.logger.debug('an event was not written', { reason, error }))
        .finally(() => {
          pending--;
          end();
        });
    },
  };
}

function makeEvent(
  nowMs: number,
  suffix: string,
  source: EventSource,
  object: KubeObject,
  what: { type: string; reason: string; message: string; fieldPath: string | undefined },
): Event {
  const { name = '', namespace, uid, resourceVersion } = object.metadata;
  const time = formatTime(nowMs);
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${name}.${suffix}`,
      namespace: namespace ?? 'default',
    },
    involvedObject: {
      apiVersion: object.apiVersion,
      kind: object.kind,
      name,
      ...(namespace && { namespace }),
      ...(uid && { uid }),
      ...(resourceVersion && { resourceVersion }),
      ...(what.fieldPath && { fieldPath: what.fieldPath }),
    },
    reason: what.reason,
    message: what.message.slice(0, 1024),
    source: { component: source.component, ...(source.host && { host: source.host }) },
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
    type: what.type,
    reportingComponent: source.component,
    reportingInstance: source.host ?? '',
  } as Event;
}
