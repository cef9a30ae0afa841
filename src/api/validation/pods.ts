/** Pods: creation, and what an update may change. Upstream: pkg/apis/core/validation (ValidatePodCreate, …Update). */
import {
  type FieldError,
  FieldPath,
  forbiddenField,
  inclusiveRangeError,
  invalidValue,
  required,
  semanticEqual,
} from '#apimachinery';
import type { RuleContext } from '../kind.ts';
import type { Container, NodeAffinity, NodeSelectorTerm, Pod, PodSpec, Toleration } from '../types.ts';
import { type Errors, maxInt32 } from './common.ts';
import { checkImageSpaces } from './containers.ts';
import { internalEqual, internalList, internalText, invalidInternal } from './internal-value.ts';
import { checkPodSpec, ratchetPodSpec } from './pod-specs.ts';
import { appArmorPrefix, checkPodAnnotations, checkProfileAnnotations, mirrorAnnotation } from './pod-templates.ts';
import { checkTolerations } from './scheduling.ts';
import { unifiedDiff } from './unified-diff.ts';

const specPath = FieldPath.of('spec');
const annotationsPath = FieldPath.of('metadata', 'annotations');

/** Metadata's annotations and the spec: what creation and every update check. */
export function checkPod(errors: Errors, pod: Pod, old: Pod | null, context: RuleContext): void {
  const { spec, metadata } = pod;
  const annotations = metadata.annotations ?? {};
  checkPodAnnotations(errors, annotationsPath, annotations, spec);
  checkPodSpec(errors, specPath, spec, {
    ...ratchetPodSpec(old?.spec),
    isPod: true,
    podName: metadata.name ?? '',
    isMirror: annotations[mirrorAnnotation] !== undefined,
    allowPrivileged: context.config.allowPrivileged,
  });
  if (!spec.serviceAccountName) {
    spec.volumes?.forEach((volume, i) => {
      volume.projected?.sources?.forEach((source, j) => {
        if (!source.serviceAccountToken) return;
        const at = specPath.child('volumes').index(i).child('projected', 'sources').index(j);
        const text = 'must not be specified when serviceAccountName is not set';
        errors.push(forbiddenField(at.child('serviceAccountToken'), text));
      });
    });
  }
  for (const field of ['containers', 'initContainers'] as const) {
    spec[field]?.forEach((container, i) => {
      checkImageSpaces(errors, specPath.child(field).index(i), container);
    });
  }
}

export function validatePodCreate(pod: Pod, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  checkPod(errors, pod, null, context);
  const { spec } = pod;
  if (spec.ephemeralContainers?.length) {
    errors.push(forbiddenField(specPath.child('ephemeralContainers'), 'cannot be set on create'));
  }
  if (spec.nodeName && spec.schedulingGates?.length) {
    const text = 'cannot be set until all schedulingGates have been cleared';
    errors.push(forbiddenField(specPath.child('nodeName'), text));
  }
  checkProfileAnnotations(errors, specPath, pod.metadata.annotations ?? {}, spec);
  return errors;
}

export function checkAnnotationUpdates(errors: Errors, pod: Pod, old: Pod): void {
  const now = pod.metadata.annotations ?? {};
  const before = old.metadata.annotations ?? {};
  const refuse = (key: string, verb: string): void => {
    if (key.startsWith(appArmorPrefix)) {
      errors.push(forbiddenField(annotationsPath.key(key), `may not ${verb} AppArmor annotations`));
    }
    if (key === mirrorAnnotation) {
      errors.push(forbiddenField(annotationsPath.key(key), `may not ${verb} mirror pod annotation`));
    }
  };
  for (const key of Object.keys(before)) if (now[key] !== before[key]) refuse(key, 'remove or update');
  for (const key of Object.keys(now)) if (before[key] === undefined) refuse(key, 'add');
  checkPodAnnotations(errors, annotationsPath, now, pod.spec);
}

/** Answers false when containers came or went, which ends the validation. */
function checkContainerUpdates(
  errors: Errors,
  path: FieldPath,
  now: readonly Container[] = [],
  before: readonly Container[] = [],
): boolean {
  if (now.length !== before.length) {
    errors.push(forbiddenField(path, 'pod updates may not add or remove containers'));
    return false;
  }
  now.forEach((container, i) => {
    if (!container.image) errors.push(required(path.index(i).child('image')));
    checkImageSpaces(errors, path.index(i), container);
  });
  return true;
}

/** Answers false when the deadline is wrong or was moved back, which ends the validation. */
function checkDeadline(errors: Errors, now: number | undefined, before: number | undefined): boolean {
  const at = specPath.child('activeDeadlineSeconds');
  if (now !== undefined) {
    if (now < 0 || now > maxInt32) errors.push(invalidValue(at, now, inclusiveRangeError(0, maxInt32)));
    else if (before !== undefined && before < now) {
      errors.push(invalidValue(at, now, 'must be less than or equal to previous value'));
    } else return true;
    return false;
  }
  if (before !== undefined) {
    errors.push(invalidValue(at, null, 'must not update from a positive integer to nil value'));
  }
  return true;
}

function checkAddedTolerations(errors: Errors, now: readonly Toleration[], before: readonly Toleration[]): void {
  const at = specPath.child('tolerations');
  for (const old of before) {
    const kept = now.some(each => semanticEqual({ ...old, tolerationSeconds: each.tolerationSeconds }, each));
    if (kept) continue;
    errors.push(forbiddenField(at, 'existing toleration can not be modified except its tolerationSeconds'));
    return;
  }
  checkTolerations(errors, at, now);
}

