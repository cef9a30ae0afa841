/** Bytes that are no whole number. Upstream: pkg/api/pod/warnings.go, pkg/api/persistentvolumeclaim/util.go. */
import { type FieldPath, goQuote, parseQuantity } from '#apimachinery';

/** Of one amount in a list of resources. */
export function fractionalBytesWarnings(
  path: FieldPath,
  list: Readonly<Record<string, string>> | undefined,
  name: string,
): string[] {
  const text = list?.[name];
  if (text === undefined) return [];
  const amount = parseQuantity(text);
  if (amount.isWhole) return [];
  return [`${path.key(name)}: fractional byte value ${goQuote(amount.toString())} is invalid, must be an integer`];
}
