/**
 * Pod specs, in pods and in templates. Upstream: pkg/apis/core/validation (ValidatePodSpec), pkg/api/pod/util.go
 * (GetValidationOptionsFromPodSpecAndMeta: what an old pod already has may stay).
 */
import {
  append,
  byteLength,
  duplicate,
  type FieldPath,
  forbiddenField,
  inclusiveRangeError,
  invalidValue,
  isDNS1123SubdomainWithUnderscore,
  isLabelValue,
  isValidIPForLegacyField,
  nameIsDNSSubdomain,
  notFoundValue,
  FieldPath as Path,
  parseQuantity,
  required,
  selectorHasInvalidLabelValue,
  tooLong,
  validateLabelSelector,
  validateLabels,
} from '#apimachinery';
import { aggregateLimits, aggregateRequests } from '../core/helpers.ts';
import type { NodeSelectorTerm, PodAffinityTerm, PodDNSConfig, PodResourceClaim, PodSpec, Volume } from '../types.ts';
import {
  checkChoice,
  checkDNSLabel,
  checkDNSSubdomain,
  checkObjectName,
  checkQualifiedName,
  type Errors,
  maxInt32,
  refuseEach,
  requireText,
  sortedKeys,
} from './common.ts';
import { type ContainerContext, checkContainers, checkEphemeralContainers, checkInitContainers } from './containers.ts';
import { invalidInternal } from './internal-value.ts';
import { checkOperatingSystem, checkWindowsHostProcess } from './pod-os.ts';
import { checkContainerResources, checkPodLevelResources, isHugePage } from './resources.ts';
import { checkAffinity, checkTolerations, checkTopologySpread } from './scheduling.ts';
import { checkPodSecurityContext } from './security-contexts.ts';
import { visitContainers } from './visit-containers.ts';
import { checkVolumes } from './volumes.ts';

/** What the place and the old object allow. */
export interface PodSpecOptions {
  readonly allowPrivileged: boolean;
  /** A pod itself rather than a template. */
  readonly isPod: boolean;
  readonly podName?: string;
  readonly isMirror?: boolean;
  readonly allowInvalidSelectorValues?: boolean;
  readonly allowInvalidNodeAffinityValues?: boolean;
  readonly allowInvalidSpreadSelector?: boolean;
  readonly unmergedSpreadKeys?: boolean;
  readonly allowNonLocalTokenPath?: boolean;
  readonly allowAnySELinuxPolicy?: boolean;
  readonly allowRestartOnResize?: boolean;
  readonly allowBlockDevicesInUserNamespace?: boolean;
}

const hard = 'requiredDuringSchedulingIgnoredDuringExecution';

