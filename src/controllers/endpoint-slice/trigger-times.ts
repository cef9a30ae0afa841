/**
 * When the change happened that made a Service's endpoints be written anew, for those who measure how long that takes.
 * Upstream: staging endpointslice/trigger_time_tracker.go.
 *
 * It is the earliest time that is new since the last call: of the Service's creation, or of a pod's turn to (un)ready.
 */
import type { Pod, Service } from '#api/types';
import { objectKey } from '#apimachinery';

const triggerAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time';

export interface TriggerTimes {
  /** The time as it is written; undefined when nothing that has a time changed. */
  next(service: Service, pods: readonly Pod[]): string | undefined;
  forget(key: string): void;
}

export function createTriggerTimes(): TriggerTimes {
  const known = new Map<string, { service: string; pods: Map<string, string> }>();
  return {
    next(service, pods) {
      const key = objectKey(service);
      const before = known.get(key);
      const now = { service: service.metadata.creationTimestamp ?? '', pods: new Map<string, string>() };
      const fresh: string[] = [];
      for (const pod of pods) {
        const time = pod.status?.conditions?.find(each => each.type === 'Ready')?.lastTransitionTime;
        if (!time) continue;
        const name = pod.metadata.name!;
        now.pods.set(name, time);
        if (time > (before?.pods.get(name) ?? '')) fresh.push(time);
      }
      if (now.service > (before?.service ?? '')) fresh.push(now.service);
      known.set(key, now);
      return fresh.sort()[0];
    },
    forget: key => void known.delete(key),
  };
}

/** `annotations` with the time, or without one. */
export function withTriggerTime(
  annotations: Readonly<Record<string, string>> | undefined,
  time: string | undefined,
): { annotations?: Record<string, string> } {
  const { [triggerAnnotation]: _, ...rest } = annotations ?? {};
  const result = time ? { ...rest, [triggerAnnotation]: time } : rest;
  return Object.keys(result).length > 0 ? { annotations: result } : {};
}
