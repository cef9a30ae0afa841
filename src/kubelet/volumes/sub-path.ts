/**
 * Where a mount's subPath leads. Upstream: pkg/volume/util/subpath/subpath_linux.go.
 *
 * Deviation: the path is resolved and checked to lie inside the volume, and then mounted by name, not by descriptor.
 */
import { chmod, mkdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { VolumeMount } from '../api-objects.ts';
import { expand } from '../env/expansion.ts';

/** The sub path with variables replaced; empty for none. Throws with upstream's texts. */
export function subPathOf(mount: VolumeMount, env: ReadonlyMap<string, string>): string {
  let path = mount.subPath ?? '';
  if (mount.subPathExpr) {
    const missing = new Set<string>();
    path = expand(mount.subPathExpr, name => {
      const value = env.get(name);
      if (!value) missing.add(name);
      return value ?? '';
    });
    if (missing.size > 0) throw new Error(`missing value for ${[...missing].sort().join(', ')}`);
  }
  if (path.startsWith('/')) throw new Error(`error SubPath \`${path}\` must not be an absolute path`);
  if (path.split('/').includes('..')) throw new Error(`unable to provision SubPath \`${path}\`: must not contain '..'`);
  return path;
}

/** Makes it where it is missing, and answers its real path. */
export async function resolveSubPath(
  volume: string,
  subPath: string,
  mount: string,
  container: string,
): Promise<string> {
  const root = await realpath(volume);
  const wanted = join(root, subPath);
  const inside = (path: string): boolean => path === root || path.startsWith(`${root}/`);
  const refuse = (): never => {
    throw new Error(`failed to prepare subPath for volumeMount "${mount}" of container "${container}"`);
  };
  const existing = await realpath(wanted).catch(() => undefined);
  if (existing !== undefined) return inside(existing) ? existing : refuse();
  const { mode } = await stat(root);
  let at = root;
  try {
    for (const part of subPath.split('/').filter(Boolean)) {
      const next = await realpath(join(at, part)).catch(() => undefined);
      if (next !== undefined && !inside(next)) refuse();
      at = next ?? join(at, part);
      if (next !== undefined) continue;
      await mkdir(at);
      await chmod(at, mode & 0o7777);
    }
  } catch (cause) {
    const text = `failed to create subPath directory for volumeMount "${mount}" of container "${container}"`;
    throw new Error(text, { cause });
  }
  return at;
}
