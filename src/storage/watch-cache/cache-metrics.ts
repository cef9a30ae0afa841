/**
 * The watch cache's metrics under upstream's names. Upstream: apiserver pkg/storage/cacher/metrics/metrics.go and, for
 * the counts of objects, pkg/storage/etcd3/metrics/metrics.go. Deviation: objects are counted as they change, not once
 * a minute. There is no watch_cache_capacity: the events that are kept are bounded by their bytes.
 */
import { labelsOf, type MetricsRegistry } from '#base';

/** Upstream's labels of a resource. */
export interface ResourceLabels {
  readonly group: string;
  /** Lower-case plural. */
  readonly resource: string;
}

const waitBuckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3];

/** What one resource's cache reports. */
export interface ResourceMetrics {
  /** A batch was applied: how many events, the cache's revision, its objects and their bytes after it. */
  applied(events: number, revision: number, objects: number, sizeBytes: number): void;
  /** The cache was filled with so many objects of so many bytes. */
  filled(revision: number, objects: number, sizeBytes: number): void;
  /** A reader waited until the cache was as new as the store. */
  waited(seconds: number): void;
  /** Objects were read from the store itself. */
  storeListed(fetched: number, returned: number): void;
  listed(fetched: number, returned: number, index: string): void;
  /** A watcher was closed for being too slow. */
  terminated(): void;
}

export const noResourceMetrics: ResourceMetrics = Object.freeze({
  applied: () => {},
  filled: () => {},
  waited: () => {},
  storeListed: () => {},
  listed: () => {},
  terminated: () => {},
});

/** Registers the families once; answers what makes the reports of one resource. */
export function cacheMetrics(registry: MetricsRegistry): (labels: ResourceLabels) => ResourceMetrics {
  const counter = (name: string, help: string) => registry.counter(`apiserver_${name}`, `[ALPHA] ${help}`);
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
    '[ALPHA] Current resource version of watch cache broken by resource type. This is truncated to the 15 least significant digits.',
  );
  const countHelp =
    'Number of stored objects at the time of last check split by kind. In case of a fetching error, the value will be -1.';
  const objects = registry.gauge('apiserver_resource_objects', `[ALPHA] ${countHelp}`);
  const oldObjects = registry.gauge(
    'apiserver_storage_objects',
    `[STABLE] [DEPRECATED, consider using apiserver_resource_objects instead] ${countHelp}`,
  );
  const sizes = registry.gauge(
    'apiserver_resource_size_estimate_bytes',
    '[ALPHA] Estimated size of stored objects in database. Estimate is based on sum of last observed sizes of serialized objects. In case of a fetching error, the value will be -1.',
  );
  const storeEvents = registry.counter(
    'apiserver_storage_events_received_total',
    '[BETA] Number of etcd events received split by kind.',
  );
  const waits = registry.histogram(
    'apiserver_watch_cache_read_wait_seconds',
    '[ALPHA] Histogram of time spent waiting for a watch cache to become fresh.',
    waitBuckets,
  );
  const served = 'in the course of serving a LIST request';
  const storeLists = counter('storage_list_total', 'Number of LIST requests served from storage');
  const storeFetched = counter('storage_list_fetched_objects_total', `Number of objects read from storage ${served}`);
  const storeEvaluated = counter(
    'storage_list_evaluated_objects_total',
    `Number of objects tested ${served} from storage`,
  );
  const storeReturned = counter(
    'storage_list_returned_objects_total',
    'Number of objects returned for a LIST request from storage',
  );
  return ({ group, resource }) => {
    const labels = Object.freeze({ group, resource });
    const indexed = labelsOf((index: string) => ({ ...labels, index }));
    const oldLabels = Object.freeze({ resource: group === '' ? resource : `${resource}.${group}` });
    const state = (revision: number, count: number, sizeBytes: number): void => {
      revisions.set(revision % 1e15, labels);
      objects.set(count, labels);
      sizes.set(sizeBytes, labels);
      oldObjects.set(count, oldLabels);
    };
    return {
      applied(events, revision, count, sizeBytes) {
        received.inc(labels, events);
        storeEvents.inc(labels, events);
        dispatched.inc(labels, events);
        state(revision, count, sizeBytes);
      },
      filled(revision, count, sizeBytes) {
        initializations.inc(labels);
        initEvents.inc(labels, count);
        state(revision, count, sizeBytes);
      },
      waited: seconds => waits.observe(seconds, labels),
      storeListed(read, sent) {
        storeLists.inc(labels);
        storeFetched.inc(labels, read);
        storeEvaluated.inc(labels, read);
        storeReturned.inc(labels, sent);
      },
      listed(read, sent, index) {
        lists.inc(indexed(index));
        fetched.inc(indexed(index), read);
        returned.inc(labels, sent);
      },
      terminated: () => terminated.inc(labels),
    };
  };
}
