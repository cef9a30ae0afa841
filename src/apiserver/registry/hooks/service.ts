/**
 * Cluster addresses and node ports of Services: given out and taken back in the transaction that stores the Service.
 * An address is an IPAddress object, a node port a key of its own. Upstream: pkg/registry/core/service/storage.
 */
import type { Service } from '#api/types';
import { type Draft, FieldPath, formatTime, internalError, invalidValue, type KubeObject } from '#apimachinery';
import type { Clock, Random } from '#base';
import type { Precondition, StorageOp, Store } from '#storage';
import type { ServedResource } from '../../scheme/resource.ts';
import { encodeObject } from '../../serialization/encode.ts';
import type { WriteContext } from '../context.ts';
import type { Companions } from '../object-store.ts';
import type { RegistryHook } from '../registry.ts';
import { AddressRange } from './address-range.ts';
import { type Family, initFamilies, normalizeClusterIPs, patchAllocatedValues, refuse } from './service-families.ts';

export interface ServiceHookDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly serviceCidrs: readonly string[];
  readonly nodePortRange: readonly [number, number];
  readonly keyPrefix: string;
  readonly ipAddresses: ServedResource;
}

type DraftService = Draft<Service>;

const spec = FieldPath.of('spec');
const encoder = new TextEncoder();

/** The keys that one write takes and gives back. */
class Transaction {
  readonly preconditions: Precondition[] = [];
  readonly ops: StorageOp[] = [];
  readonly #touched = new Set<string>();

