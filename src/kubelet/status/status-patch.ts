/**
 * The strategic merge patch that turns one pod status into another. Pure. Upstream: pkg/util/pod/pod.go
 * (PatchPodStatus). Conditions, podIPs and hostIPs merge by key; all else is replaced as a whole.
 */
import { isDeepStrictEqual } from 'node:util';
import type { PodStatus } from '../api-objects.ts';

const mergeKeys: Readonly<Record<string, string>> = { conditions: 'type', podIPs: 'ip', hostIPs: 'ip' };

type Entry = Readonly<Record<string, unknown>>;

/** Undefined when there is nothing to change. */
export function statusPatch(uid: string, from: PodStatus | undefined, to: PodStatus): object | undefined {
  const before = (from ?? {}) as Readonly<Record<string, unknown>>;
  const after = to as Readonly<Record<string, unknown>>;
  const status: Record<string, unknown> = {};
  for (const field of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const old = before[field];
    const wanted = after[field];
    if (same(old, wanted)) continue;
    const key = mergeKeys[field];
    if (wanted === undefined) status[field] = null;
    else if (key && Array.isArray(old)) Object.assign(status, mergeList(field, key, old, wanted as Entry[]));
    else status[field] = wanted;
  }
  return Object.keys(status).length === 0 ? undefined : { metadata: { uid }, status };
}

/** Equal, where the API's explicit null is as good as nothing. */
function same(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(withoutNulls(a), withoutNulls(b));
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, each]) => each !== null && each !== undefined);
  return Object.fromEntries(entries.map(([key, each]) => [key, withoutNulls(each)]));
}

function mergeList(field: string, key: string, old: readonly Entry[], wanted: readonly Entry[]): object {
  const before = new Map(old.map(entry => [entry[key], entry]));
  const after = new Set(wanted.map(entry => entry[key]));
  const entries: object[] = [];
  for (const entry of wanted) {
    const known = before.get(entry[key]);
    if (same(known, entry)) continue;
    const removed = Object.keys(known ?? {}).filter(name => entry[name] === undefined);
    entries.push({ ...entry, ...Object.fromEntries(removed.map(name => [name, null])) });
  }
  for (const gone of before.keys()) if (!after.has(gone)) entries.push({ $patch: 'delete', [key]: gone });
  return { [`$setElementOrder/${field}`]: wanted.map(entry => ({ [key]: entry[key] })), [field]: entries };
}
