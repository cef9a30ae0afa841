/** PersistentVolumeClaims. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/persistentvolumeclaim. */
import {
  type Draft,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isQualifiedName,
  notSupported,
  parseQuantity,
  required,
  selectorHasInvalidLabelValue,
  semanticEqual,
} from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import { keepStatus } from '../../../strategies.ts';
import type { PersistentVolumeClaim, PersistentVolumeClaimSpec } from '../../../types.ts';
import { checkImmutable, type Errors, refuseEach, sortedKeys } from '../../../validation/common.ts';
import { internalText } from '../../../validation/internal-value.ts';
import { checkClaimSpec } from '../../../validation/persistent-volume-claims.ts';
import { checkBasicResource, checkQuantityValue, isNativeResource } from '../../../validation/resources.ts';
import { unifiedDiff } from '../../../validation/unified-diff.ts';

const path = FieldPath.of('spec');
const betaClass = 'volume.beta.kubernetes.io/storage-class';

/** One data source is the other, seen from before and after there were volume populators. */
function normalizeSources(spec: Draft<PersistentVolumeClaimSpec>): void {
  const { dataSource, dataSourceRef } = spec;
  if (dataSource && !dataSourceRef) spec.dataSourceRef = { ...dataSource };
  else if (dataSourceRef && !dataSource && !dataSourceRef.namespace) {
    const { namespace: _, ...local } = dataSourceRef;
    spec.dataSource = local;
  }
}

function prepare(spec: Draft<PersistentVolumeClaimSpec>, old: PersistentVolumeClaimSpec | undefined): void {
  if (spec.dataSourceRef?.namespace && !old?.dataSourceRef) delete spec.dataSourceRef;
  const { dataSource } = spec;
  if (!old?.dataSource && !old?.dataSourceRef && !spec.dataSourceRef && dataSource) {
    const isClaim = dataSource.kind === 'PersistentVolumeClaim' && !dataSource.apiGroup;
    const isSnapshot = dataSource.kind === 'VolumeSnapshot' && dataSource.apiGroup === 'snapshot.storage.k8s.io';
    if (!isClaim && !isSnapshot) delete spec.dataSource;
  }
  normalizeSources(spec);
}

const size = (claim: PersistentVolumeClaim): string => claim.spec.resources?.requests?.['storage'] ?? '0';

/** The new spec with everything that may change set back. */
function munged(
  claim: PersistentVolumeClaim,
  old: PersistentVolumeClaim,
): { now: object; before: object; upgraded: boolean } {
  const now = structuredClone(claim.spec) as Draft<PersistentVolumeClaimSpec>;
  const before = structuredClone(old.spec) as Draft<PersistentVolumeClaimSpec>;
  normalizeSources(before);
  if (!before.volumeName) {
    if (now.volumeName) before.volumeName = now.volumeName;
    else delete before.volumeName;
  }
  const annotated = old.metadata.annotations?.[betaClass];
  const kept = claim.metadata.annotations?.[betaClass];
  const fromNothing = before.storageClassName === undefined && now.storageClassName !== undefined;
  const upgraded =
    annotated !== undefined && fromNothing && now.storageClassName === annotated && (kept ?? annotated) === annotated;
  if (upgraded) delete now.storageClassName;
  else if (fromNothing && (annotated === undefined || now.storageClassName === annotated)) delete now.storageClassName;
  if (claim.status?.phase === 'Bound') {
    if (now.resources?.requests) now.resources.requests['storage'] = size(old);
    if (before.volumeAttributesClassName === undefined) delete now.volumeAttributesClassName;
    else now.volumeAttributesClassName = before.volumeAttributesClassName;
  }
  return { now, before, upgraded };
}

