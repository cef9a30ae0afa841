/**
 * The part of etcd's API that the engine uses, as tables. Source of names and numbers: etcd api/etcdserverpb/rpc.proto
 * and api/mvccpb/kv.proto (v3).
 */
import type { Field, FieldKind, Table } from '../wire.ts';

const one = (number: number, kind: FieldKind): Field => ({ number, kind });
const many = (number: number, kind: FieldKind): Field => ({ number, kind, repeated: true });
const maybe = (number: number, kind: FieldKind): Field => ({ number, kind, optional: true });

const header: Table = { revision: one(3, 'int') };

const keyValue: Table = {
  key: one(1, 'text'),
  createRevision: one(2, 'int'),
  modRevision: one(3, 'int'),
  value: one(5, 'bytes'),
};

const rangeRequest: Table = {
  key: one(1, 'text'),
  rangeEnd: one(2, 'text'),
  limit: one(3, 'int'),
  revision: one(4, 'int'),
  keysOnly: one(8, 'bool'),
  countOnly: one(9, 'bool'),
  minModRevision: one(10, 'int'),
};
const rangeResponse: Table = {
  header: one(1, header),
  kvs: many(2, keyValue),
  more: one(3, 'bool'),
  count: one(4, 'int'),
};

const putRequest: Table = { key: one(1, 'text'), value: one(2, 'bytes'), lease: one(3, 'int') };
const deleteRequest: Table = { key: one(1, 'text') };
const requestOp: Table = {
  range: maybe(1, rangeRequest),
  put: maybe(2, putRequest),
  delete: maybe(3, deleteRequest),
};
const responseOp: Table = { range: maybe(1, rangeResponse) };

/** `result` 0 is equal, `target` 2 the mod revision. */
const compare: Table = {
  result: one(1, 'int'),
  target: one(2, 'int'),
  key: one(3, 'text'),
  modRevision: maybe(6, 'int'),
};

const event: Table = { type: one(1, 'int'), kv: maybe(2, keyValue), prevKv: maybe(3, keyValue) };

const watchCreate: Table = {
  key: one(1, 'text'),
  rangeEnd: one(2, 'text'),
  startRevision: one(3, 'int'),
  prevKv: one(6, 'bool'),
};
const watchRequest: Table = { create: maybe(1, watchCreate), progress: maybe(3, {}) };
const watchResponse: Table = {
  header: one(1, header),
  watchId: one(2, 'int'),
  created: one(3, 'bool'),
  canceled: one(4, 'bool'),
  compactRevision: one(5, 'int'),
  cancelReason: one(6, 'text'),
  events: many(11, event),
};

const alarm: Table = { alarm: one(2, 'int') };

/** A call: its path and the tables of what goes and comes. */
export interface Method {
  readonly path: string;
  readonly request: Table;
  readonly response: Table;
}

export const methods: Readonly<
  Record<'range' | 'txn' | 'compact' | 'watch' | 'leaseGrant' | 'status' | 'alarm' | 'snapshot', Method>
> = {
  range: { path: '/etcdserverpb.KV/Range', request: rangeRequest, response: rangeResponse },
  txn: {
    path: '/etcdserverpb.KV/Txn',
    request: { compare: many(1, compare), success: many(2, requestOp), failure: many(3, requestOp) },
    response: { header: one(1, header), succeeded: one(2, 'bool'), responses: many(3, responseOp) },
  },
  compact: {
    path: '/etcdserverpb.KV/Compact',
    request: { revision: one(1, 'int'), physical: one(2, 'bool') },
    response: { header: one(1, header) },
  },
  watch: { path: '/etcdserverpb.Watch/Watch', request: watchRequest, response: watchResponse },
  leaseGrant: {
    path: '/etcdserverpb.Lease/LeaseGrant',
    request: { ttl: one(1, 'int'), id: one(2, 'int') },
    response: { id: one(2, 'int'), ttl: one(3, 'int'), error: one(4, 'text') },
  },
  status: {
    path: '/etcdserverpb.Maintenance/Status',
    request: {},
    response: { header: one(1, header), version: one(2, 'text'), errors: many(8, 'text') },
  },
  alarm: {
    path: '/etcdserverpb.Maintenance/Alarm',
    request: { action: one(1, 'int') },
    response: { header: one(1, header), alarms: many(2, alarm) },
  },
  snapshot: {
    path: '/etcdserverpb.Maintenance/Snapshot',
    request: {},
    response: { header: one(1, header), remainingBytes: one(2, 'int'), blob: one(3, 'bytes') },
  },
};

export interface Header {
  readonly revision: number;
}
export interface EtcdKeyValue {
  readonly key: string;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly value: Uint8Array;
}
export interface RangeResponse {
  readonly header: Header;
  readonly kvs: readonly EtcdKeyValue[];
  readonly more: boolean;
  readonly count: number;
}
export interface TxnResponse {
  readonly header: Header;
  readonly succeeded: boolean;
  readonly responses: ReadonlyArray<{ readonly range?: RangeResponse }>;
}
export interface WatchResponse {
  readonly header: Header;
  readonly watchId: number;
  readonly created: boolean;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: ReadonlyArray<{ readonly type: number; readonly kv: EtcdKeyValue; readonly prevKv?: EtcdKeyValue }>;
}
