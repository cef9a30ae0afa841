/**
 * What a value looks like in the store when its key was encrypted by a KMS v2 plug-in, and what of it is refused.
 * Upstream: apiserver pkg/storage/value/encrypt/envelope/kmsv2/{envelope.go,v2/api.proto}.
 */
import { FieldPath, isFullyQualifiedDomainName } from '#apimachinery';
import { decode, encode, type Field, type Table } from '../../wire.ts';
import { aggregate } from '../transformer.ts';

/** How the key follows from what the plug-in decrypts. */
export const keySourceTypes = { aesGcmKey: 0, seed: 1 } as const;

export interface KeySource {
  readonly keyId: string;
  /** The key or seed as the plug-in encrypted it. */
  readonly encryptedKey: Uint8Array;
  /** Given back to the plug-in as they are. */
  readonly annotations: Readonly<Record<string, Uint8Array>>;
  /** One of {@link keySourceTypes}. */
  readonly type: number;
}

export interface EncryptedObject extends KeySource {
  readonly data: Uint8Array;
}

const maxKeyIdBytes = 1024;
const maxEncryptedKeyBytes = 1024;
const maxAnnotationBytes = 32 * 1024;

const entry: Table = { key: { number: 1, kind: 'text' }, value: { number: 2, kind: 'bytes' } };
/** `map<string, bytes>`. */
export const bytesMap = (number: number): Field => ({ number, kind: entry, repeated: true });

const table: Table = {
  data: { number: 1, kind: 'bytes' },
  keyId: { number: 2, kind: 'text' },
  encryptedKey: { number: 3, kind: 'bytes' },
  annotations: bytesMap(4),
  type: { number: 5, kind: 'int' },
};

interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
}

export function toEntries(map: Readonly<Record<string, Uint8Array>>): Entry[] {
  return Object.entries(map).map(([key, value]) => ({ key, value }));
}

export function fromEntries(entries: unknown): Record<string, Uint8Array> {
  return Object.fromEntries((entries as Entry[]).map(({ key, value }) => [key, value]));
}

export function encodeEncrypted(object: EncryptedObject): Buffer {
  checkEncrypted(object);
  const { data, keyId, encryptedKey, annotations, type } = object;
  return encode(table, { data, keyId, encryptedKey, annotations: toEntries(annotations), type });
}

export function decodeEncrypted(bytes: Uint8Array): EncryptedObject {
  let message: ReturnType<typeof decode>;
  try {
    message = decode(table, bytes);
  } catch {
    throw new Error('proto: cannot parse invalid wire-format data');
  }
  const object = { ...message, annotations: fromEntries(message['annotations']) } as unknown as EncryptedObject;
  checkEncrypted(object);
  return object;
}

function checkEncrypted(object: EncryptedObject): void {
  checkKeySource(object, object.data.length);
}

/** @param dataBytes length of the encrypted data, absent while there is none yet. */
export function checkKeySource({ type, encryptedKey, keyId, annotations }: KeySource, dataBytes = 1): void {
  if (type !== keySourceTypes.aesGcmKey && type !== keySourceTypes.seed)
    throw new Error(`unknown encryptedDEKSourceType: ${type}`);
  if (dataBytes === 0) throw new Error('encrypted data is empty');
  const own = encryptedKeyProblem(encryptedKey);
  if (own) throw new Error(`failed to validate encrypted DEK source: ${own}`);
  const id = keyIdProblem(keyId);
  if (id) throw new Error(`failed to validate key id: ${id.text}`);
  const notes = annotationProblem(annotations);
  if (notes) throw new Error(`failed to validate annotations: ${notes.message}`);
}

function encryptedKeyProblem({ length }: Uint8Array): string | undefined {
  if (length === 0) return 'encrypted DEK source is empty';
  if (length <= maxEncryptedKeyBytes) return undefined;
  return `encrypted DEK source is ${length} bytes, which exceeds the max size of ${maxEncryptedKeyBytes}`;
}

export function keyIdProblem(
  keyId: string,
): { readonly code: 'empty' | 'too_long'; readonly text: string } | undefined {
  const length = Buffer.byteLength(keyId);
  if (length === 0) return { code: 'empty', text: 'keyID is empty' };
  if (length <= maxKeyIdBytes) return undefined;
  return { code: 'too_long', text: `keyID is ${length} bytes, which exceeds the max size of ${maxKeyIdBytes}` };
}

function annotationProblem(annotations: KeySource['annotations']): Error | undefined {
  const errors: Error[] = [];
  let total = 0;
  for (const [name, value] of Object.entries(annotations)) {
    for (const { field, body } of isFullyQualifiedDomainName(FieldPath.of('annotations'), name))
      errors.push(new Error(`${field}: ${body}`));
    total += Buffer.byteLength(name) + value.length;
  }
  if (total > maxAnnotationBytes)
    errors.push(
      new Error(`total size of annotations is ${total}, which exceeds the max size of ${maxAnnotationBytes}`),
    );
  return errors.length > 0 ? aggregate(errors) : undefined;
}

/** Equal for equal sources, whatever the order of the annotations. */
export function cacheKey({ type, encryptedKey, keyId, annotations }: KeySource): string {
  const notes = toEntries(annotations)
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ key, value }) => [key, Buffer.from(value).toString('base64')]);
  return JSON.stringify([type, Buffer.from(encryptedKey).toString('base64'), keyId, notes]);
}
