/**
 * AES as the providers `aescbc` and `aesgcm` use it, and GCM with a key of its own for each value, derived from a seed,
 * as KMS v2 does. Upstream: apiserver pkg/storage/value/encrypt/aes/{aes,aes_extended_nonce}.go.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import type { Transformer } from './transformer.ts';

const blockSize = 16;
const nonceSize = 12;
const tagSize = 16;
const infoSize = 32;
/** Of seeds and of the keys derived from them. */
export const seedSize = 32;

const tooShort = 'the stored data was shorter than the required size';

/** Key of 16, 24 or 32 bytes. A random nonce stands before the ciphertext, the place is authenticated. */
export function gcmTransformer(key: Uint8Array): Transformer {
  const algorithm = `aes-${key.length * 8}-gcm` as 'aes-256-gcm';
  return {
    seal(value, at) {
      const nonce = randomBytes(nonceSize);
      const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(at.key));
      return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()]);
    },
    open(stored, at) {
      if (stored.length < nonceSize) throw new Error(tooShort);
      const forged = 'cipher: message authentication failed';
      if (stored.length < nonceSize + tagSize) throw new Error(forged);
      const end = stored.length - tagSize;
      const options = { authTagLength: tagSize };
      const decipher = createDecipheriv(algorithm, key, stored.subarray(0, nonceSize), options);
      decipher.setAAD(Buffer.from(at.key)).setAuthTag(stored.subarray(end));
      try {
        return {
          value: Buffer.concat([decipher.update(stored.subarray(nonceSize, end)), decipher.final()]),
          stale: false,
        };
      } catch {
        throw new Error(forged);
      }
    },
  };
}

/** Key of 16, 24 or 32 bytes; PKCS#7 padding. Nothing is authenticated: the place is not bound. */
export function cbcTransformer(key: Uint8Array): Transformer {
  const algorithm = `aes-${key.length * 8}-cbc`;
  return {
    seal(value) {
      const iv = randomBytes(blockSize);
      const cipher = createCipheriv(algorithm, key, iv);
      return Buffer.concat([iv, cipher.update(value), cipher.final()]);
    },
    open(stored) {
      if (stored.length < blockSize) throw new Error(tooShort);
      if (stored.length % blockSize !== 0) throw new Error('the stored data is not a multiple of the block size');
      const decipher = createDecipheriv(algorithm, key, stored.subarray(0, blockSize)).setAutoPadding(false);
      const padded = Buffer.concat([decipher.update(stored.subarray(blockSize)), decipher.final()]);
      return { value: unpadded(padded), stale: false };
    },
  };
}

function unpadded(padded: Buffer): Buffer {
  const size = padded.at(-1) ?? 0;
  if (size === 0 || size > padded.length) throw new Error('invalid PKCS7 data (empty or not padded)');
  const end = padded.length - size;
  for (let at = end; at < padded.length; at++) if (padded[at] !== size) throw new Error('invalid padding on input');
  return padded.subarray(0, end);
}

/** GCM under HKDF-Expand-SHA256(seed, info): 32 random bytes of info stand before each value. */
export function seededGcmTransformer(seed: Uint8Array): Transformer {
  if (seed.length < seedSize) throw new Error(`invalid seed length ${seed.length} used for key generation`);
  // One block of HKDF-Expand (RFC 5869) is as long as the key.
  const derived = (info: Uint8Array): Transformer =>
    gcmTransformer(createHmac('sha256', seed).update(info).update(Uint8Array.of(1)).digest());
  return {
    seal(value, at) {
      const info = randomBytes(infoSize);
      return Buffer.concat([info, derived(info).seal(value, at)]);
    },
    open(stored, at) {
      if (stored.length < infoSize) throw new Error(tooShort);
      return derived(stored.subarray(0, infoSize)).open(stored.subarray(infoSize), at);
    },
  };
}
