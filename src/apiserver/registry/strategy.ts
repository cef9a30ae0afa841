/**
 * A kind's rules with upstream's generic ones where it has none: what happens to an object before it is validated and
 * stored. Upstream: apiserver pkg/registry/rest/{create,update,meta}.go, the strategies under pkg/registry.
 */

import type { KindRules, RuleContext } from '#api/kind';
import {
  append,
  conflict,
  type Draft,
  type FieldError,
  FieldPath,
  formatTime,
  goQuote,
  invalid,
  invalidValue,
  type KubeObject,
  type NameValidator,
  nameIsDNSSubdomain,
  optimisticLockText,
  parseApiVersion,
  StatusError,
  semanticEqual,
  validateKubeFinalizers,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validatePathSegmentName,
  withoutEmptyContainers,
} from '#apimachinery';
import { apiVersionText, type ServedResource } from '../scheme/resource.ts';

const metadataPath = FieldPath.of('metadata');
const maxGeneratedNameLength = 63;
const randomLength = 5;

/** Groups whose names are only checked to be one segment of a path, whatever the kind's own rules say. */
const pathNameGroups = new Set(['rbac.authorization.k8s.io', 'apiregistration.k8s.io']);

function defaultNameOf({ group }: ServedResource): NameValidator {
  return pathNameGroups.has(group) ? validatePathSegmentName : nameIsDNSSubdomain;
}

/** `base` and five random characters, cut to 63. Upstream: storage/names/generate.go. */
export function generatedName(base: string, random: RuleContext['random']): string {
  return base.slice(0, maxGeneratedNameLength - randomLength) + random.suffix(randomLength);
}

function hasSubresource(resource: ServedResource, name: string): boolean {
  return resource.subresources.some(subresource => subresource.name === name);
}

/** Fields that only the server sets are taken away from what a client sent to be created. */
export function wipeSystemFields(object: Draft<KubeObject>): void {
  const { metadata } = object;
  delete metadata.creationTimestamp;
  delete metadata.uid;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.selfLink;
}

export function fillSystemFields(object: Draft<KubeObject>, context: RuleContext): void {
  object.metadata.creationTimestamp = formatTime(context.nowMs);
  object.metadata.uid = context.random.uuid();
}

/** Sets apart what is new, refuses what is wrong; afterwards the object may be stored. Throws a 422 StatusError. */
export function beforeCreate(
  resource: ServedResource,
  object: Draft<KubeObject>,
  context: RuleContext,
  warn: (text: string) => void,
): void {
  const { rules } = resource;
  const { metadata } = object;
  if (resource.namespaced) metadata.namespace = context.namespace;
  else delete metadata.namespace;
  if (rules.generation) metadata.generation = 1;
  if (rules.prepareCreate) rules.prepareCreate(object, context);
  else if (hasSubresource(resource, 'status')) delete object['status'];
  const kindErrors = customKindErrors(resource, object);
  if (kindErrors.length > 0)
    refuse(resource, object, rules.validate?.(object as KubeObject, null, { ...context, kindErrors }) ?? kindErrors);
  const metaErrors = rules.metaRule === 'none' ? [] : ownMetaErrors(resource, metadata);
  const told = metaErrors.length === 0 ? context : { ...context, metaErrors };
  refuse(resource, object, [...metaErrors, ...(rules.validate?.(object as KubeObject, null, told) ?? [])]);
  // What holds for all kinds comes last, so that the kind's own texts are shown where it has any.
  refuse(resource, object, validateObjectMeta(metadata, resource.namespaced, validatePathSegmentName, metadataPath));
  for (const text of rules.warnings?.(object as KubeObject, null, context) ?? []) warn(text);
  rules.canonicalize?.(object);
}

