/** The protobuf encoding of built-in kinds, with the codec over the type tables. */
import { type Draft, type KubeObject, readEnvelope, readProtobuf, type StructNode } from '#apimachinery';

interface Target {
  readonly kind: string;
  readonly struct: StructNode;
}

/** At most 30 bytes of a body that could not be read, as upstream shows them. */
export function summary(body: Uint8Array): string {
  if (body.length === 0) return '<empty>';
  const buffer = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const head = body[0] === 0x7b ? buffer.subarray(0, 30).toString() : buffer.subarray(0, 30).toString('hex');
  return body.length > 30 ? `${head} ...` : head;
}

/** The envelope of a message, whose kind may be left out: it is then the target's. Throws InputError `protobuf`. */
export function openEnvelope(
  body: Uint8Array,
  target: Target,
  own: string,
): { readonly apiVersion: string; readonly kind: string; readonly raw: Uint8Array } {
  const { apiVersion, kind, raw } = readEnvelope(body);
  // A version that is none counts as none.
  const version = /^[^/]+(\/[^/]+)?$/.test(apiVersion) ? apiVersion : own;
  return { apiVersion: version, kind: kind || target.kind, raw };
}

export function readMessage(raw: Uint8Array, { struct }: Target): Draft<KubeObject> {
  const object = readProtobuf(raw, struct) as Draft<KubeObject>;
  if (struct.fields.has('metadata')) object.metadata ??= {};
  return object;
}
