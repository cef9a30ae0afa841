/**
 * Where the `kubernetes` Service leads: the addresses of all servers of this store that live, as Endpoints and as an
 * EndpointSlice. Each server has a key that it renews and that expires without it; each writes the addresses of all.
 * Upstream: pkg/controlplane/reconcilers/lease.go, pkg/controlplane/controller/kubernetesservice/controller.go.
 */
import { type Draft, type KubeObject, semanticEqual } from '#apimachinery';
import type { Logger } from '#base';
import { prefixEnd, type Store } from '#storage';
import { user } from '../authentication/user.ts';
import type { WriteContext } from '../registry/context.ts';
import { type BootstrapDeps, ensureObject } from './bootstrap.ts';

const name = 'kubernetes';
const namespace = 'default';
const periodMs = 10_000;
const ttlSeconds = 15;
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

/** See the file header. Does nothing where no address is known by which others reach this server. */
export class EndpointReconciler {
  readonly #deps: EndpointDeps;
  /** One run after another: the last one's end. */
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(deps: EndpointDeps) {
    this.#deps = deps;
  }

  /** Announces this server, and does so again every ten seconds until {@link stop} or `signal`. */
  async start(signal: AbortSignal): Promise<void> {
    const { clock, logger, config } = this.#deps;
    if (!config.externalAddress) return;
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
    if (this.#stopped || !this.#deps.config.externalAddress) return;
    this.#stopped = true;
    await this.#run(async () => {
      await this.#deps.store.txn([], [{ type: 'delete', key: this.#ownKey() }]);
      await this.#reconcile();
    });
  }

  #run(work: () => Promise<void>): Promise<void> {
    const run = this.#last.then(work);
    this.#last = run.catch(() => {});
    return run;
  }

  #prefix(): string {
    return `${this.#deps.config.keyPrefix}/masterleases/`;
  }

  #ownKey(): string {
    return this.#prefix() + this.#deps.config.externalAddress!.host;
  }

  async #renew(): Promise<void> {
    if (this.#stopped) return;
    const { host } = this.#deps.config.externalAddress!;
    const lease = { kind: 'Endpoints', apiVersion: 'v1', metadata: {}, subsets: [{ addresses: [{ ip: host }] }] };
    const value = Buffer.from(JSON.stringify(lease));
    await this.#deps.store.txn([], [{ type: 'put', key: this.#ownKey(), value, ttlSeconds }]);
    await this.#reconcile();
  }

  async #reconcile(): Promise<void> {
    const { store, config } = this.#deps;
    const { host: own, port } = config.externalAddress!;
    const prefix = this.#prefix();
    const { kvs } = await store.range({ start: prefix, end: prefixEnd(prefix), keysOnly: true });
    const hosts = kvs.map(({ key }) => key.slice(prefix.length));
    const family = own.includes(':') ? 'IPv6' : 'IPv4';
    for (const place of places(hosts, family, port)) await this.#write(place);
  }

  /** Makes the object, or corrects it. */
  async #write({ group, resource, object, fields }: Place): Promise<void> {
    const deps = this.#deps;
    if (await ensureObject(deps, structuredClone(object))) return;
    const context: WriteContext = {
      user: user('system:apiserver', ['system:masters']),
      namespace,
      name,
      subresource: '',
      dryRun: false,
      warn: () => {},
      requestResource: { group, resource },
    };
    await deps.registry.modify(deps.scheme.find(group, 'v1', resource)!, context, draft => {
      for (const field of fields) {
        if (semanticEqual(draft[field] ?? [], object[field])) continue;
        draft[field] = object[field];
      }
    });
  }
}
