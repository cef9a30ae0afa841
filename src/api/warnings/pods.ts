/** Pods and pod templates. Upstream: pkg/api/pod/warnings.go, pkg/registry/core/pod/strategy.go. */
import { FieldPath, goQuote, isDNS1123Label, semanticEqual, warningsForIP } from '#apimachinery';
import { appArmorOf } from '../core/v1/pod/app-armor.ts';
import type { Container, PodAffinity, PodAffinityTerm, PodSpec, PodTemplateSpec, Volume } from '../types.ts';
import { appArmorPrefix } from '../validation/pod-templates.ts';
import { visitContainers } from '../validation/visit-containers.ts';
import { containerPortWarnings } from './container-ports.ts';
import { labelMapWarnings, nodeLabelWarning, selectorTermWarnings } from './node-labels.ts';
import { fractionalBytesWarnings } from './quantities.ts';
import { virtualPathWarnings } from './virtual-paths.ts';
import { claimSpecWarnings } from './volumes.ts';

type Metadata = PodTemplateSpec['metadata'];
const hard = 'requiredDuringSchedulingIgnoredDuringExecution';
const soft = 'preferredDuringSchedulingIgnoredDuringExecution';
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompContainerPrefix = 'container.seccomp.security.alpha.kubernetes.io/';

const annotations: ReadonlyMap<string, string> = new Map([
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
  ['security.alpha.kubernetes.io/unsafe-sysctls', 'non-functional in v1.11+; use the "sysctls" field instead'],
]);

/** Volumes that no longer work, in the order in which upstream asks. */
const volumeKinds: readonly (readonly [keyof Volume, string])[] = [
  ['photonPersistentDisk', 'deprecated in v1.11, non-functional in v1.16+'],
  ['gitRepo', 'deprecated in v1.11, and disabled by default in v1.33+'],
  ['scaleIO', 'deprecated in v1.16, non-functional in v1.22+'],
  ['flocker', 'deprecated in v1.22, non-functional in v1.25+'],
  ['storageos', 'deprecated in v1.22, non-functional in v1.25+'],
  ['quobyte', 'deprecated in v1.22, non-functional in v1.25+'],
  ['glusterfs', 'deprecated in v1.25, non-functional in v1.26+'],
  ['ephemeral', ''],
  ['cephfs', 'deprecated in v1.28, non-functional in v1.31+'],
  ['rbd', 'deprecated in v1.28, non-functional in v1.31+'],
];

function selectionWarnings(path: FieldPath, spec: PodSpec): string[] {
  const affinity = spec.affinity?.nodeAffinity;
  const at = path.child('affinity', 'nodeAffinity');
  return [
    ...labelMapWarnings(spec.nodeSelector, (label, text) => `${path.child('nodeSelector').key(label)}: ${text}`),
    ...(affinity?.[hard]?.nodeSelectorTerms ?? []).flatMap((term, i) =>
      selectorTermWarnings(at.child(hard, 'nodeSelectorTerms').index(i), term, false),
    ),
    ...(affinity?.[soft] ?? []).flatMap(({ preference }, i) =>
      selectorTermWarnings(at.child(soft).index(i).child('preference'), preference ?? {}, true),
    ),
  ];
}

function spreadWarnings(path: FieldPath, spec: PodSpec): string[] {
  return (spec.topologySpreadConstraints ?? []).flatMap(({ topologyKey, labelSelector }, i) => {
    const at = path.child('topologySpreadConstraints').index(i);
    const text = nodeLabelWarning(topologyKey);
    return [
      ...(text === undefined ? [] : [`${at.child('topologyKey')}: ${topologyKey} is ${text}`]),
      ...(labelSelector ? [] : [matchesNothing(at)]),
    ];
  });
}

const matchesNothing = (path: FieldPath): string =>
  `${path.child('labelSelector')}: a null labelSelector results in matching no pod`;

function annotationWarnings(path: FieldPath, metadata: Metadata): string[] {
  return [...annotations].flatMap(([key, text]) =>
    metadata?.annotations?.[key] === undefined ? [] : [`${path.child('annotations').key(key)}: ${text}`],
  );
}

function volumeWarnings(path: FieldPath, volume: Volume): string[] {
  return volumeKinds.flatMap(([kind, text]) => {
    if (volume[kind] === undefined) return [];
    if (kind !== 'ephemeral') return [`${path.child(kind === 'storageos' ? 'storageOS' : kind)}: ${text}`];
    const template = volume.ephemeral?.volumeClaimTemplate;
    return template ? claimSpecWarnings(path.child('ephemeral', 'volumeClaimTemplate', 'spec'), template.spec) : [];
  });
}

/** Values that came before; each with its place. */
function repeated(values: readonly string[], tell: (value: string, at: number) => string): string[] {
  const seen = new Set<string>();
  return values.flatMap((value, i) => {
    if (seen.has(value)) return [tell(value, i)];
    seen.add(value);
    return [];
  });
}

function listWarnings(path: FieldPath, spec: PodSpec): string[] {
  const aliases = (spec.hostAliases ?? []).map(alias => alias.ip ?? '');
  const secrets = (spec.imagePullSecrets ?? []).map(secret => secret.name ?? '');
  const aliasAt = (i: number): FieldPath => path.child('hostAliases').index(i).child('ip');
  const secretAt = (i: number): FieldPath => path.child('imagePullSecrets').index(i).child('name');
  return [
    ...repeated(aliases, (ip, i) => `${aliasAt(i)}: duplicate ip ${goQuote(ip)}`),
    ...repeated(secrets, (name, i) => `${secretAt(i)}: duplicate name ${goQuote(name)}`),
    ...secrets.flatMap((name, i) => (name === '' ? [`${secretAt(i)}: invalid empty name ""`] : [])),
  ];
}