  take(key: string, value: Uint8Array): void {
    if (this.#touched.has(key)) return;
    this.#touched.add(key);
    this.preconditions.push({ key, modRevision: 0 });
    this.ops.push({ type: 'put', key, value });
  }

  give(key: string): void {
    if (this.#touched.has(key)) return;
    this.#touched.add(key);
    this.ops.push({ type: 'delete', key });
  }

  has(key: string): boolean {
    return this.#touched.has(key);
  }
}

export function serviceHook(deps: ServiceHookDeps): RegistryHook {
  const ranges = deps.serviceCidrs.map(cidr => new AddressRange(cidr));
  const allocator = new Allocator(deps, ranges);
  return {
    async prepare(object, old, context) {
      const transaction = new Transaction();
      const before = old as Service | null;
      if (object === null) allocator.releaseAll(before!, transaction);
      else {
        const service = object as unknown as DraftService;
        if (before) patchAllocatedValues(service, before);
        normalizeClusterIPs(service, before);
        const families = [...new Set(ranges.map(range => range.family))];
        initFamilies(service, before, families);
        await allocator.addresses(service, before, context, transaction);
        await allocator.ports(service, before, transaction);
      }
      return transaction.ops.length > 0 ? (transaction satisfies Companions) : undefined;
    },
  };
}

const hasPorts = ({ type }: { readonly type?: string | undefined }): boolean =>
  type === 'NodePort' || type === 'LoadBalancer';

const needsHealthCheck = ({ type, externalTrafficPolicy }: Service['spec'] | DraftService['spec']): boolean =>
  type === 'LoadBalancer' && externalTrafficPolicy === 'Local';

/** The cluster addresses that a Service holds. */
function held(service: Service | null): readonly string[] {
  if (!service || service.spec.type === 'ExternalName') return [];
  return (service.spec.clusterIPs ?? []).filter(address => address !== 'None' && address !== '');
}

function heldPorts(service: Service | null): Set<number> {
  const ports = new Set<number>();
  if (!service) return ports;
  for (const { nodePort } of hasPorts(service.spec) ? (service.spec.ports ?? []) : [])
    if (nodePort) ports.add(nodePort);
  if (needsHealthCheck(service.spec) && service.spec.healthCheckNodePort) ports.add(service.spec.healthCheckNodePort);
  return ports;
}

class Allocator {
  readonly #deps: ServiceHookDeps;
  readonly #ranges: readonly AddressRange[];

  constructor(deps: ServiceHookDeps, ranges: readonly AddressRange[]) {
    this.#deps = deps;
    this.#ranges = ranges;
  }

  releaseAll(service: Service, transaction: Transaction): void {
    for (const address of held(service)) transaction.give(this.#addressKey(address));
    for (const port of heldPorts(service)) transaction.give(this.#portKey(port));
  }

  async addresses(
    service: DraftService,
    old: Service | null,
    context: WriteContext,
    transaction: Transaction,
  ): Promise<void> {
    const { spec: now } = service;
    const before = new Set(held(old));
    const headless = now.clusterIPs?.[0] === 'None';
    if (now.type !== 'ExternalName' && !headless) {
      const addresses = [...(now.clusterIPs ?? [])];
      for (const [at, family] of (now.ipFamilies ?? []).entries()) {
        const wanted = addresses[at] ?? '';
        if (before.has(wanted)) continue;
        addresses[at] = await this.#takeAddress(service, family as Family, wanted, context, transaction);
      }
      if (addresses.length > 0) {
        now.clusterIPs = addresses;
        now.clusterIP = addresses[0]!;
      }
    }
    const after = new Set(now.type === 'ExternalName' || headless ? [] : (now.clusterIPs ?? []));
    for (const address of before) if (!after.has(address)) transaction.give(this.#addressKey(address));
  }

  async #takeAddress(
    service: DraftService,
    family: Family,
    wanted: string,
    context: WriteContext,
    transaction: Transaction,
  ): Promise<string> {
    const ranges = this.#ranges.filter(range => range.family === family);
    const path = spec.child('clusterIPs');
    if (wanted !== '') {
      const fail = (why: string): void =>
        refuse(service, [invalidValue(path, service.spec.clusterIPs, `failed to allocate IP ${wanted}: ${why}`)]);
      if (!ranges.some(range => range.contains(wanted))) {
        const valid = ranges.map(range => range.cidr).join(',');
        fail(`the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${valid}`);
      }
      if (await this.#exists(this.#addressKey(wanted))) fail('provided IP is already allocated');
      transaction.take(this.#addressKey(wanted), this.#addressObject(service, wanted, family, context));
      return wanted;
    }
    for (const range of ranges) {
      for (const address of range.candidates(() => this.#deps.random.float())) {
        const key = this.#addressKey(address);
        if (transaction.has(key) || (await this.#exists(key))) continue;
        transaction.take(key, this.#addressObject(service, address, family, context));
        return address;
      }
    }
    throw internalError(
      `failed to allocate a serviceIP for Service ${JSON.stringify(service.metadata.name)}: range is full`,
    );
  }

  async ports(service: DraftService, old: Service | null, transaction: Transaction): Promise<void> {
    const before = heldPorts(old);
    const kept = new Set<number>();
    const { spec: now } = service;
    const taken = new Map<string, number>();
    const mayAllocate = now.type === 'NodePort' || now.allocateLoadBalancerNodePorts !== false;
    for (const [at, port] of (hasPorts(now) ? (now.ports ?? []) : []).entries()) {
      if (!port.nodePort) {
        if (!mayAllocate) continue;
        const shared = [...taken.values()].find((_, i) => [...taken.keys()][i] === String(port.port));
        const requested = (now.ports ?? []).find(each => each.port === port.port && each.nodePort)?.nodePort;
        port.nodePort = shared ?? requested;
        if (!port.nodePort) {
          port.nodePort = await this.#freePort(transaction, before);
          this.#holdPort(service, port.nodePort, transaction);
        }
      }
      if (!before.has(port.nodePort) && !kept.has(port.nodePort)) {
        await this.#takePort(service, port.nodePort, at, transaction);
      }
      taken.set(String(port.port), port.nodePort);
      kept.add(port.nodePort);
    }
    if (needsHealthCheck(now)) {
      if (!now.healthCheckNodePort) {
        now.healthCheckNodePort = await this.#freePort(transaction, before);
        this.#holdPort(service, now.healthCheckNodePort, transaction);
      }
      if (!before.has(now.healthCheckNodePort)) {
        await this.#takePort(service, now.healthCheckNodePort, -1, transaction);
      }
      kept.add(now.healthCheckNodePort);
    }
    for (const port of before) if (!kept.has(port)) transaction.give(this.#portKey(port));
  }

  async #takePort(service: DraftService, port: number, at: number, transaction: Transaction): Promise<void> {
    const [low, high] = this.#deps.nodePortRange;
    const key = this.#portKey(port);
    let why = '';
    if (port < low || port > high) {
      why = `provided port is not in the valid range. The range of valid ports is ${low}-${high}`;
    } else if (transaction.has(key)) return;
    else if (await this.#exists(key)) why = 'provided port is already allocated';
    if (why !== '' && at < 0) throw internalError(`failed to allocate requested HealthCheck NodePort ${port}: ${why}`);
    if (why !== '') refuse(service, [invalidValue(spec.child('ports').index(at).child('nodePort'), port, why)]);
    this.#holdPort(service, port, transaction);
  }

  /** Whether the port is still free is the transaction's to say: another server may take it at the same moment. */
  #holdPort(service: DraftService, port: number, transaction: Transaction): void {
    const key = this.#portKey(port);
    const { namespace, name } = service.metadata;
    transaction.take(key, encoder.encode(JSON.stringify({ service: `${namespace}/${name}` })));
  }

  async #freePort(transaction: Transaction, before: ReadonlySet<number>): Promise<number> {
    const [low, high] = this.#deps.nodePortRange;
    const size = high - low + 1;
    const start = Math.floor(this.#deps.random.float() * size);
    for (let i = 0; i < size; i++) {
      const port = low + ((start + i) % size);
      const key = this.#portKey(port);
      if (before.has(port) || transaction.has(key) || (await this.#exists(key))) continue;
      return port;
    }
    throw internalError('failed to allocate a nodePort: range is full');
  }

  async #exists(key: string): Promise<boolean> {
    return (await this.#deps.store.get(key)).kv !== null;
  }

  #addressKey(address: string): string {
    return `${this.#deps.ipAddresses.storagePrefix}/${address}`;
  }

  #portKey(port: number): string {
    return `${this.#deps.keyPrefix}/ranges/servicenodeports/${port}`;
  }

  #addressObject(service: DraftService, address: string, family: Family, context: WriteContext): Uint8Array {
    const object: KubeObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: {
        name: address,
        uid: this.#deps.random.uuid(),
        creationTimestamp: formatTime(this.#deps.clock.now()),
        labels: {
          'ipaddress.kubernetes.io/ip-family': family,
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
      },
      spec: {
        parentRef: { group: '', resource: 'services', namespace: context.namespace, name: service.metadata.name ?? '' },
      },
    };
    return encodeObject(object, this.#deps.ipAddresses.struct);
  }
}
