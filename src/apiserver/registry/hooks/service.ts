/**
 * Cluster addresses and node ports of Services: given out and taken back in the transaction that stores the Service.
 * An address is an IPAddress object, a node port a key of its own. Upstream: pkg/registry/core/service/storage.
 * Deviation: upstream keeps node ports in one bitmap; with a key each, Services that are made at once do not meet.
 */
import type { Service } from '#api/types';
import {
  type Draft,
  FieldPath,
  formatTime,
  internalError,
  invalidValue,
  type KubeObject,
  type ManagedFieldsEntry,
  StatusError,
} from '#apimachinery';
import type { Clock, Random } from '#base';
import type { Precondition, StorageOp, Store } from '#storage';
import type { ServedResource } from '../../scheme/resource.ts';
import { encodeObject } from '../../serialization/encode.ts';
import type { WriteContext } from '../context.ts';
import { ownFieldManager } from '../field-managers.ts';
import type { Companions } from '../object-store.ts';
import type { RegistryHook } from '../registry.ts';
import { AddressRange } from './address-range.ts';
import {
  allocatesNodePorts,
  type Family,
  initFamilies,
  isSettledPreference,
  needsHealthCheck,
  normalizeClusterIPs,
  patchAllocatedValues,
  refuse,
} from './service-families.ts';

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

/** The server owns the addresses that it grants. */
const addressOwner: ManagedFieldsEntry = {
  manager: ownFieldManager,
  operation: 'Update',
  apiVersion: 'networking.k8s.io/v1',
  fieldsType: 'FieldsV1',
  fieldsV1: {
    'f:metadata': {
      'f:labels': {
        '.': {},
        'f:ipaddress.kubernetes.io/ip-family': {},
        'f:ipaddress.kubernetes.io/managed-by': {},
      },
    },
    'f:spec': { 'f:parentRef': { '.': {}, 'f:name': {}, 'f:namespace': {}, 'f:resource': {} } },
  },
};

/** The keys that one write takes and gives back. */
class Transaction {
  /** Nothing is given out: addresses and ports are made up, as upstream does. */
  readonly dryRun: boolean;
  readonly preconditions: Precondition[] = [];
  readonly ops: StorageOp[] = [];
  /** Node ports that were taken. */
  readonly ports: number[] = [];
  readonly #touched = new Set<string>();

