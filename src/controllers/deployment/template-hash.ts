/**
 * The label and name suffix that tell a Deployment's ReplicaSets apart.
 * Upstream: pkg/controller/controller_utils.go ComputeHash.
 * Deviation: upstream hashes Go's own printout of the template, which only Go can print; here the hash is of the
 * template's canonical JSON, with the same function and alphabet. Names look alike but differ from upstream's.
 */
import type { PodTemplateSpec } from '#api/types';
import { writeSorted } from '#apimachinery';

const alphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** FNV-1a, 32 bits. */
function fnv32a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Up to ten characters of the safe alphabet; `collisions` makes another hash of the same template. */
export function templateHash(template: PodTemplateSpec, collisions: number): string {
  const text = writeSorted(template) + (collisions > 0 ? String(collisions) : '');
  return [...String(fnv32a(text))].map(digit => alphabet[digit.charCodeAt(0) % alphabet.length]).join('');
}
