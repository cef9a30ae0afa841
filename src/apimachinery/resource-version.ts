/** Resource versions as callers write them. Upstream: apiserver pkg/storage/api_object_versioner.go. */
import { InputError } from './input-error.ts';

/**
 * A `resourceVersion` parameter: the empty string and `0` are 0. Throws InputError `resourceVersion` with the text of
 * Go's ParseUint, which upstream puts behind `resourceVersion: Invalid value: "…": `.
 */
export function parseResourceVersion(text: string): bigint {
  if (text === '') return 0n;
  if (!/^[0-9]+$/.test(text)) {
    throw new InputError('resourceVersion', `strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const value = BigInt(text);
  if (value >= 2n ** 64n) {
    throw new InputError('resourceVersion', `strconv.ParseUint: parsing "${text}": value out of range`);
  }
  return value;
}