  constructor(dryRun: boolean) {
    this.dryRun = dryRun;
  }

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

/** The port that a dry run shows: the next one after those of this write, or one beyond the usual range. */
function imaginedPort({ ports }: Transaction): number {
  return (ports.length === 0 ? 32768 : Math.max(...ports)) + 1;
}

export function serviceHook(deps: ServiceHookDeps): RegistryHook {
  const ranges = deps.serviceCidrs.map(cidr => new AddressRange(cidr));
  const allocator = new Allocator(deps, ranges);
  return {
    async prepare(object, old, context) {
      const transaction = new Transaction(context.dryRun);
      const before = old as Service | null;
      if (object === null) allocator.releaseAll(before!, transaction);
      else {
        const service = object as unknown as DraftService;
        if (before) patchAllocatedValues(service.spec, before.spec);
        normalizeClusterIPs(service.spec, before?.spec ?? null);
        const families = [...new Set(ranges.map(range => range.family))];
        refuse(service, initFamilies(service.spec, before?.spec ?? null, families));
        await allocator.addresses(service, before, context, transaction);
        await allocator.ports(service, before, transaction);
      }
      return transaction.ops.length > 0 ? (transaction satisfies Companions) : undefined;
    },
  };
}

/** Where it stands that a node port is taken. */
export function nodePortKey(keyPrefix: string, port: number): string {
  return `${keyPrefix}/ranges/servicenodeports/${port}`;
}

/** … and by whom. */
export function nodePortValue({ namespace, name }: Pick<Service['metadata'], 'namespace' | 'name'>): Uint8Array {
  return encoder.encode(JSON.stringify({ service: `${namespace}/${name}` }));
}

const hasPorts = ({ type }: { readonly type?: string | undefined }): boolean =>
  type === 'NodePort' || type === 'LoadBalancer';

/** The cluster addresses that a Service holds. */
function held(service: Service | null): readonly string[] {
  if (!service || service.spec.type === 'ExternalName') return [];
  return (service.spec.clusterIPs ?? []).filter(address => address !== 'None' && address !== '');
}

export function heldPorts(service: Service | null): Set<number> {
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

  /** A Service that is new to cluster addresses gets them; others gain or lose the second. */
  async addresses(
    service: DraftService,
    old: Service | null,
    context: WriteContext,
    transaction: Transaction,
  ): Promise<void> {
    const { spec: now } = service;
    if (isSettledPreference(now, old?.spec ?? null)) return;
    if (!old || (old.spec.type === 'ExternalName' && now.type !== 'ExternalName')) {
      if (now.type === 'ExternalName' || now.clusterIPs?.[0] === 'None') return;
      await this.#takeAddresses(service, 0, context, transaction);
      return;
    }
    if (old.spec.clusterIPs?.[0] === 'None') return;
    const before = held(old);
    if (now.type === 'ExternalName') for (const address of before) transaction.give(this.#addressKey(address));
    else if (now.ipFamilies?.length === 2 && old.spec.ipFamilies?.length === 1) {
      await this.#takeAddresses(service, 1, context, transaction);
    } else if (now.ipFamilies?.length === 1 && old.spec.ipFamilies?.length === 2 && before[1]) {
      transaction.give(this.#addressKey(before[1]));
    }
  }

  /** Of the families from `first` on: those that are wanted by number, any for the others. */
  async #takeAddresses(
    service: DraftService,
    first: number,
    context: WriteContext,
    transaction: Transaction,
  ): Promise<void> {
    const { spec: now } = service;
    const addresses = [...(now.clusterIPs ?? [])];
    for (const [at, family] of (now.ipFamilies ?? []).entries()) {
      if (at < first) continue;
      addresses[at] = await this.#takeAddress(service, family as Family, addresses[at] ?? '', context, transaction);
    }
    now.clusterIPs = addresses;
    if (addresses[0]) now.clusterIP = addresses[0];
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
        // Upstream's dry run asks the allocator of one range, a write looks for the one that has the address.
        const valid = ranges.map(range => range.cidr).join(',');
        const outside = `the provided IP (${wanted}) is not in the valid range. The range of valid IPs is ${valid}`;
        fail(transaction.dryRun ? outside : 'the provided network does not match the current range');
      }
      if (transaction.dryRun) return wanted;
      if (await this.#exists(this.#addressKey(wanted))) fail('provided IP is already allocated');
      transaction.take(this.#addressKey(wanted), this.#addressObject(service, wanted, family, context));
      return wanted;
    }
    if (transaction.dryRun && ranges[0]) return ranges[0].cidr.replace(/\/.*/, '');
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
    const { spec: now } = service;
    const before = heldPorts(old);
    if (hasPorts(now)) {
      if (old) await this.#updatePorts(service, before, transaction);
      else await this.#initPorts(service, transaction);
    }
    const checksNow = needsHealthCheck(now);
    if (checksNow && !(old && needsHealthCheck(old.spec))) await this.#takeHealthPort(service, before, transaction);
    const kept = heldPorts(service as unknown as Service);
    for (const port of before) if (!kept.has(port)) transaction.give(this.#portKey(port));
  }

  /** Ports of one number share a node port, whatever their protocol. */
  async #initPorts(service: DraftService, transaction: Transaction): Promise<void> {
    const { spec: now } = service;
    const ports = now.ports ?? [];
    const given = new Map<number, number>();
    for (const [at, port] of ports.entries()) {
      if (!port.nodePort && !allocatesNodePorts(now)) continue;
      const known = given.get(port.port);
      if (known === undefined) {
        const wanted = ports.find(each => each.port === port.port && each.nodePort)?.nodePort;
        if (wanted) await this.#takePort(service, wanted, at, transaction);
        port.nodePort = wanted ?? (await this.#takeFreePort(service, new Set(), transaction));
        given.set(port.port, port.nodePort);
      } else if (!port.nodePort) port.nodePort = known;
      else if (port.nodePort !== known) await this.#takePort(service, port.nodePort, at, transaction);
    }
  }

  async #updatePorts(service: DraftService, before: ReadonlySet<number>, transaction: Transaction): Promise<void> {
    const { spec: now } = service;
    const seen = new Set<string>();
    const taken = new Set<number>();
    for (const [at, port] of (now.ports ?? []).entries()) {
      if (!port.nodePort && !allocatesNodePorts(now)) continue;
      if (!port.nodePort) port.nodePort = await this.#takeFreePort(service, before, transaction);
      else if (!before.has(port.nodePort) && !taken.has(port.nodePort)) {
        await this.#takePort(service, port.nodePort, at, transaction);
        taken.add(port.nodePort);
      }
      const key = `{${port.protocol} ${port.nodePort}}`;
      if (seen.has(key)) throw new StatusError({ code: 500, message: `duplicate nodePort: ${key}` });
      seen.add(key);
    }
  }

  async #takeHealthPort(service: DraftService, before: ReadonlySet<number>, transaction: Transaction): Promise<void> {
    const { spec: now } = service;
    if (now.healthCheckNodePort) await this.#takePort(service, now.healthCheckNodePort, -1, transaction);
    else now.healthCheckNodePort = await this.#takeFreePort(service, before, transaction);
  }

  async #takeFreePort(service: DraftService, before: ReadonlySet<number>, transaction: Transaction): Promise<number> {
    const port = transaction.dryRun ? imaginedPort(transaction) : await this.#freePort(transaction, before);
    this.#holdPort(service, port, transaction);
    return port;
  }