const useField = (path: FieldPath, key: string, since: string, field: string): string =>
  `${path.child('annotations').key(key)}: ${since}; use the "${field}" field instead`;

function environmentWarnings(path: FieldPath, container: Container): string[] {
  const seen = new Set<string>();
  return (container.env ?? []).flatMap(({ name = '', value = '', valueFrom }, i) => {
    if (!seen.has(name)) {
      seen.add(name);
      return [];
    }
    const reference = `$(${name})`;
    if (!valueFrom && value !== reference && value.includes(reference)) return [];
    const text = `hides previous definition of ${goQuote(name)}, which may be dropped when using apply`;
    return [`${path.child('env').index(i)}: ${text}`];
  });
}

function containerWarnings(
  path: FieldPath,
  container: Container,
  place: { readonly metadata: Metadata; readonly metadataPath: FieldPath; readonly template?: PodSpec | undefined },
): string[] {
  const warnings: string[] = [];
  const { metadata, metadataPath, template } = place;
  const { securityContext, resources } = container;
  const seccomp = seccompContainerPrefix + container.name;
  if (!securityContext?.seccompProfile && metadata?.annotations?.[seccomp] !== undefined) {
    warnings.push(useField(metadataPath, seccomp, 'non-functional in v1.27+', 'seccompProfile'));
  }
  const armor = appArmorPrefix + container.name;
  const annotation = metadata?.annotations?.[armor];
  if (template && !securityContext?.appArmorProfile && annotation !== undefined) {
    const ofPod = template.securityContext?.appArmorProfile;
    if (!ofPod || !semanticEqual(ofPod, appArmorOf(annotation))) {
      warnings.push(useField(metadataPath, armor, 'deprecated since v1.30', 'appArmorProfile'));
    }
  }
  for (const name of ['memory', 'ephemeral-storage']) {
    for (const list of ['limits', 'requests'] as const) {
      warnings.push(...fractionalBytesWarnings(path.child('resources', list), resources?.[list], name));
    }
  }
  return [...warnings, ...environmentWarnings(path, container)];
}

function affinityWarnings(path: FieldPath, affinity: PodAffinity | undefined): string[] {
  const missing = (at: FieldPath, term: PodAffinityTerm | undefined): string[] =>
    term?.labelSelector ? [] : [matchesNothing(at)];
  return [
    ...(affinity?.[hard] ?? []).flatMap((term, i) => missing(path.child(hard).index(i), term)),
    ...(affinity?.[soft] ?? []).flatMap((weighted, i) =>
      missing(path.child(soft).index(i).child('podAffinityTerm'), weighted.podAffinityTerm),
    ),
  ];
}

function podWarningsAt(owner: FieldPath, spec: PodSpec, metadata: Metadata, isTemplate: boolean): string[] {
  const path = owner.child('spec');
  const metadataPath = owner.child('metadata');
  const warnings = [
    ...selectionWarnings(path, spec),
    ...spreadWarnings(path, spec),
    ...annotationWarnings(metadataPath, metadata),
    ...(spec.volumes ?? []).flatMap((volume, i) => volumeWarnings(path.child('volumes').index(i), volume)),
    ...virtualPathWarnings(spec.volumes ?? []),
    ...listWarnings(path, spec),
  ];
  for (const name of ['memory', 'ephemeral-storage']) {
    warnings.push(...fractionalBytesWarnings(path.child('overhead'), spec.overhead, name));
  }
  if (!spec.securityContext?.seccompProfile && metadata?.annotations?.[seccompPod] !== undefined) {
    warnings.push(useField(metadataPath, seccompPod, 'non-functional in v1.27+', 'seccompProfile'));
  }
  const place = { metadata, metadataPath, template: isTemplate ? spec : undefined };
  for (const { container, path: at } of visitContainers(spec, path)) {
    warnings.push(...containerWarnings(at, container, place));
  }
  warnings.push(...containerPortWarnings(path, spec));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    const text = 'must be >= 0; negative values are invalid and will be treated as 1';
    warnings.push(`${path.child('terminationGracePeriodSeconds')}: ${text}`);
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    warnings.push(...affinityWarnings(path.child('affinity', kind), spec.affinity?.[kind]));
  }
  spec.dnsConfig?.nameservers?.forEach((address, i) => {
    warnings.push(...warningsForIP(path.child('dnsConfig', 'nameservers').index(i), address));
  });
  spec.hostAliases?.forEach((alias, i) => {
    warnings.push(...warningsForIP(path.child('hostAliases').index(i).child('ip'), alias.ip ?? ''));
  });
  return warnings;
}

/** A name that is no DNS label cannot be a hostname; `use` says where it becomes one. */
export function hostnameWarnings(name: string | undefined, use: string): string[] {
  const texts = isDNS1123Label(name ?? '');
  if (texts.length === 0) return [];
  const effect = 'which can result in surprising behavior; a DNS label is recommended';
  return [`metadata.name: this is used in ${use}, ${effect}: [${texts.join(' ')}]`];
}

/** Of a pod that is created; updates of pods say nothing. */
export function podWarnings(pod: { readonly metadata: Metadata; readonly spec: PodSpec }): string[] {
  return [
    ...hostnameWarnings(pod.metadata?.name, "the Pod's hostname"),
    ...podWarningsAt(FieldPath.root, pod.spec, pod.metadata, false),
  ];
}

export function podTemplateWarnings(path: FieldPath, template: PodTemplateSpec | undefined): string[] {
  return template?.spec ? podWarningsAt(path, template.spec, template.metadata, true) : [];
}
