/**
 * The provider `secretbox`: NaCl's XSalsa20-Poly1305. A random nonce stands before the box; the place is not bound.
 * Upstream: apiserver pkg/storage/value/encrypt/secretbox/secretbox.go.
 */
import { randomBytes } from 'node:crypto';
import type { Transformer } from './transformer.ts';

const nonceSize = 24;
const tagSize = 16;

/** Key of 32 bytes. Loads the cipher, which `node:crypto` does not have. */
export async function secretboxTransformer(key: Uint8Array): Promise<Transformer> {
  const { xsalsa20poly1305 } = await import('@noble/ciphers/salsa.js');
  return {
    seal(value) {
      const nonce = randomBytes(nonceSize);
      return Buffer.concat([nonce, xsalsa20poly1305(key, nonce).encrypt(value)]);
    },
    open(stored) {
      if (stored.length < nonceSize + tagSize) {
        throw new Error('the stored data was shorter than the required size');
      }
      try {
        const box = xsalsa20poly1305(key, stored.subarray(0, nonceSize));
        return { value: box.decrypt(stored.subarray(nonceSize)), stale: false };
      } catch {
        throw new Error('output array was not large enough for encryption');
      }
    },
  };
}
