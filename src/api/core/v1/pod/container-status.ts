/**
 * What a Pod's status says of claims, users and devices of its containers. Upstream: pkg/apis/core/validation
 * (validatePodResourceClaimStatuses, validatePodExtendedResourceClaimStatus, validateContainerStatusUsers …),
 * pkg/api/pod/util.go (dropDisabledPodStatusFields at v1.36's default gates).
 */
import {
  byteLength,
  type Draft,
  duplicate,
  FieldPath,
  forbiddenField,
  invalidValue,
  isValidGroupID,
  isValidUserID,
  nameIsDNSSubdomain,
  required,
  tooLong,
} from '#apimachinery';
import type { Container, ContainerStatus, PodSpec, PodStatus } from '../../../types.ts';
import { checkDNSLabel, checkObjectName, checkSupported, type Errors, refuseEach } from '../../../validation/common.ts';

const path = FieldPath.of('status');
const lists = ['containerStatuses', 'initContainerStatuses', 'ephemeralContainerStatuses'] as const;
const maxMessageBytes = 1024;
const healths = ['Healthy', 'Unhealthy', 'Unknown'];

type AllocatedStatus = NonNullable<ContainerStatus['allocatedResourcesStatus']>[number];

/** Takes away fields whose features are off, unless the old status has them. */
export function dropDisabledStatusFields(status: Draft<PodStatus>, old: PodStatus = {}): void {
  const usesImages = lists.some(list => old[list]?.some(each => each.volumeMounts?.some(mount => mount.volumeStatus)));
  for (const each of usesImages ? [] : lists.flatMap(list => status[list] ?? [])) {
    for (const mount of each.volumeMounts ?? []) delete mount.volumeStatus;
  }
  if (!old.nodeAllocatableResourceClaimStatuses?.length) delete status.nodeAllocatableResourceClaimStatuses;
}

export function checkClaimStatuses(errors: Errors, spec: PodSpec, status: PodStatus): void {
  const seen = new Set<string>();
  status.resourceClaimStatuses?.forEach(({ name = '', resourceClaimName }, i) => {
    const at = path.child('resourceClaimStatuses').index(i);
    if (!spec.resourceClaims?.some(claim => claim.name === name)) {
      const text = 'must match the name of an entry in `spec.resourceClaims`';
      errors.push(invalidValue(at.child('name'), name, text));
    }
    if (seen.has(name)) errors.push(duplicate(at.child('name'), name));
    seen.add(name);
    if (resourceClaimName === undefined) return;
    const texts = nameIsDNSSubdomain(resourceClaimName, false);
    refuseEach(errors, at.child('resourceClaimName'), resourceClaimName, texts);
  });
}

export function checkExtendedClaimStatus(errors: Errors, spec: PodSpec, status: PodStatus): void {
  const extended = status.extendedResourceClaimStatus;
  if (!extended) return;
  const at = path.child('extendedResourceClaimStatus');
  const { requestMappings = [], resourceClaimName } = extended;
  const containers = new Map(
    [...(spec.initContainers ?? []), ...(spec.containers ?? [])].map(each => [each.name, each]),
  );
  if (requestMappings.length === 0) {
    errors.push(required(at.child('requestMappings'), 'at least one request mapping is required'));
  }
  const seen = new Set<string>();
  requestMappings.forEach(({ containerName = '', resourceName = '', requestName = '' }, i) => {
    const here = at.child('requestMappings').index(i);
    const container = containers.get(containerName);
    const entry = 'of an entry in spec.initContainers';
    if (!container) {
      const text = `must match the name ${entry}.name or spec.containers.name`;
      errors.push(invalidValue(here.child('containerName'), containerName, text));
    } else if (container.resources?.requests?.[resourceName] === undefined) {
      const text = `must match the extended resource name ${entry}.resources.requests or spec.containers.resources.requests`;
      errors.push(invalidValue(here.child('resourceName'), resourceName, text));
    }
    checkDNSLabel(errors, at.child('requestName'), requestName);
    const key = JSON.stringify([containerName, resourceName, requestName]);
    if (seen.has(key)) {
      errors.push(duplicate(here.child('containerName'), containerName));
      errors.push(duplicate(here.child('resourceName'), resourceName));
      errors.push(duplicate(here.child('requestName'), requestName));
    }
    seen.add(key);
  });
  if (!resourceClaimName) errors.push(required(at.child('resourceClaimName')));
  else checkObjectName(errors, at.child('resourceClaimName'), resourceClaimName);
}

