/**
 * Resource versions: decimal integers without leading zeros, of any length. Upstream: apimachinery
 * pkg/util/resourceversion, apiserver pkg/storage/api_object_versioner.go (the text for query parameters).
 */
import { InputError } from './input-error.ts';

const wellFormed = (text: string): boolean => /^[1-9][0-9]*$/.test(text);

/** -1, 0 or 1. Throws InputError `resourceVersion` when one is malformed; zero is, for no object has it. */
export function compareResourceVersions(a: string, b: string): number {
  for (const text of [a, b]) {
    if (!wellFormed(text)) throw new InputError('resourceVersion', `resource version is not well formed: ${text}`);
  }
  if (a.length !== b.length) return a.length < b.length ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}

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
