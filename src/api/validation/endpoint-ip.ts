/** Addresses that endpoints may have. Upstream: pkg/apis/core/validation (ValidateEndpointIP). */
import { type FieldPath, invalidValue, isIPv4, parseIp } from '#apimachinery';
import type { Errors } from './common.ts';

function is(bytes: Uint8Array, ...head: number[]): boolean {
  return head.every((byte, i) => bytes[i] === byte);
}

/** What no endpoint may be: unspecified, loopback, link-local. What is no address at all is one refusal. */
export function checkEndpointIP(errors: Errors, path: FieldPath, text: string): void {
  const address = parseIp(text);
  if (address === undefined) {
    errors.push(invalidValue(path, text, 'must be a valid IP address'));
    return;
  }
  const v4 = isIPv4(address);
  const bytes = v4 ? address.bytes.subarray(-4) : address.bytes;
  const tail = bytes.subarray(0, -1).every(byte => byte === 0) ? bytes.at(-1) : undefined;
  if (tail === 0) errors.push(invalidValue(path, text, `may not be unspecified (${text})`));
  if (v4 ? bytes[0] === 127 : tail === 1) {
    errors.push(invalidValue(path, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'));
  }
  if (v4 ? is(bytes, 169, 254) : bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) {
    errors.push(invalidValue(path, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'));
  }
  if (v4 ? is(bytes, 224, 0, 0) : bytes[0] === 0xff && (bytes[1]! & 0x0f) === 0x02) {
    errors.push(invalidValue(path, text, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'));
  }
}
