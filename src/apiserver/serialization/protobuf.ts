/** The protobuf encoding of built-in kinds, with the codec over the type tables. */
import {
  badRequest,
  type Draft,
  InputError,
  isProtobuf,
  type KubeObject,
  readEnvelope,
  readProtobuf,
  type StructNode,
} from '#apimachinery';

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

/** Decodes an enveloped message, whose kind may be left out. Throws 400. */
export function protobufToJson(body: Uint8Array, target: Target, apiVersion: string): Draft<KubeObject> {
  try {
    if (!isProtobuf(body)) {
      throw new InputError(
        'protobuf',
        'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
      );
    }
    const { apiVersion: version, kind, raw } = readEnvelope(body);
    const object = readProtobuf(raw, target.struct) as Draft<KubeObject>;
    object.apiVersion = version || apiVersion;
    object.kind = kind || target.kind;
    if (target.struct.fields.has('metadata')) object.metadata ??= {};
    return object;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const text = `the object provided is unrecognized (must be of type ${target.kind}): ${error.message}`;
    throw badRequest(`${text} (${summary(body)})`);
  }
}
