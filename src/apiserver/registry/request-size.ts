/**
 * How large a write is on its way into etcd, and what is refused for it: etcd takes requests of 1.5 MiB, its client
 * sends 2 MiB. Engines of our own take as much, of the form that upstream stores: protobuf for all that has one.
 * Upstream: etcd server/etcdserver/v3_server.go and client/v3/options.go, api/v3/etcdserverpb.
 * Deviation: on etcd itself built-in kinds are JSON unless `--storage-media-type` says otherwise, and count as such.
 */
import { type KubeObject, type StructNode, writeProtobufObject } from '#apimachinery';
import { StorageError } from '#storage';

/** etcd's `--max-request-bytes`, which counts the request as its members pass it on. */
const maxRequestBytes = 1.5 * 1024 * 1024;
/** What a client sends. */
const maxSentBytes = 2 * 1024 * 1024;
/** Around a transaction as members pass it on: an id of ten bytes, tags and lengths. */
const aroundBytes = 18;

export interface SizedWrite {
  readonly key: string;
  /** As stored here. */
  readonly bytes: Uint8Array;
  readonly object: KubeObject;
  /** Undefined: it has no protobuf form. */
  readonly struct: StructNode | undefined;
  /** Of what stands there; 0: nothing. */
  readonly revision: number;
}

/** Throws `tooLarge` with the text of etcd, or of its client. */
export function checkRequestSize(write: SizedWrite): void {
  // JSON is never the shorter of the two forms.
  if (write.bytes.length + 1024 < maxRequestBytes) return;
  const { object, struct, bytes } = write;
  // What has no type is stored with a line end.
  const valueBytes = struct ? writeProtobufObject(object, struct).length : bytes.length + 1;
  const size = transactionBytes(write.key.length, valueBytes, write.revision);
  if (size > maxSentBytes) {
    const text = `trying to send message larger than max (${size} vs. ${maxSentBytes})`;
    throw new StorageError('tooLarge', `rpc error: code = ResourceExhausted desc = ${text}`);
  }
  if (size + aroundBytes > maxRequestBytes) throw new StorageError('tooLarge', 'etcdserver: request is too large');
}

/** Of `Txn(ModRevision(key) = revision).Then(Put(key, value)).Else(Get(key))`, the last only where there is something. */
export function transactionBytes(keyBytes: number, valueBytes: number, revision: number): number {
  const key = delimited(keyBytes);
  const compare = delimited(2 + key + 1 + varintBytes(revision));
  const put = delimited(delimited(key + delimited(valueBytes)));
  const get = revision === 0 ? 0 : delimited(delimited(key));
  return compare + put + get;
}

/** A field of one tag byte with its length before it. */
const delimited = (bytes: number): number => 1 + varintBytes(bytes) + bytes;

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest /= 128) bytes++;
  return bytes;
}
