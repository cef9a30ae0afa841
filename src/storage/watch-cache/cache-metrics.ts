/**
 * The watch cache's metrics under upstream's names. Upstream: apiserver pkg/storage/cacher/metrics/metrics.go and, for
 * the counts of objects, pkg/storage/etcd3/metrics/metrics.go. Deviation: objects are counted as they change, not once
 * a minute.
 */
import type { MetricsRegistry } from '#base';

/** Upstream's labels of a resource. */
export interface ResourceLabels {
  readonly group: string;
  /** Lower-case plural. */
  readonly resource: string;
}

/** What one resource's cache reports. */
export interface ResourceMetrics {
  /** A batch was applied: how many events, the cache's revision and its objects after it. */
  applied(events: number, revision: number, objects: number): void;
  /** The cache was filled with so many objects. */
  filled(revision: number, objects: number): void;
  listed(fetched: number, returned: number, index: string): void;
  /** A watcher was closed for being too slow. */
  terminated(): void;
}

export const noResourceMetrics: ResourceMetrics = Object.freeze({
  applied: () => {},
  filled: () => {},
  listed: () => {},
  terminated: () => {},
});

/** Registers the families once; answers what makes the reports of one resource. */
export function cacheMetrics(registry: MetricsRegistry): (labels: ResourceLabels) => ResourceMetrics {
  const counter = (name: string, help: string) => registry.counter(`apiserver_${name}`, help);
  const received = counter(
    'watch_cache_events_received_total',
    'Counter of events received in watch cache broken by resource type.',
  );
  const dispatched = counter(
    'watch_cache_events_dispatched_total',
    'Counter of events dispatched in watch cache broken by resource type.',
  );
  const initializations = counter(
    'watch_cache_initializations_total',
    'Counter of watch cache initializations broken by resource type.',
  );
  const initEvents = counter(
    'init_events_total',
    'Counter of init events processed in watch cache broken by resource type.',
  );
  const terminated = counter(
    'terminated_watchers_total',
    'Counter of watchers closed due to unresponsiveness broken by resource type.',
  );
  const lists = counter('cache_list_total', 'Number of LIST requests served from watch cache');
  const fetched = counter(
    'cache_list_fetched_objects_total',
    'Number of objects read from watch cache in the course of serving a LIST request',
  );
  const returned = counter(
    'cache_list_returned_objects_total',
    'Number of objects returned for a LIST request from watch cache',
  );
  const revisions = registry.gauge(
    'apiserver_watch_cache_resource_version',
    'Current resource version of watch cache broken by resource type. This is truncated to the 15 least significant digits.',
  );
  const countHelp =
    'Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.';
  const objects = registry.gauge('apiserver_resource_objects', countHelp);
  const oldObjects = registry.gauge(
    'apiserver_storage_objects',
    `[DEPRECATED, consider using apiserver_resource_objects instead] ${countHelp}`,
  );
  return ({ group, resource }) => {
    const labels = { group, resource };
    const oldLabels = { resource: group === '' ? resource : `${resource}.${group}` };
    const state = (revision: number, count: number): void => {
      revisions.set(revision % 1e15, labels);
      objects.set(count, labels);
      oldObjects.set(count, oldLabels);
    };
    return {
      applied(events, revision, count) {
        received.inc(labels, events);
        dispatched.inc(labels, events);
        state(revision, count);
      },
      filled(revision, count) {
        initializations.inc(labels);
        initEvents.inc(labels, count);
        state(revision, count);
      },
      listed(read, sent, index) {
        lists.inc({ ...labels, index });
        fetched.inc({ ...labels, index }, read);
        returned.inc(labels, sent);
      },
      terminated: () => terminated.inc(labels),
    };
  };
}
