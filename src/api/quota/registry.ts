/**
 * The evaluator of each resource: four know more than to count. Upstream: pkg/quota/v1/evaluator/core/registry.go,
 * pkg/quota/v1/install/registry.go, services.go, persistent_volume_claims.go, resource_claims.go.
 * Known gap: claims that the scheduler makes for extended resources of device classes count by their device class alone,
 * as upstream does when no class names an extended resource.
 */
import { type KubeObject, parseQuantity, Quantity } from '#apimachinery';
import type { PersistentVolumeClaim, ResourceClaim, ResourceQuota, Service } from '../types.ts';
import { type Amounts, addAmounts, maskAmounts } from './amounts.ts';
import { countName, one, type QuotaEvaluator, type Scope, scopesOf, scopeTakes } from './evaluator.ts';
import { podEvaluator } from './pods.ts';

const quantity = (count: number): Quantity => Quantity.of(count);

const serviceNames = ['count/services', 'services', 'services.nodeports', 'services.loadbalancers'];

const serviceEvaluator: QuotaEvaluator = {
  group: '',
  resource: 'services',
  scoped: false,
  handles: ({ subresource, operation }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  matching: names => names.filter(name => serviceNames.includes(name)).sort(),
  matchesScope: () => false,
  usage(object) {
    const { spec } = object as unknown as Service;
    const ports = spec?.ports ?? [];
    let nodePorts = 0;
    if (spec?.type === 'NodePort') nodePorts = ports.length;
    if (spec?.type === 'LoadBalancer') {
      const only = spec.allocateLoadBalancerNodePorts === false;
      nodePorts = only ? ports.filter(port => port.nodePort).length : ports.length;
    }
    return new Map([
      ['count/services', one],
      ['services', one],
      ['services.nodeports', quantity(nodePorts)],
      ['services.loadbalancers', quantity(spec?.type === 'LoadBalancer' ? 1 : 0)],
    ]);
  },
};

/** Only these two types are limited by a quota of their own. */
export function quotaServiceType(service: Service): string {
  const type = service.spec?.type ?? '';
  return type === 'NodePort' || type === 'LoadBalancer' ? type : '';
}

const ofStorageClass = '.storageclass.storage.k8s.io/';
const claimNames = ['persistentvolumeclaims', 'requests.storage'];
const betaClass = 'volume.beta.kubernetes.io/storage-class';

function volumeAttributesClasses(claim: PersistentVolumeClaim): string[] {
  const { spec, status } = claim;
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return [...new Set(names.filter((name): name is string => Boolean(name)))];
}

/** What is asked for, or was allocated when that is more; in whole bytes. */
function storageOf(claim: PersistentVolumeClaim): Quantity | undefined {
  const asked = claim.spec?.resources?.requests?.['storage'];
  if (asked === undefined) return undefined;
  const whole = (text: string): Quantity => {
    const exact = parseQuantity(text);
    const up = Quantity.of(exact.scaledValue(0), exact.format);
    return up.equals(exact) ? exact : up;
  };
  const request = whole(asked);
  const allocated = claim.status?.allocatedResources?.['storage'];
  if (allocated === undefined || parseQuantity(allocated).compare(request) <= 0) return request;
  return whole(allocated);
}

/** Whether an update of a claim changes what a quota counts. Upstream: RequiresQuotaReplenish. */
export function claimUsageChanged(now: PersistentVolumeClaim, old: PersistentVolumeClaim): boolean {
  const text = (claim: PersistentVolumeClaim): string =>
    JSON.stringify([claim.status?.allocatedResources?.['storage'] ?? '', volumeAttributesClasses(claim).sort()]);
  return text(now) !== text(old);
}

const claimEvaluator: QuotaEvaluator = {
  group: '',
  resource: 'persistentvolumeclaims',
  scoped: true,
  handles({ subresource, operation, object, old }) {
    if (subresource === '') return operation === 'CREATE' || operation === 'UPDATE';
    if (subresource !== 'status' || !old) return false;
    return claimUsageChanged(object as unknown as PersistentVolumeClaim, old as unknown as PersistentVolumeClaim);
  },
  matching: names =>
    names.filter(
      name =>
        name === 'count/persistentvolumeclaims' ||
        claimNames.includes(name) ||
        claimNames.some(each => name.endsWith(`${ofStorageClass}${each}`)),
    ),
  matchesScope(scope, object) {
    if (scope.scopeName !== 'VolumeAttributesClass') return false;
    const classes = volumeAttributesClasses(object as unknown as PersistentVolumeClaim);
    if (scope.operator === 'Exists') return classes.length > 0;
    return classes.length === 0 ? scopeTakes(scope, undefined) : classes.some(name => scopeTakes(scope, name));
  },
  usage(object) {
    const claim = object as unknown as PersistentVolumeClaim;
    const used = new Map([
      ['persistentvolumeclaims', one],
      ['count/persistentvolumeclaims', one],
    ]);
    const className = claim.metadata.annotations?.[betaClass] ?? claim.spec?.storageClassName ?? '';
    const storage = storageOf(claim);
    if (storage) used.set('requests.storage', storage);
    if (className === '') return used;
    used.set(`${className}${ofStorageClass}persistentvolumeclaims`, one);
    if (storage) used.set(`${className}${ofStorageClass}requests.storage`, storage);
    return used;
  },
};

const perDeviceClass = '.deviceclass.resource.k8s.io/devices';
/** The most devices that one claim may be given. */
const allDevices = 32;

const resourceClaimEvaluator: QuotaEvaluator = {
  group: 'resource.k8s.io',
  resource: 'resourceclaims',
  scoped: false,
  handles: ({ subresource, operation }) => subresource === '' && (operation === 'CREATE' || operation === 'UPDATE'),
  matching: names =>
    names.filter(name => name === 'count/resourceclaims.resource.k8s.io' || name.endsWith(perDeviceClass)),
  matchesScope: () => false,
  usage(object) {
    const claim = object as unknown as ResourceClaim;
    let used: Amounts = new Map([['count/resourceclaims.resource.k8s.io', one]]);
    const devices = (ask: { allocationMode?: string | undefined; count?: number | undefined }): Quantity => {
      if (ask.allocationMode === 'ExactCount') return quantity(ask.count ?? 0);
      return quantity(ask.allocationMode === 'All' ? allDevices : 0);
    };
    for (const { exactly, firstAvailable } of claim.spec?.devices?.requests ?? []) {
      const most = new Map<string, Quantity>();
      for (const each of firstAvailable?.length ? firstAvailable : exactly ? [exactly] : []) {
        const name = `${each.deviceClassName}${perDeviceClass}`;
        const amount = devices(each);
        const known = most.get(name);
        if (!known || amount.compare(known) > 0) most.set(name, amount);
      }
      used = addAmounts(used, most);
    }
    return used;
  },
};

/** Names from before `count/` that go on to be counted. */
const aliases = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets']);

function countEvaluator(group: string, resource: string): QuotaEvaluator {
  const own = [countName(group, resource), ...(group === '' && aliases.has(resource) ? [resource] : [])];
  return {
    group,
    resource,
    scoped: false,
    handles: ({ subresource, operation }) => subresource === '' && operation === 'CREATE',
    matching: names => names.filter(name => own.includes(name)).sort(),
    matchesScope: () => false,
    usage: () => new Map(own.map(name => [name, one])),
  };
}

const special = [podEvaluator, serviceEvaluator, claimEvaluator, resourceClaimEvaluator];

/** Never counted: what is not stored, and events. */
const ignored = new Set(['bindings.', 'componentstatuses.', 'events.', 'events.events.k8s.io']);
const virtualGroups = new Set(['authentication.k8s.io', 'authorization.k8s.io']);

/** The evaluator of a resource; undefined for those that no quota counts. */
export function quotaEvaluatorOf(group: string, resource: string): QuotaEvaluator | undefined {
  if (virtualGroups.has(group) || ignored.has(`${resource}.${group}`)) return undefined;
  return special.find(each => each.group === group && each.resource === resource) ?? countEvaluator(group, resource);
}

/** What all objects of one resource in the quota's namespace use of what the quota limits. */
export function usageOf(
  evaluator: QuotaEvaluator,
  quota: ResourceQuota,
  objects: Iterable<KubeObject>,
  nowMs: number,
): Amounts {
  const names = evaluator.matching(Object.keys(quota.spec?.hard ?? {}));
  let used: Amounts = new Map(names.map(name => [name, Quantity.of(0)]));
  if (names.length === 0) return used;
  const scopes: readonly Scope[] = scopesOf(quota);
  for (const object of objects) {
    if (!scopes.every(scope => evaluator.matchesScope(scope, object))) continue;
    used = addAmounts(used, maskAmounts(evaluator.usage(object, nowMs), names));
  }
  return used;
}
