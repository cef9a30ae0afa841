/**
 * The lease by which an API server shows that it lives. Upstream: pkg/controlplane/apiserver, the hook
 * start-kube-apiserver-identity-lease-controller.
 */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { type Draft, formatMicroTime, isStatusError, type KubeObject } from '#apimachinery';
import type { Logger } from '#base';
import { user } from '../authentication/user.ts';
import type { WriteContext } from '../registry/context.ts';
import { type BootstrapDeps, ensureObject } from './bootstrap.ts';

const durationSeconds = 3600;
const renewMs = 10_000;

/** One a machine and key prefix, so that a restart takes its own lease again. */
export function leaseName(keyPrefix: string): string {
  const digest = createHash('sha256').update(`${hostname()}${keyPrefix}`).digest();
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
  const { clock, registry, config } = deps;
  const name = leaseName(config.keyPrefix);
  const holder = `${name}_${registry.deps.random.uuid()}`;
  const lease: Draft<KubeObject> = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace: 'kube-system',
      labels: { 'apiserver.kubernetes.io/identity': 'kube-apiserver', 'kubernetes.io/hostname': hostname() },
    },
    spec: { holderIdentity: holder, leaseDurationSeconds: durationSeconds, renewTime: formatMicroTime(clock.now()) },
  };
  await ensureObject(deps, lease);
  const resource = deps.scheme.find('coordination.k8s.io', 'v1', 'leases')!;
  const context: WriteContext = {
    user: user('system:apiserver', ['system:masters']),
    namespace: 'kube-system',
    name,
    subresource: '',
    dryRun: false,
    warn: () => {},
    requestResource: { group: 'coordination.k8s.io', resource: 'leases' },
  };
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
