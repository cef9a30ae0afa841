/** AppArmor profiles in the annotations that older clients write. Upstream: pkg/api/pod/util.go, pod/strategy.go. */
import { type Draft, FieldPath } from '#apimachinery';
import type { AppArmorProfile, Container, Pod } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { appArmorPrefix } from '../../../validation/pod-templates.ts';
import { checkAppArmor } from '../../../validation/security-contexts.ts';

/** The field that says the same; undefined for what no field can say. */
export function appArmorOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation.startsWith('localhost/')) return undefined;
  const localhostProfile = annotation.slice('localhost/'.length);
  return localhostProfile === '' ? undefined : { type: 'Localhost', localhostProfile };
}

/** Whether validation would take it. */
function isValid(profile: AppArmorProfile): boolean {
  const errors: Errors = [];
  checkAppArmor(errors, FieldPath.root, profile);
  return errors.length === 0;
}

/** Fills the fields that a new pod states in annotations only, and tells that these will not be read for ever. */
export function applyAppArmorAnnotations(
  pod: Draft<Pod>,
  containers: readonly Draft<Container>[],
  warn: (text: string) => void,
): void {
  if (pod.spec.os?.name === 'windows') return;
  const ofPod = pod.spec.securityContext?.appArmorProfile;
  for (const container of containers) {
    const key = appArmorPrefix + container.name;
    const annotation = pod.metadata.annotations?.[key];
    if (annotation === undefined || container.securityContext?.appArmorProfile) continue;
    const wanted = appArmorOf(annotation);
    const profile = wanted && isValid(wanted) ? wanted : undefined;
    if (profile && ofPod && same(profile, ofPod as AppArmorProfile)) continue;
    if (profile) {
      container.securityContext ??= {};
      container.securityContext.appArmorProfile = { ...profile };
    }
    const path = FieldPath.of('metadata', 'annotations').key(key);
    warn(`${path}: deprecated since v1.30; use the "appArmorProfile" field instead`);
  }
}

function same(a: AppArmorProfile, b: AppArmorProfile): boolean {
  return a.type === b.type && a.localhostProfile === b.localhostProfile;
}
