/**
 * Where the `kubernetes` Service leads: the addresses of all servers of this store that live, as Endpoints and as an
 * EndpointSlice. How they know of each other is for `--endpoint-reconciler-type`; each writes the addresses of all.
 * Upstream: pkg/controlplane/reconcilers, pkg/controlplane/controller/kubernetesservice/controller.go.
 */
import type { Endpoints } from '#api/types';
import { type Draft, type KubeObject, semanticEqual } from '#apimachinery';
import type { Logger } from '#base';
import type { Store } from '#storage';
import { ownFieldManager } from '../registry/field-managers.ts';
import { ownContext } from '../registry/own-context.ts';
import { storageKey } from '../scheme/resource.ts';
import { type BootstrapDeps, ensureObject } from './bootstrap.ts';
import { type EndpointMembers, leaseMembers, masterCountMembers } from './endpoint-members.ts';

const name = 'kubernetes';
const namespace = 'default';
const periodMs = 10_000;
/** Upstream's mirroring controller leaves these alone. */
const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };

export interface EndpointDeps extends BootstrapDeps {
  readonly store: Store;
  readonly logger: Logger;
}

interface Place {
  readonly group: string;
  readonly resource: string;
  readonly object: Draft<KubeObject>;
  /** What is set anew when the addresses have changed. */
  readonly fields: readonly string[];
}

function places(hosts: readonly string[], family: string, port: number): Place[] {
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  return [
    {
      group: '',
      resource: 'endpoints',
      object: {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { name, namespace, labels: { ...labels } },
        subsets: hosts.length === 0 ? [] : [{ addresses: hosts.map(ip => ({ ip })), ports }],
      },
      fields: ['subsets'],
    },
    {
      group: 'discovery.k8s.io',
      resource: 'endpointslices',
      object: {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
        addressType: family,
        endpoints: hosts.map(host => ({ addresses: [host], conditions: { ready: true } })),
        ports,
      },
      fields: ['endpoints', 'ports'],
    },
  ];
}

/** See the file header. Does nothing where no address is known by which others reach this server, or none is wanted. */
export class EndpointReconciler {
  readonly #deps: EndpointDeps;
  readonly #members: EndpointMembers | undefined;
  /** One run after another: the last one's end. */
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: EndpointDeps) {
    this.#deps = deps;
    this.#members = this.#membersOf(deps);
  }

  /** Announces this server, and does so again every ten seconds until {@link stop} or `signal`. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#deps;
    if (!this.#members) return;
    const renew = (): Promise<void> =>
      this.#run(() => this.#renew()).catch(error => {
        if (!signal.aborted)
          logger.warn('the addresses of the kubernetes Service are looked at again later', { error });
      });
    // A store that takes no writes, as on a full disk, is one that can still be read.
    await renew();
    const ticker = clock.setTicker(() => void renew(), periodMs);
    signal.addEventListener('abort', () => ticker.cancel(), { once: true });
  }

  /** Takes this server out. */
  async stop(): Promise<void> {
    const members = this.#members;
    if (this.#stopped || !members) return;
    this.#stopped = true;
    await this.#run(async () => this.#reconcile(await members.leave()));
  }

  #run(work: () => Promise<void>): Promise<void> {
    const run = this.#last.then(work);
    this.#last = run.catch(() => {});
    return run;
  }

  #membersOf({ store, config }: EndpointDeps): EndpointMembers | undefined {
    const { externalAddress, endpointReconcilerType, apiServerCount, keyPrefix } = config;
    if (!externalAddress || endpointReconcilerType === 'none') return undefined;
    const { host } = externalAddress;
    if (endpointReconcilerType === 'lease') return leaseMembers(store, `${keyPrefix}/masterleases/`, host);
    return masterCountMembers(() => this.#written(), host, apiServerCount);
  }

  async #renew(): Promise<void> {
    if (this.#stopped || !this.#members) return;
    await this.#reconcile(await this.#members.join());
  }

  async #reconcile(hosts: readonly string[]): Promise<void> {
    const { host: own, port } = this.#deps.config.externalAddress!;
    const family = own.includes(':') ? 'IPv6' : 'IPv4';
    for (const place of places(hosts, family, port)) await this.#write(place);
  }

  /** The addresses that stand in the Endpoints. */
  async #written(): Promise<string[]> {
    const { scheme, registry } = this.#deps;
    const { storage } = scheme.find('', 'v1', 'endpoints')!;
    const stored = await registry.deps.objects.get(storageKey(storage, namespace, name));
    const { subsets = [] } = (stored?.decoded() ?? {}) as Partial<Endpoints>;
    return subsets.length === 1 ? (subsets[0]!.addresses ?? []).map(({ ip }) => ip) : [];
  }

  /** Makes the object, or corrects it. */
  async #write({ group, resource, object, fields }: Place): Promise<void> {
    const deps = this.#deps;
    if (await ensureObject(deps, structuredClone(object))) return;
    const context = { ...ownContext({ group, resource }, name, namespace), fieldManager: ownFieldManager };
    await deps.registry.modify(deps.scheme.find(group, 'v1', resource)!, context, draft => {
      for (const field of fields) {
        if (semanticEqual(draft[field] ?? [], object[field])) continue;
        draft[field] = object[field];
      }
    });
  }
}
