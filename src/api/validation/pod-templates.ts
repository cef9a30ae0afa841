/**
 * Pod templates, and what a pod's annotations say about its spec. Upstream: pkg/apis/core/validation
 * (ValidatePodTemplateSpec, ValidatePodSpecificAnnotations, validateSeccompAnnotationsAndFields …).
 */
import {
  append,
  type FieldPath,
  forbiddenField,
  goQuote,
  InputError,
  invalidValue,
  type ObjectMeta,
  readJson,
  validateAnnotations,
  validateLabels,
} from '#apimachinery';
import { builtinTypes } from '../tables.ts';
import type { PodSpec, PodTemplateSpec, SeccompProfile, Toleration } from '../types.ts';
import { checkLocalDescendingPath, type Errors } from './common.ts';
import { checkPodSpec, type PodSpecOptions } from './pod-specs.ts';
import { checkTolerations } from './scheduling.ts';
import { visitContainers } from './visit-containers.ts';

type Annotations = Readonly<Record<string, string>>;

export const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
export const mirrorAnnotation = 'kubernetes.io/config.mirror';
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod';
const seccompPrefix = 'container.seccomp.security.alpha.kubernetes.io/';
const tolerationsKey = 'scheduler.alpha.kubernetes.io/tolerations';
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost';

function isInt32(text: string): boolean {
  if (!/^(?:0|-?[1-9][0-9]*)$/.test(text)) return false;
  return Math.abs(Number(text)) <= 2147483647 || text === '-2147483648';
}

function checkSeccompText(errors: Errors, path: FieldPath, profile: string): void {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(profile)) return;
  if (profile.startsWith('localhost/')) checkLocalDescendingPath(errors, path, profile.slice('localhost/'.length));
  else errors.push(invalidValue(path, profile, 'must be a valid seccomp profile'));
}

function checkTolerationsAnnotation(errors: Errors, path: FieldPath, text: string): void {
  let tolerations: readonly Toleration[];
  try {
    const element = builtinTypes.struct('io.k8s.api.core.v1.Toleration');
    tolerations = (readJson(text, { kind: 'list', element }).value as readonly Toleration[] | undefined) ?? [];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    errors.push(invalidValue(path, tolerationsKey, error.message));
    return;
  }
  checkTolerations(errors, path.child(tolerationsKey), tolerations);
}

/** Annotations that stand for fields of the spec. */
export function checkPodAnnotations(errors: Errors, path: FieldPath, annotations: Annotations, spec: PodSpec): void {
  const mirror = annotations[mirrorAnnotation];
  if (mirror !== undefined && !spec.nodeName) {
    const text = 'must set spec.nodeName if mirror pod annotation is set';
    errors.push(invalidValue(path.key(mirrorAnnotation), mirror, text));
  }
  const tolerations = annotations[tolerationsKey];
  if (tolerations) checkTolerationsAnnotation(errors, path, tolerations);
  const cost = annotations[deletionCost];
  if (cost !== undefined && !isInt32(cost)) {
    errors.push(invalidValue(path.key(deletionCost), cost, 'must be a 32bit integer'));
  }
  const seccomp = annotations[seccompPod];
  if (seccomp !== undefined) checkSeccompText(errors, path.child(seccompPod), seccomp);
  const keys = Object.keys(annotations).sort();
  for (const key of keys)
    if (key.startsWith(seccompPrefix)) checkSeccompText(errors, path.child(key), annotations[key]!);
  for (const key of keys)
    if (key.startsWith(appArmorPrefix)) checkAppArmorText(errors, path, key, annotations[key]!, spec);
}

function checkAppArmorText(errors: Errors, path: FieldPath, key: string, profile: string, spec: PodSpec): void {
  const name = key.slice(appArmorPrefix.length);
  if (!visitContainers(spec, path).some(({ container }) => container.name === name)) {
    errors.push(invalidValue(path.key(key), name, 'container not found'));
  }
  if (['', 'runtime/default', 'unconfined'].includes(profile) || profile.startsWith('localhost/')) return;
  errors.push(invalidValue(path.key(key), profile, `invalid AppArmor profile name: ${goQuote(profile)}`));
}

const seccompTexts: Readonly<Record<string, readonly string[]>> = {
  Unconfined: ['unconfined'],
  RuntimeDefault: ['runtime/default', 'docker/default'],
};
const appArmorTexts: Readonly<Record<string, readonly string[]>> = {
  Unconfined: ['unconfined'],
  RuntimeDefault: ['runtime/default'],
};

interface Profile {
  readonly type: string;
  readonly localhostProfile?: string;
}

/** An annotation and a field may both name a profile only when it is the same. */
function checkMatch(
  errors: Errors,
  path: FieldPath,
  kind: 'seccomp' | 'apparmor',
  annotation: string | undefined,
  profile: Profile | undefined,
): void {
  if (annotation === undefined || profile === undefined) return;
  const known = (kind === 'seccomp' ? seccompTexts : appArmorTexts)[profile.type];
  const typeDiffers = `${kind} type in annotation and field must match`;
  if (known) {
    if (!known.includes(annotation)) errors.push(forbiddenField(path.child('type'), typeDiffers));
  } else if (profile.type === 'Localhost') {
    if (!annotation.startsWith('localhost/')) errors.push(forbiddenField(path.child('type'), typeDiffers));
    else if (annotation.slice('localhost/'.length) !== profile.localhostProfile) {
      errors.push(forbiddenField(path.child('localhostProfile'), `${kind} profile in annotation and field must match`));
    }
  }
}

/** Profiles in annotations against those in fields: on creation of pods, and in templates. */
export function checkProfileAnnotations(
  errors: Errors,
  path: FieldPath,
  annotations: Annotations,
  spec: PodSpec,
): void {
  const own: SeccompProfile | undefined = spec.securityContext?.seccompProfile;
  checkMatch(errors, path.child('securityContext', 'seccompProfile'), 'seccomp', annotations[seccompPod], own);
  const visited = visitContainers(spec, path);
  for (const { container, path: at } of visited) {
    const profile = container.securityContext?.seccompProfile;
    const text = annotations[seccompPrefix + container.name];
    checkMatch(errors, at.child('securityContext', 'seccompProfile'), 'seccomp', text, profile);
  }
  if (spec.os?.name === 'windows') return;
  for (const { container, path: at } of visited) {
    const profile = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    const text = annotations[appArmorPrefix + container.name];
    checkMatch(errors, at.child('securityContext', 'appArmorProfile'), 'apparmor', text, profile);
  }
}

/** A template of pods, without what its controller asks of it. */
export function checkPodTemplate(
  errors: Errors,
  path: FieldPath,
  template: PodTemplateSpec | undefined,
  options: Omit<PodSpecOptions, 'isPod'>,
): void {
  const metadata: ObjectMeta = template?.metadata ?? {};
  const spec = template?.spec ?? ({} as PodSpec);
  const annotations = metadata.annotations ?? {};
  append(errors, validateLabels(metadata.labels, path.child('labels')));
  append(errors, validateAnnotations(metadata.annotations, path.child('annotations')));
  checkPodAnnotations(errors, path.child('annotations'), annotations, spec);
  checkPodSpec(errors, path.child('spec'), spec, { ...options, isPod: false });
  checkProfileAnnotations(errors, path.child('spec'), annotations, spec);
  if (spec.ephemeralContainers?.length) {
    const at = path.child('spec', 'ephemeralContainers');
    errors.push(forbiddenField(at, 'ephemeral containers not allowed in pod template'));
  }
}