export function checkStatusUsers(errors: Errors, spec: PodSpec, status: PodStatus): void {
  const system = spec.os?.name ?? 'linux';
  for (const list of lists) {
    status[list]?.forEach(({ user }, i) => {
      const at = path.child(list).index(i).child('user', 'linux');
      const linux = user?.linux;
      if (!linux) return;
      if (system === 'windows') errors.push(forbiddenField(at, 'cannot be set for a windows pod'));
      if (system !== 'linux') return;
      refuseEach(errors, at.child('uid'), linux.uid ?? 0, isValidUserID(linux.uid ?? 0));
      refuseEach(errors, at.child('gid'), linux.gid ?? 0, isValidGroupID(linux.gid ?? 0));
      linux.supplementalGroups?.forEach((group, j) => {
        refuseEach(errors, at.child('supplementalGroups').index(j), group, isValidGroupID(group));
      });
    });
  }
}

/** What a container has that the entry may be about; undefined when there is no such container. */
function refusalOf(container: Container | undefined, name: string): string | undefined {
  if (!container) return undefined;
  if (!name.startsWith('claim:')) {
    const asked = container.resources?.requests?.[name] !== undefined;
    return asked ? undefined : "must match one of the container's resource requests";
  }
  const claims = (container.resources?.claims ?? []).map(claim => {
    return `claim:${claim.name}${claim.request ? `/${claim.request}` : ''}`;
  });
  if (claims.includes(name)) return undefined;
  return "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or 'claim:<claimName>' if request is empty";
}

function checkHealth(errors: Errors, at: FieldPath, allocated: AllocatedStatus): void {
  const seen = new Set<string>();
  allocated.resources?.forEach(({ health, message, resourceID = '' }, i) => {
    const here = at.child('resources').index(i);
    checkSupported(errors, here.child('health'), health, healths);
    if (message === '') errors.push(required(here.child('message'), 'must be non-empty if specified'));
    else if (byteLength(message ?? '') > maxMessageBytes) errors.push(tooLong(here.child('message'), maxMessageBytes));
    if (seen.has(resourceID)) errors.push(duplicate(here.child('resourceID'), resourceID));
    seen.add(resourceID);
  });
}

export function checkAllocatedStatuses(errors: Errors, spec: PodSpec, status: PodStatus): void {
  for (const [list, owners] of [
    ['containerStatuses', 'containers'],
    ['initContainerStatuses', 'initContainers'],
  ] as const) {
    status[list]?.forEach(({ name: owner, allocatedResourcesStatus = [] }, i) => {
      const container = spec[owners]?.find(each => each.name === owner);
      allocatedResourcesStatus.forEach((allocated, j) => {
        const at = path.child(list).index(i).child('allocatedResourcesStatus').index(j);
        const refusal = refusalOf(container, allocated.name ?? '');
        if (refusal !== undefined) errors.push(invalidValue(at.child('name'), allocated.name ?? '', refusal));
        checkHealth(errors, at, allocated);
      });
    });
  }
  status.ephemeralContainerStatuses?.forEach(({ allocatedResourcesStatus }, i) => {
    if (!allocatedResourcesStatus?.length) return;
    const at = path.child('ephemeralContainerStatuses').index(i).child('allocatedResourcesStatus');
    errors.push(forbiddenField(at, 'must not be specified in container status'));
  });
}