function checkDeletedGates(errors: Errors, pod: Pod, old: Pod): void {
  const known = new Set((old.spec.schedulingGates ?? []).map(gate => gate.name));
  // A name that comes twice is told of once, at its last place.
  const added = new Map((pod.spec.schedulingGates ?? []).map(({ name = '' }, i) => [name, i]));
  for (const [name, i] of added) {
    if (known.has(name)) continue;
    const text = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(forbiddenField(specPath.child('schedulingGates').index(i).child('name'), text));
  }
}

function onlyAdds(now: NodeSelectorTerm, before: NodeSelectorTerm): boolean {
  const none = (term: NodeSelectorTerm): boolean => !term.matchExpressions?.length && !term.matchFields?.length;
  if (none(before)) return none(now);
  return (['matchExpressions', 'matchFields'] as const).every(field => {
    const had = before[field] ?? [];
    return semanticEqual((now[field] ?? []).slice(0, had.length), had);
  });
}

const hard = 'requiredDuringSchedulingIgnoredDuringExecution';

function checkAffinityOfGated(errors: Errors, now: NodeAffinity | undefined, before: NodeAffinity | undefined): void {
  const had = before?.[hard]?.nodeSelectorTerms;
  if (!had) return;
  const has = now?.[hard]?.nodeSelectorTerms ?? [];
  const at = specPath.child('affinity', 'nodeAffinity', hard, 'nodeSelectorTerms');
  if (had.length > 0 && had.length !== has.length) {
    const text = 'no additions/deletions to non-empty NodeSelectorTerms list are allowed';
    errors.push(invalidValue(at, internalList('core.NodeSelectorTerm', now?.[hard] && has), text));
    return;
  }
  had.forEach((term, i) => {
    if (onlyAdds(has[i]!, term)) return;
    const text = 'only additions are allowed (no mutations or deletions)';
    errors.push(invalidInternal(at.index(i), 'core.NodeSelectorTerm', has[i], text));
  });
}

/** A pod that waits at a gate may narrow where it will run. Answers the spec with that set back. */
function checkGated(errors: Errors, spec: PodSpec, old: PodSpec): PodSpec {
  let munged = spec;
  if (!semanticEqual(spec.nodeSelector, old.nodeSelector)) {
    for (const [key, value] of Object.entries(old.nodeSelector ?? {})) {
      if (spec.nodeSelector?.[key] === value) continue;
      const text = 'only additions to spec.nodeSelector are allowed (no mutations or deletions)';
      errors.push(invalidValue(specPath.child('nodeSelector'), spec.nodeSelector ?? null, text));
    }
    munged = set(munged, 'nodeSelector', old.nodeSelector);
  }
  const before = old.affinity?.nodeAffinity;
  const now = spec.affinity?.nodeAffinity;
  if (semanticEqual(before, now)) return munged;
  checkAffinityOfGated(errors, now, before);
  const { nodeAffinity: _, ...rest } = munged.affinity ?? {};
  const emptied = Object.keys(rest).length === 0 && old.affinity === undefined;
  return set(munged, 'affinity', emptied ? undefined : { ...rest, ...(before && { nodeAffinity: before }) });
}

/** `object` with the field set, or without it. */
function set<T extends object, K extends keyof T>(object: T, field: K, value: T[K] | undefined): T {
  const { [field]: _, ...rest } = object;
  return (value === undefined ? rest : { ...rest, [field]: value }) as T;
}

const updatable = [
  ...['`spec.containers[*].image`', '`spec.initContainers[*].image`', '`spec.activeDeadlineSeconds`'],
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** The new spec with everything that may change set back to what it was. */
function mungedSpec(errors: Errors, pod: Pod, old: Pod): PodSpec {
  const before = old.spec;
  const sameImages = (now: readonly Container[] | undefined, had: readonly Container[] | undefined) =>
    now?.map((container, i) => set(container, 'image', had?.[i]?.image));
  let spec = set(pod.spec, 'containers', sameImages(pod.spec.containers, before.containers));
  spec = set(spec, 'initContainers', sameImages(spec.initContainers, before.initContainers));
  for (const field of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations'] as const) {
    spec = set(spec, field, before[field] as never);
  }
  if ((before.terminationGracePeriodSeconds ?? 0) < 0 && spec.terminationGracePeriodSeconds === 1) {
    spec = set(spec, 'terminationGracePeriodSeconds', before.terminationGracePeriodSeconds);
  }
  return before.schedulingGates?.length ? checkGated(errors, spec, before) : spec;
}

export function validatePodUpdate(pod: Pod, old: Pod, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  checkPod(errors, pod, old, context);
  checkAnnotationUpdates(errors, pod, old);
  for (const field of ['containers', 'initContainers'] as const) {
    if (!checkContainerUpdates(errors, specPath.child(field), pod.spec[field], old.spec[field])) return errors;
  }
  if (!checkDeadline(errors, pod.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds)) return errors;
  checkAddedTolerations(errors, pod.spec.tolerations ?? [], old.spec.tolerations ?? []);
  checkDeletedGates(errors, pod, old);
  if (internalEqual('core.PodSpec', pod.spec, old.spec)) return errors;
  const munged = mungedSpec(errors, pod, old);
  if (!internalEqual('core.PodSpec', munged, old.spec)) {
    const diff = unifiedDiff(internalText('core.PodSpec', old.spec), internalText('core.PodSpec', munged));
    errors.push(forbiddenField(specPath, `pod updates may not change fields other than ${updatable}\n${diff}`));
  }
  return errors;
}
