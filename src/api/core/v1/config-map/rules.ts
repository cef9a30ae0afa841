/** ConfigMaps. Upstream: pkg/apis/core/validation (ValidateConfigMap), pkg/registry/core/configmap/strategy.go. */
import {
  byteLength,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isConfigMapKey,
  semanticEqual,
  tooLong,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ConfigMap } from '../../../types.ts';
import { type Errors, refuseEach, sortedKeys } from '../../../validation/common.ts';

export const maxDataBytes: number = 1024 * 1024;
export const immutableText = 'field is immutable when `immutable` is set';

/** Bytes that base64 stands for. */
export function base64Length(text: string): number {
  return Math.floor((text.length * 3) / 4) - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
}

interface Frozen {
  readonly immutable?: boolean;
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

/** What may not change once `immutable` is set: that itself, and the data. */
export function immutableData(now: Frozen, old: Frozen | null): FieldError[] {
  if (!old?.immutable) return [];
  const errors: FieldError[] = [];
  if (!now.immutable) errors.push(forbiddenField(FieldPath.of('immutable'), immutableText));
  for (const name of ['data', 'binaryData'] as const) {
    if (!semanticEqual(now[name], old[name])) errors.push(forbiddenField(FieldPath.of(name), immutableText));
  }
  return errors;
}

function validate(map: ConfigMap, old: ConfigMap | null): FieldError[] {
  const errors: Errors = immutableData(map, old);
  const { data = {}, binaryData = {} } = map;
  let size = 0;
  for (const key of sortedKeys(data)) {
    const at = FieldPath.of('data').key(key);
    refuseEach(errors, at, key, isConfigMapKey(key));
    if (Object.hasOwn(binaryData, key)) errors.push(invalidValue(at, key, 'duplicate of key present in binaryData'));
    size += byteLength(data[key]!);
  }
  for (const key of sortedKeys(binaryData)) {
    refuseEach(errors, FieldPath.of('binaryData').key(key), key, isConfigMapKey(key));
    size += base64Length(binaryData[key]!);
  }
  if (size > maxDataBytes) errors.push({ ...tooLong(FieldPath.root, maxDataBytes), field: '' });
  return errors;
}

export const configMapRules: KindRules<ConfigMap> = { validate, allowUnconditionalUpdate: true };
