/**
 * The lease by which an API server shows that it lives, and the end of those whose servers do not any more. Upstream:
 * pkg/controlplane/apiserver/server.go, pkg/controlplane/controller/apiserverleasegc/gc_controller.go.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import type { LeaseSpec } from '#api/types';
import { type Draft, formatMicroTime, isStatusError, type KubeObject } from '#apimachinery';
import type { Logger } from '#base';
import type { Caches } from '../registry/caches.ts';
import type { DeleteContext } from '../registry/context.ts';
import { deleteObject } from '../registry/delete.ts';
import { ownFieldManager } from '../registry/field-managers.ts';
import { ownContext } from '../registry/own-context.ts';
import { type ServedResource, storageRange } from '../scheme/resource.ts';
import { type BootstrapDeps, ensureObject } from './bootstrap.ts';

const durationSeconds = 3600;
const renewMs = 10_000;
const collectMs = 3_600_000;
const identityLabel = 'apiserver.kubernetes.io/identity';
const identityName = 'kube-apiserver';

/** One a machine, so that a restart takes its own lease again: of the host's name and the server's, each with its length. */
export function leaseName(host: string): string {
  const hash = createHash('sha256');
  for (const part of [host, identityName]) {
    const bytes = Buffer.from(part);
    hash.update(Buffer.from([bytes.length >> 8, bytes.length & 0xff])).update(bytes);
  }
  const digest = hash.digest();
  return `apiserver-${toBase32(digest.subarray(0, 16))}`;
}

function toBase32(bytes: Uint8Array): string {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';
  let out = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      out += alphabet[(value >>> bits) & 31];
    }
  }
  return bits > 0 ? out + alphabet[(value << (5 - bits)) & 31] : out;
}

/** Takes the lease and renews it until `signal` aborts. */
export async function holdIdentityLease(deps: BootstrapDeps, logger: Logger, signal: AbortSignal): Promise<void> {
  const { clock, registry } = deps;
  const name = leaseName(hostname());
  const holder = `${name}_${registry.deps.random.uuid()}`;
  const lease: Draft<KubeObject> = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace: 'kube-system',
      labels: { [identityLabel]: identityName, 'kubernetes.io/hostname': hostname() },
    },
    spec: { holderIdentity: holder, leaseDurationSeconds: durationSeconds, renewTime: formatMicroTime(clock.now()) },
  };
  await ensureObject(deps, lease);
  const resource = deps.scheme.find('coordination.k8s.io', 'v1', 'leases')!;
  const context = leaseContext(name);
  const renew = async (): Promise<void> => {
    try {
      await registry.modify(resource, context, draft => {
        const spec = draft['spec'] as { holderIdentity?: string; renewTime?: string };
        spec.holderIdentity = holder;
        spec.renewTime = formatMicroTime(clock.now());
      });
    } catch (error) {
      if (signal.aborted || isStatusError(error, 'NotFound')) return;
      logger.warn('the identity lease was not renewed', { error });
    }
  };
  const ticker = clock.setTicker(() => void renew(), renewMs);
  signal.addEventListener('abort', () => ticker.cancel(), { once: true });
}

/** Removes expired leases of API servers now and every hour, until `signal` aborts. */
export async function collectIdentityLeases(
  deps: BootstrapDeps & { readonly caches: Caches },
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const resource = deps.scheme.find('coordination.k8s.io', 'v1', 'leases')!;
  const collect = async (): Promise<void> => {
    const cache = deps.caches.of(resource);
    await cache.fresh(signal);
    const prefix = storageRange(resource.storage, 'kube-system');
    const servers = cache.list({ prefix, filter: item => item.labels[identityLabel] === identityName }).items;
    for (const { object } of servers) if (isExpired(object, deps.clock.now())) await remove(deps, resource, object);
  };
  const again = (): void => {
    collect().catch(error => {
      if (!signal.aborted) logger.warn('expired leases of API servers are removed later', { error });
    });
  };
  await collect();
  const ticker = deps.clock.setTicker(again, collectMs);
  signal.addEventListener('abort', () => ticker.cancel(), { once: true });
}

/** As it was seen: one that was renewed or is gone meanwhile is left alone. */
async function remove({ registry }: BootstrapDeps, resource: ServedResource, lease: KubeObject): Promise<void> {
  const { uid, resourceVersion, name = '' } = lease.metadata;
  const context: DeleteContext = {
    ...leaseContext(name),
    options: { preconditions: { ...(uid && { uid }), ...(resourceVersion && { resourceVersion }) } },
  };
  try {
    await deleteObject(registry, resource, context);
  } catch (error) {
    if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Conflict')) throw error;
  }
}

const leaseContext = (name: string): DeleteContext => ({
  ...ownContext({ group: 'coordination.k8s.io', resource: 'leases' }, name, 'kube-system'),
  fieldManager: ownFieldManager,
});

/** Without a time or a duration a lease is nobody's. */
function isExpired(lease: KubeObject, nowMs: number): boolean {
  const { renewTime, leaseDurationSeconds } = (lease['spec'] ?? {}) as Partial<LeaseSpec>;
  if (renewTime === undefined || leaseDurationSeconds === undefined) return true;
  return Date.parse(renewTime) + leaseDurationSeconds * 1000 < nowMs;
}