function checkUpdate(errors: Errors, claim: PersistentVolumeClaim, old: PersistentVolumeClaim): void {
  const { now, before, upgraded } = munged(claim, old);
  if (!upgraded) {
    const value = claim.metadata.annotations?.[betaClass] ?? '';
    if (value !== (old.metadata.annotations?.[betaClass] ?? '')) {
      errors.push(invalidValue(FieldPath.of('metadata', 'annotations', betaClass), value, 'field is immutable'));
    }
  }
  if (!semanticEqual(now, before)) {
    const type = 'core.PersistentVolumeClaimSpec';
    const diff = unifiedDiff(internalText(type, before), internalText(type, now));
    const text = `spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims\n${diff}`;
    errors.push(forbiddenField(path, text));
  }
  const wanted = parseQuantity(size(claim));
  if (wanted.compare(parseQuantity(size(old))) < 0) {
    const have = parseQuantity(old.status?.capacity?.['storage'] ?? '0');
    const at = path.child('resources', 'requests', 'storage');
    if (wanted.compare(have) <= 0) errors.push(forbiddenField(at, 'field can not be less than status.capacity'));
  }
  checkImmutable(errors, FieldPath.of('volumeMode'), claim.spec.volumeMode, old.spec.volumeMode);
  const attributes = claim.spec.volumeAttributesClassName;
  if (attributes === old.spec.volumeAttributesClassName || old.status?.currentVolumeAttributesClassName === undefined)
    return;
  const at = path.child('volumeAttributesClassName');
  const when = 'is forbidden when status.currentVolumeAttributesClassName is not nil';
  if (attributes === undefined) errors.push(forbiddenField(at, `update to nil ${when}`));
  else if (attributes === '') errors.push(forbiddenField(at, `update to empty string ${when}`));
}

function validate(claim: PersistentVolumeClaim, old: PersistentVolumeClaim | null): FieldError[] {
  const errors: Errors = [];
  const group = old?.spec.dataSource?.apiGroup ?? old?.spec.dataSourceRef?.apiGroup;
  checkClaimSpec(errors, path, claim.spec, {
    allowInvalidSelectorValues: selectorHasInvalidLabelValue(old?.spec.selector),
    allowInvalidAPIGroup: group !== undefined,
  });
  if (old) checkUpdate(errors, claim, old);
  return errors;
}

const status = FieldPath.of('status');
const resizeStatuses = [
  ...['ControllerResizeInProgress', 'ControllerResizeInfeasible'],
  ...['NodeResizeInProgress', 'NodeResizeInfeasible', 'NodeResizePending'],
];

/** Names of resources that a claim may have: storage, or one with a domain that is not Kubernetes's. */
function checkResourceKey(errors: Errors, at: FieldPath, name: string): boolean {
  const texts = isQualifiedName(name);
  refuseEach(errors, at, name, texts);
  if (texts.length > 0) return false;
  if (!isNativeResource(name) || name === 'storage') return true;
  errors.push(notSupported(at, name, ['storage']));
  return false;
}

function validateStatus(claim: PersistentVolumeClaim): FieldError[] {
  const errors: Errors = [];
  const { capacity = {}, allocatedResources = {}, allocatedResourceStatuses = {} } = claim.status ?? {};
  if (!claim.spec.accessModes?.length) errors.push(required(FieldPath.of('Spec', 'accessModes')));
  for (const name of sortedKeys(capacity)) {
    checkBasicResource(errors, status.child('capacity').key(name), capacity[name]!);
  }
  for (const name of sortedKeys(allocatedResourceStatuses)) {
    const at = status.child('allocatedResourceStatuses');
    checkResourceKey(errors, at, name);
    if (!resizeStatuses.includes(allocatedResourceStatuses[name]!)) errors.push(notSupported(at, name, resizeStatuses));
  }
  for (const name of sortedKeys(allocatedResources)) {
    const at = status.child('allocatedResources');
    if (!checkResourceKey(errors, at, name)) continue;
    const before = errors.length;
    checkBasicResource(errors, at.key(name), allocatedResources[name]!);
    if (errors.length === before) checkQuantityValue(errors, at.key(name), 'storage', allocatedResources[name]!);
  }
  return errors;
}

export const persistentVolumeClaimRules: KindRules<PersistentVolumeClaim> = {
  defaults(draft) {
    const { spec } = draft;
    spec.volumeMode ??= 'Filesystem';
    roundResources(spec.resources?.limits);
    roundResources(spec.resources?.requests);
    draft.status ??= {};
    if (!draft.status.phase) draft.status.phase = 'Pending';
  },
  prepareCreate(draft) {
    draft.status = { phase: 'Pending' };
    prepare(draft.spec, undefined);
  },
  prepareUpdate(draft, old) {
    keepStatus(draft, old);
    prepare(draft.spec, old.spec);
  },
  validate,
  validateStatus,
  allowUnconditionalUpdate: true,
};