/** The same for an object that replaces `old`, on the main resource or a subresource. */
export function beforeUpdate(
  resource: ServedResource,
  object: Draft<KubeObject>,
  old: KubeObject,
  context: RuleContext,
  warn: (text: string) => void,
): void {
  const { rules } = resource;
  const { metadata } = object;
  if (resource.namespaced) metadata.namespace ??= context.namespace;
  else delete metadata.namespace;
  if (old.metadata.generation === undefined) delete metadata.generation;
  else metadata.generation = old.metadata.generation;
  if (context.subresource === 'status') prepareStatus(resource, object, old, context);
  else prepareUpdate(resource, object, old, context);
  const special = rules.subresources?.[context.subresource];
  keepSystemFields(object, old);
  const isStatus = context.subresource === 'status';
  const errors: FieldError[] = [
    ...validateObjectMeta(metadata, resource.namespaced, validatePathSegmentName, metadataPath),
    ...validateObjectMetaUpdate(metadata, old.metadata, metadataPath),
  ];
  // Once for all kinds, and once more by the kind's own validation: upstream tells both.
  const next = object as KubeObject;
  const kindErrors = customKindErrors(resource, object);
  if (kindErrors.length > 0) {
    refuse(resource, object, [...errors, ...(rules.validate?.(next, old, { ...context, kindErrors }) ?? kindErrors)]);
  }
  const own = (): FieldError[] => {
    if (isStatus) return rules.validateStatus?.(next, old, context) ?? [];
    return (special ? special.validate?.(next, old, context) : rules.validate?.(next, old, context)) ?? [];
  };
  const looks = (isStatus ? rules.metaOnStatus : (special ?? rules).metaOnUpdate) ?? ['change'];
  for (const look of looks.includes('own' as never) ? looks : [...looks, 'own' as const]) {
    if (look === 'own') append(errors, own());
    else if (look === 'full') append(errors, ownMetaErrors(resource, metadata));
    else {
      append(errors, validateObjectMetaUpdate(metadata, old.metadata, metadataPath));
      append(errors, finalizerErrors(resource, metadata));
    }
  }
  if (!isStatus && !special) append(errors, rules.validateChange?.(next, old, context) ?? []);
  refuse(resource, object, errors);
  for (const text of updateWarnings(rules, next, old, context)) warn(text);
  rules.canonicalize?.(object);
}

/** What a kind says of its metadata, the name by its own rules. */
function ownMetaErrors(resource: ServedResource, metadata: KubeObject['metadata']): FieldError[] {
  const validateName = resource.rules.validateName ?? defaultNameOf(resource);
  return [
    ...validateObjectMeta(metadata, resource.namespaced, validateName, metadataPath),
    ...finalizerErrors(resource, metadata),
  ];
}

function finalizerErrors({ rules }: ServedResource, { finalizers }: KubeObject['metadata']): FieldError[] {
  return rules.metaRule === 'core' ? validateKubeFinalizers(finalizers, metadataPath.child('finalizers')) : [];
}

function updateWarnings(rules: KindRules, object: KubeObject, old: KubeObject, context: RuleContext): string[] {
  if (context.subresource === 'status') return rules.statusWarnings?.(object, old, context) ?? [];
  return context.subresource === '' ? (rules.warnings?.(object, old, context) ?? []) : [];
}

function prepareUpdate(
  resource: ServedResource,
  object: Draft<KubeObject>,
  old: KubeObject,
  context: RuleContext,
): void {
  const { rules } = resource;
  const special = rules.subresources?.[context.subresource];
  const early = typeof rules.generation === 'object' && rules.generation.early;
  const rises = early && generationRises(resource, object as KubeObject, old, context);
  if (special) special.prepare(object, old, context);
  else if (rules.prepareUpdate) rules.prepareUpdate(object, old, context);
  else if (hasSubresource(resource, 'status') && context.subresource === '') keepField(object, old, 'status');
  if (early ? rises : rules.generation && generationRises(resource, object as KubeObject, old, context)) {
    object.metadata.generation = (old.metadata.generation ?? 0) + 1;
  }
}

function prepareStatus(
  resource: ServedResource,
  object: Draft<KubeObject>,
  old: KubeObject,
  context: RuleContext,
): void {
  if (resource.rules.prepareStatus) {
    resource.rules.prepareStatus(object, old, context);
    return;
  }
  for (const key of new Set([...Object.keys(object), ...Object.keys(old)])) {
    if (key !== 'status' && key !== 'metadata' && key !== 'kind' && key !== 'apiVersion') keepField(object, old, key);
  }
}