function affinityTerms(spec: PodSpec): PodAffinityTerm[] {
  return (['podAffinity', 'podAntiAffinity'] as const).flatMap(kind => [
    ...(spec.affinity?.[kind]?.[hard] ?? []),
    ...(spec.affinity?.[kind]?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(t => t.podAffinityTerm),
  ]);
}

export function hasInvalidTermValues(terms: readonly NodeSelectorTerm[] = []): boolean {
  return terms.some(term =>
    term.matchExpressions?.some(({ values = [] }) => values.some(value => isLabelValue(value).length > 0)),
  );
}

function climbs(volume: Volume): boolean {
  return (volume.projected?.sources ?? []).some(({ serviceAccountToken: token }) => {
    const target = token?.path ?? '';
    return (
      token !== undefined && (target.startsWith('/') || target.split('/').includes('..') || /^\.\.[^/]/.test(target))
    );
  });
}

/** The options that an old spec brings. */
export function ratchetPodSpec(old: PodSpec | undefined): Partial<PodSpecOptions> {
  if (!old) return {};
  const spread = old.topologySpreadConstraints ?? [];
  return {
    allowInvalidSelectorValues: affinityTerms(old).some(term => selectorHasInvalidLabelValue(term?.labelSelector)),
    allowInvalidNodeAffinityValues: hasInvalidTermValues(old.affinity?.nodeAffinity?.[hard]?.nodeSelectorTerms),
    allowInvalidSpreadSelector: spread.some(each => validateLabelSelector(each.labelSelector, Path.root).length > 0),
    unmergedSpreadKeys: spread.some(each => violatesKeys(each)),
    allowNonLocalTokenPath: (old.volumes ?? []).some(climbs),
    allowAnySELinuxPolicy: old.securityContext?.seLinuxChangePolicy !== undefined,
    allowRestartOnResize: (old.initContainers ?? []).some(
      each => each.restartPolicy !== 'Always' && each.resizePolicy?.some(p => p.restartPolicy === 'RestartContainer'),
    ),
    allowBlockDevicesInUserNamespace:
      old.hostUsers === false && visitContainers(old, Path.root).some(each => each.container.volumeDevices?.length),
  };
}

function violatesKeys(constraint: NonNullable<PodSpec['topologySpreadConstraints']>[number]): boolean {
  const errors: Errors = [];
  checkTopologySpread(errors, Path.root, [{ ...constraint, maxSkew: 1, topologyKey: 'x' }], {
    allowInvalidSelector: true,
  });
  return errors.some(error => error.field.includes('LabelKeys') || error.field.startsWith('[0]['));
}

function checkResourceClaims(
  errors: Errors,
  path: FieldPath,
  claims: readonly PodResourceClaim[],
  isMirror: boolean,
): void {
  const seen = new Set<string>();
  claims.forEach((claim, i) => {
    if (isMirror) {
      errors.push(forbiddenField(Path.root, 'static pods do not support resource claims'));
      return;
    }
    const at = path.index(i);
    const { name = '', resourceClaimName: direct, resourceClaimTemplateName: template } = claim;
    if (!name) errors.push(required(at.child('name')));
    else if (seen.has(name)) errors.push(duplicate(at.child('name'), name));
    else {
      checkDNSLabel(errors, at.child('name'), name);
      seen.add(name);
    }
    const refuse = (text: string): unknown => errors.push(invalidInternal(at, 'core.PodResourceClaim', claim, text));
    if (direct !== undefined && template !== undefined) {
      refuse('at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified');
    }
    if (direct === undefined && template === undefined) {
      refuse('must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    }
    if (direct !== undefined) checkObjectName(errors, at.child('resourceClaimName'), direct);
    if (template !== undefined) checkObjectName(errors, at.child('resourceClaimTemplateName'), template);
  });
}

function checkPodResources(errors: Errors, path: FieldPath, spec: PodSpec, claims: ReadonlySet<string>): void {
  const { resources } = spec;
  if (!resources) return;
  const at = path.child('resources');
  if (spec.os?.name === 'windows') {
    errors.push(forbiddenField(at, 'may not be set for a windows pod'));
    return;
  }
  if (resources.claims) {
    errors.push(forbiddenField(at.child('claims'), 'claims may not be set for Resources at pod-level'));
  }
  checkPodLevelResources(errors, at, resources, { claims });
  checkConsistency(errors, at, spec);
}

/** The pod's own amounts are at least what its containers add up to. */
function checkConsistency(errors: Errors, at: FieldPath, spec: PodSpec): void {
  const { requests = {}, limits = {} } = (spec.resources ?? {}) as Record<string, Record<string, string>>;
  const asked = aggregateRequests(spec);
  for (const name of [...asked.keys()].sort()) {
    const own = requests[name];
    if (own === undefined || asked.get(name)!.compare(parseQuantity(own)) <= 0) continue;
    const text = `must be greater than or equal to aggregate container requests of ${asked.get(name)}`;
    errors.push(invalidValue(at.child('requests').key(name), own, text));
  }
  const allowed = aggregateLimits(spec);
  for (const name of [...allowed.keys()].filter(isHugePage).sort()) {
    const own = limits[name];
    if (own === undefined || allowed.get(name)!.compare(parseQuantity(own)) <= 0) continue;
    const text = `must be greater than or equal to aggregate container limits of ${allowed.get(name)}`;
    errors.push(invalidValue(at.child('limits').key(name), own, text));
  }
  (spec.containers ?? []).forEach((container, i) => {
    const own = (container.resources?.limits ?? {}) as Record<string, string>;
    for (const name of sortedKeys(own)) {
      const limit = limits[name];
      if (limit === undefined || parseQuantity(own[name]!).compare(parseQuantity(limit)) <= 0) continue;
      const text = `must be less than or equal to pod limits of ${limit}`;
      errors.push(invalidValue(at.child('containers').index(i).key(name).child('limits'), own[name], text));
    }
  });
}

function checkHostNetworkPorts(errors: Errors, path: FieldPath, spec: PodSpec, isPod: boolean): void {
  if (!spec.hostNetwork) return;
  (spec.containers ?? []).forEach((container, i) => {
    container.ports?.forEach(({ hostPort = 0, containerPort = 0 }, j) => {
      if ((!isPod && hostPort === 0) || hostPort === containerPort) return;
      const at = path.child('containers').index(i).child('ports').index(j).child('hostPort');
      errors.push(invalidValue(at, hostPort, 'must match `containerPort` when `hostNetwork` is true'));
    });
  });
}

function checkDNSConfig(errors: Errors, path: FieldPath, config: PodDNSConfig | undefined, policy: string): void {
  if (policy === 'None') {
    const text = 'must provide `dnsConfig` when `dnsPolicy` is None';
    if (!config) errors.push(required(path, text));
    else if (!config.nameservers?.length) {
      const need = 'must provide at least one DNS nameserver when `dnsPolicy` is None';
      errors.push(required(path.child('nameservers'), need));
    }
    if (!config?.nameservers?.length) return;
  }
  if (!config) return;
  const { nameservers = [], searches = [] } = config;
  if (nameservers.length > 3) {
    errors.push(invalidValue(path.child('nameservers'), nameservers, 'must not have more than 3 nameservers'));
  }
  nameservers.forEach((address, i) => {
    append(errors, isValidIPForLegacyField(path.child('nameservers').index(i), address));
  });
  const at = path.child('searches');
  if (searches.length > 32) errors.push(invalidValue(at, searches, 'must not have more than 32 search paths'));
  if (byteLength(searches.join(' ')) > 2048) {
    const text = 'must not have more than 2048 characters (including spaces) in the search list';
    errors.push(invalidValue(at, searches, text));
  }
  searches.forEach((search, i) => {
    if (search === '.') return;
    const name = search.endsWith('.') ? search.slice(0, -1) : search;
    refuseEach(errors, at.index(i), name, isDNS1123SubdomainWithUnderscore(name));
  });
  config.options?.forEach((option, i) => {
    if (!option.name) errors.push(required(path.child('options').index(i), 'must not be empty'));
  });
}

function checkGates(errors: Errors, path: FieldPath, spec: PodSpec): void {
  spec.readinessGates?.forEach(({ conditionType = '' }, i) => {
    checkQualifiedName(errors, path.child('readinessGates').index(i).child('conditionType'), conditionType);
  });
  const seen = new Set<string>();
  spec.schedulingGates?.forEach(({ name = '' }, i) => {
    const at = path.child('schedulingGates').index(i);
    checkQualifiedName(errors, at, name);
    if (seen.has(name)) errors.push(duplicate(at, name));
    seen.add(name);
  });
}

function checkHostUsers(errors: Errors, path: FieldPath, spec: PodSpec, allowDevices: boolean): void {
  if (spec.hostUsers !== false) return;
  const text = 'when `hostUsers` is false';
  if (spec.hostNetwork) errors.push(forbiddenField(path.child('hostNetwork'), text));
  if (spec.hostPID) errors.push(forbiddenField(path.child('HostPID'), text));
  if (spec.hostIPC) errors.push(forbiddenField(path.child('HostIPC'), text));
  if (allowDevices) return;
  for (const { container, path: at } of visitContainers(spec, path)) {
    if (container.volumeDevices?.length) errors.push(forbiddenField(at.child('volumeDevices'), text));
  }
}

function checkHostnameOverride(errors: Errors, path: FieldPath, spec: PodSpec): void {
  const name = spec.hostnameOverride;
  if (name === undefined) return;
  const at = path.child('hostnameOverride');
  if (spec.setHostnameAsFQDN) errors.push(forbiddenField(at, 'may not be specified when setHostnameAsFQDN is true'));
  if (spec.hostNetwork) errors.push(forbiddenField(at, 'may not be specified when hostNetwork is true'));
  if (byteLength(name) > 64) errors.push(tooLong(at, 64));
  checkDNSSubdomain(errors, at, name);
}

function checkFileKeyVolumes(errors: Errors, path: FieldPath, spec: PodSpec): void {
  const volumes = new Map((spec.volumes ?? []).map(volume => [volume.name ?? '', volume]));
  for (const { container, path: at } of visitContainers(spec, path)) {
    container.env?.forEach((variable, i) => {
      const reference = variable.valueFrom?.fileKeyRef;
      if (!reference) return;
      const { volumeName = '' } = reference;
      const namePath = at.child('env').index(i).child('valueFrom', 'fileKeyRef', 'volumeName');
      const volume = volumes.get(volumeName);
      if (!volume) errors.push(notFoundValue(namePath, volumeName));
      else if (!volume.emptyDir) {
        errors.push(invalidValue(namePath, volumeName, 'referenced volume must be of type emptyDir'));
      }
    });
  }
}

function checkNames(errors: Errors, path: FieldPath, spec: PodSpec): void {
  if (spec.serviceAccountName) checkObjectName(errors, path.child('serviceAccountName'), spec.serviceAccountName);
  if (spec.nodeName) checkObjectName(errors, path.child('nodeName'), spec.nodeName);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32)) {
    errors.push(invalidValue(path.child('activeDeadlineSeconds'), deadline, inclusiveRangeError(1, maxInt32)));
  }
  if (spec.hostname) checkDNSLabel(errors, path.child('hostname'), spec.hostname);
  if (spec.subdomain) checkDNSLabel(errors, path.child('subdomain'), spec.subdomain);
  checkTolerations(errors, path.child('tolerations'), spec.tolerations);
  spec.hostAliases?.forEach((alias, i) => {
    const at = path.child('hostAliases').index(i);
    append(errors, isValidIPForLegacyField(at.child('ip'), alias.ip ?? ''));
    alias.hostnames?.forEach((hostname, j) => {
      checkDNSSubdomain(errors, at.child('hostnames').index(j), hostname);
    });
  });
  if (spec.priorityClassName) checkObjectName(errors, path.child('priorityClassName'), spec.priorityClassName);
  const runtime = spec.runtimeClassName;
  if (runtime !== undefined)
    refuseEach(errors, path.child('runtimeClassName'), runtime, nameIsDNSSubdomain(runtime, false));
  if (spec.preemptionPolicy !== undefined) {
    checkChoice(errors, path.child('preemptionPolicy'), spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  }
  if (spec.overhead) checkContainerResources(errors, path.child('overhead'), { limits: spec.overhead });
}

/** Everything about a pod's spec that does not need its metadata. */
export function checkPodSpec(errors: Errors, path: FieldPath, spec: PodSpec, options: PodSpecOptions): void {
  const grace = spec.terminationGracePeriodSeconds;
  if (grace === undefined) errors.push(required(path.child('terminationGracePeriodSeconds')));
  const volumes = checkVolumes(errors, path.child('volumes'), spec.volumes ?? [], {
    podName: options.podName ?? '',
    isPod: options.isPod,
    allowNonLocalTokenPath: options.allowNonLocalTokenPath ?? false,
  });
  const claims = new Set((spec.resourceClaims ?? []).map(claim => claim.name ?? '').filter(name => name !== ''));
  checkResourceClaims(errors, path.child('resourceClaims'), spec.resourceClaims ?? [], options.isMirror ?? false);
  const context: ContainerContext = {
    volumes,
    claims,
    grace: grace === undefined ? undefined : Number(grace),
    restartPolicy: spec.restartPolicy ?? '',
    os: spec.os?.name,
    allowPrivileged: options.allowPrivileged,
    hostUsers: spec.hostUsers !== false,
    allowRestartOnResize: options.allowRestartOnResize ?? false,
  };
  const { containers = [], initContainers = [], ephemeralContainers = [] } = spec;
  checkContainers(errors, path.child('containers'), containers, context);
  checkInitContainers(errors, path.child('initContainers'), initContainers, containers, context);
  const others = [...containers, ...initContainers];
  checkEphemeralContainers(errors, path.child('ephemeralContainers'), ephemeralContainers, others, context);
  checkPodResources(errors, path, spec, claims);
  checkPodRest(errors, path, spec, options);
}

function checkPodRest(errors: Errors, path: FieldPath, spec: PodSpec, options: PodSpecOptions): void {
  checkHostNetworkPorts(errors, path, spec, options.isPod);
  checkChoice(errors, path.child('restartPolicy'), spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  const dnsPolicies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];
  checkChoice(errors, path.child('dnsPolicy'), spec.dnsPolicy, dnsPolicies);
  append(errors, validateLabels(spec.nodeSelector, path.child('nodeSelector')));
  const security = spec.securityContext ?? {};
  checkPodSecurityContext(errors, path.child('securityContext'), security, spec, {
    allowAnySELinuxPolicy: options.allowAnySELinuxPolicy ?? false,
  });
  checkAffinity(errors, path.child('affinity'), spec.affinity, {
    selectors: { allowInvalidValues: options.allowInvalidSelectorValues ?? false },
    nodes: { allowInvalidValues: options.allowInvalidNodeAffinityValues ?? false },
  });
  checkDNSConfig(errors, path.child('dnsConfig'), spec.dnsConfig, spec.dnsPolicy ?? '');
  checkGates(errors, path, spec);
  checkTopologySpread(errors, path.child('topologySpreadConstraints'), spec.topologySpreadConstraints, {
    allowInvalidSelector: options.allowInvalidSpreadSelector ?? false,
    unmergedKeys: options.unmergedSpreadKeys ?? false,
  });
  checkWindowsHostProcess(errors, path, spec, options.allowPrivileged);
  checkHostUsers(errors, path, spec, options.allowBlockDevicesInUserNamespace ?? false);
  checkHostnameOverride(errors, path, spec);
  checkNames(errors, path, spec);
  checkOperatingSystem(errors, path, spec);
  const group = spec.schedulingGroup;
  if (group) requireText(errors, path.child('schedulingGroup', 'podGroupName'), group.podGroupName);
  checkFileKeyVolumes(errors, path, spec);
}