  async #takePort(service: DraftService, port: number, at: number, transaction: Transaction): Promise<void> {
    const [low, high] = this.#deps.nodePortRange;
    const key = this.#portKey(port);
    let why = '';
    if (!transaction.dryRun && (port < low || port > high)) {
      why = `provided port is not in the valid range. The range of valid ports is ${low}-${high}`;
    } else if (transaction.has(key) || (await this.#exists(key))) why = 'provided port is already allocated';
    if (why !== '' && at < 0) throw internalError(`failed to allocate requested HealthCheck NodePort ${port}: ${why}`);
    if (why !== '') refuse(service, [invalidValue(spec.child('ports').index(at).child('nodePort'), port, why)]);
    this.#holdPort(service, port, transaction);
  }

  /** Whether the port is still free is the transaction's to say: another server may take it at the same moment. */
  #holdPort(service: DraftService, port: number, transaction: Transaction): void {
    const key = this.#portKey(port);
    transaction.ports.push(port);
    transaction.take(key, nodePortValue(service.metadata));
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
    return nodePortKey(this.#deps.keyPrefix, port);
  }

  #addressObject(service: DraftService, address: string, family: Family, context: WriteContext): Uint8Array {
    const time = formatTime(this.#deps.clock.now());
    const object: KubeObject = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IPAddress',
      metadata: {
        name: address,
        uid: this.#deps.random.uuid(),
        creationTimestamp: time,
        labels: {
          'ipaddress.kubernetes.io/ip-family': family,
          'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
        },
        managedFields: [{ ...addressOwner, time }],
      },
      spec: {
        parentRef: { group: '', resource: 'services', namespace: context.namespace, name: service.metadata.name ?? '' },
      },
    };
    return encodeObject(object, this.#deps.ipAddresses.struct);
  }
}