function keepField(object: Draft<KubeObject>, old: KubeObject, key: string): void {
  if (old[key] === undefined) delete object[key];
  else object[key] = structuredClone(old[key]);
}

function generationRises(
  { rules, struct, custom }: ServedResource,
  sent: KubeObject,
  old: KubeObject,
  context: RuleContext,
): boolean {
  // Custom resources are stored as they are, empty maps and all.
  const exact = custom || (typeof rules.generation === 'object' && rules.generation.exact);
  const object = exact ? sent : withoutEmptyContainers(sent, struct);
  if (typeof rules.generation === 'object') return rules.generation.changed(object, old, context);
  const ignored = new Set(['kind', 'apiVersion', 'metadata', 'status']);
  const keys = new Set([...Object.keys(object), ...Object.keys(old)].filter(key => !ignored.has(key)));
  for (const key of keys) if (!semanticEqual(object[key], old[key])) return true;
  return false;
}

function keepSystemFields(object: Draft<KubeObject>, old: KubeObject): void {
  const { metadata } = object;
  if (!metadata.uid && old.metadata.uid) metadata.uid = old.metadata.uid;
  if (old.metadata.creationTimestamp) metadata.creationTimestamp = old.metadata.creationTimestamp;
  if (old.metadata.deletionTimestamp) metadata.deletionTimestamp = old.metadata.deletionTimestamp;
  if (old.metadata.deletionGracePeriodSeconds !== undefined && metadata.deletionGracePeriodSeconds === undefined) {
    metadata.deletionGracePeriodSeconds = old.metadata.deletionGracePeriodSeconds;
  }
}

/** What a body of a custom kind claims to be must be that kind. Upstream: customresource/validator.go ValidateTypeMeta. */
function customKindErrors(resource: ServedResource, object: Draft<KubeObject>): FieldError[] {
  if (!resource.custom) return [];
  const { kind = '', apiVersion = '' } = object;
  const own = apiVersionText(resource);
  const errors: FieldError[] = [];
  if (kind !== resource.kind) errors.push(invalidValue(FieldPath.of('kind'), kind, `must be ${resource.kind}`));
  if (apiVersion !== own) errors.push(invalidValue(FieldPath.of('apiVersion'), apiVersion, `must be ${own}`));
  return errors;
}

function refuse(resource: ServedResource, object: Draft<KubeObject>, errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  // A custom object is named as it names itself, right or wrong.
  const { kind, group } = resource.custom ? { ...object, ...parseApiVersion(object.apiVersion) } : resource;
  throw invalid({ group, kind }, object.metadata.name ?? '', errors);
}

/** Upstream's store has no better answer for a version that is none than 500. */
export function checkVersionIsNumber({ metadata }: Draft<KubeObject>): void {
  const sent = metadata.resourceVersion ?? '';
  const wrong = !/^\d*$/.test(sent)
    ? 'invalid syntax'
    : sent !== '' && BigInt(sent) >= 2n ** 64n
      ? 'value out of range'
      : '';
  if (wrong === '') return;
  throw new StatusError({ code: 500, message: `strconv.ParseUint: parsing ${goQuote(sent)}: ${wrong}` });
}

/** Settles the resourceVersion that an update was sent with: takes the current one, or refuses. */
export function checkResourceVersion(
  resource: ServedResource,
  object: Draft<KubeObject>,
  old: KubeObject,
  requestResource: { group: string; resource: string },
): void {
  const { metadata } = object;
  const sent = metadata.resourceVersion ?? '';
  checkVersionIsNumber(object);
  if (sent === '' || sent === '0') {
    if (resource.rules.allowUnconditionalUpdate === false) {
      throw invalid({ group: requestResource.group, kind: requestResource.resource }, metadata.name ?? '', [
        {
          type: 'FieldValueInvalid',
          field: 'metadata.resourceVersion',
          body: 'Invalid value: 0: must be specified for an update',
        },
      ]);
    }
    if (old.metadata.resourceVersion) metadata.resourceVersion = old.metadata.resourceVersion;
    return;
  }
  if (sent !== old.metadata.resourceVersion) {
    throw conflict(requestResource, metadata.name ?? '', optimisticLockText);
  }
}
