/** The storage layer's face: the contract and the engines. Only the API server and the composition root import it. */

export { type CompactorOptions, startCompactor } from './compactor.ts';
export * from './contract.ts';
export type { EtcdOptions, EtcdTls } from './etcd/etcd-client.ts';
export { openEtcdStore } from './etcd/etcd-store.ts';
export { GrpcError, type GrpcMethod, grpcSocket } from './grpc-socket.ts';
export {
  createMemoryStore,
  type MemoryStore,
  type MemoryStoreOptions,
  openMemoryStore,
} from './memory/memory-store.ts';
export { restoreSqliteStore } from './sqlite/restore.ts';
export { openSqliteStore, type SqliteStore, type SqliteStoreOptions } from './sqlite/sqlite-store.ts';
export { transformedStore, type ValueTransformer } from './transformed-store.ts';
export * from './value/index.ts';
export * from './watch-cache/index.ts';
export {
  decode as decodeWire,
  encode as encodeWire,
  type Message as WireMessage,
  type Table as WireTable,
} from './wire.ts';
