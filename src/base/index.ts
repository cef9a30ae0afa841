/** The base layer's face: edges of the world (time, chance, logs, faults) and lifecycles. No Kubernetes words. */
export { type Activity, createActivity, noActivity } from './activity.ts';
export { anySignal } from './any-signal.ts';
export { type Clock, sleepOn, systemClock, type Timer } from './clock.ts';
export { type Deadline, deadline } from './deadline.ts';
export { isAbort, UserError } from './errors.ts';
export { type FaultPlan, noFaults } from './fault.ts';
export { Fifo } from './fifo.ts';
export { goFileError } from './go-file-error.ts';
export { keepProcessAlive } from './keep-alive.ts';
export { type Component, type Running, startAll } from './lifecycle.ts';
export { createLogger, type LogFields, type Logger, type LogLevel, silentLogger } from './logger.ts';
export { LruMap } from './lru-map.ts';
export {
  type BoundHistogram,
  type Counter,
  type Gauge,
  type Histogram,
  type Labels,
  labelsOf,
  type MetricRestrictions,
  MetricsRegistry,
  type Sample,
} from './metrics.ts';
export { type Random, seededRandom, systemRandom } from './random.ts';
export { type HeapControl, processHeap, returnSpareMemory } from './spare-memory.ts';
export { SteppedClock } from './stepped-clock.ts';
export { KeyedTokenBuckets, TokenBucket, type TokenRate } from './token-bucket.ts';
export { type WatchedFileOptions, watchFile } from './watched-file.ts';
