/** The watch cache's face; begin with the worked use in watch-cache.ts. */
export { type CacheCodec, CacheEvent, CacheItem, type IndexRecord } from './cache-item.ts';
export type { ResourceLabels } from './cache-metrics.ts';
export type { CacheBatch, CacheWatch, CacheWatchOptions } from './cache-watch.ts';
export type { CacheList, CacheListOptions, ResourceCache, ResourceCacheOptions } from './resource-cache.ts';
export {
  startWatchCache,
  type WatchCache,
  type WatchCacheDeps,
  type WatchCacheOptions,
  type WatchCacheStats,
} from './watch-cache.ts';
