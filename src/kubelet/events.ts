/**
 * Events about pods and the node. Equal ones are counted up in one object, and a source that repeats itself is slowed.
 * Upstream: client-go tools/record/{event.go,events_cache.go}.
 *
 * Deviation: similar events with differing messages are not folded together.
 */
import { formatTime, isStatusError } from '#apimachinery';
import type { Clock, Logger } from '#base';
import type { Client } from '#client';
import type { Pod } from './api-objects.ts';
import { containerFieldPath } from './pod-helpers.ts';
import { resources } from './resources.ts';

export type EventType = 'Normal' | 'Warning';

export interface ObjectRef {
  readonly kind: string;
  readonly apiVersion: string;
  readonly namespace?: string;
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion?: string;
  readonly fieldPath?: string;
}

export interface Recorder {
  /** Sends in the background; never throws. */
  event(about: ObjectRef, type: EventType, reason: string, message: string): void;
}

export function podRef(pod: Pod, containerName?: string): ObjectRef {
  const { namespace = '', name = '', uid = '', resourceVersion } = pod.metadata;
  const fieldPath = containerName === undefined ? '' : containerFieldPath(pod, containerName);
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    namespace,
    name,
    uid,
    ...(resourceVersion && { resourceVersion }),
    ...(fieldPath && { fieldPath }),
  };
}

interface Known {
  name: string;
  namespace: string;
  count: number;
  firstTimestamp: string;
}

const maxKnown = 4096;
const burst = 25;
const refillMs = 300_000;

interface Bucket {
  tokens: number;
  atMs: number;
}

export function createRecorder(deps: { client: Client; clock: Clock; logger: Logger; host: string }): Recorder {
  const { client, clock, logger, host } = deps;
  const events = client.resource(resources.events);
  const known = new Map<string, Known>();
  const buckets = new Map<string, Bucket>();
  let tail: Promise<void> = Promise.resolve();

  const allowed = (about: ObjectRef): boolean => {
    const key = `${about.kind}/${about.uid || about.name}`;
    const now = clock.monotonicMs();
    const bucket = buckets.get(key) ?? { tokens: burst, atMs: now };
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.atMs) / refillMs);
    bucket.atMs = now;
    remember(buckets, key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  };
  const send = async (about: ObjectRef, type: EventType, reason: string, message: string): Promise<void> => {
    const key = [about.kind, about.namespace, about.name, about.uid, about.fieldPath, type, reason, message].join('\0');
    const now = clock.now();
    const at = formatTime(now);
    const before = known.get(key);
    if (before) {
      before.count++;
      const patch = { count: before.count, lastTimestamp: at };
      try {
        await events.namespace(before.namespace).patch(before.name, patch, { type: 'strategic' });
        return;
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
      }
    }
    const namespace = about.namespace || 'default';
    const name = `${about.name}.${(BigInt(Math.trunc(now)) * 1_000_000n + BigInt(serial++)).toString(16)}`;
    remember(known, key, { name, namespace, count: 1, firstTimestamp: at });
    await events.namespace(namespace).create({
      metadata: { name, namespace },
      involvedObject: about,
      reason,
      message,
      source: { component: 'kubelet', host },
      firstTimestamp: at,
      lastTimestamp: at,
      count: 1,
      type,
      reportingComponent: 'kubelet',
      reportingInstance: host,
    } as object);
  };
  let serial = 0;
  return {
    event(about, type, reason, message) {
      if (!allowed(about)) return;
      tail = tail
        .then(() => send(about, type, reason, message))
        .catch(error => logger.debug('event was not recorded', { reason, name: about.name, error }));
    },
  };
}

/** Sets, and drops the oldest when there are too many. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > maxKnown) map.delete(map.keys().next().value!);
}
