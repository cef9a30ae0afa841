/**
 * Refusals of definitions, in upstream's order.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go.
 * Deviation: versions that are stored but no longer in the spec are refused in their order, where upstream walks a map.
 */
import {
  append,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isDNS1035Label,
  isDNS1123Subdomain,
  required,
  semanticEqual,
} from '#apimachinery';
import {
  hasDefaults,
  hasExtensions,
  leniencyOf,
  RuleValidator,
  ruleChecker,
  type SchemaLeniency,
  validateOpenAPIV3Schema,
} from '#apimachinery/schema';
import { builtinTypes } from '../../../tables.ts';
import type { CustomResourceDefinition } from '../../../types.ts';
import { checkChoice, checkImmutable, type Errors, requireText } from '../../../validation/common.ts';
import { checkClientConfig } from '../../../validation/webhooks.ts';
import { checkApproval } from './approval.ts';
import { caBundleFault } from './ca-bundle.ts';
import {
  type InternalSpec,
  internalSpec,
  printedVersions,
  type SelectableField,
  type Shared,
  schemasOf,
} from './internal.ts';
import {
  checkColumn,
  checkDeprecation,
  checkSelectableFields,
  checkSubresources,
  maxSelectableFields,
} from './versions.ts';

type Spec = CustomResourceDefinition['spec'];
type Names = Partial<Spec['names']>;
type Conversion = NonNullable<Spec['conversion']>;

const path = FieldPath.of('spec');
const reviewVersions = ['v1', 'v1beta1'];

/** What an update may leave as it was, although a new definition may not have it so. */
interface Options {
  readonly lenient?: SchemaLeniency;
  readonly withoutSchema: boolean;
  readonly anyReviewVersion: boolean;
  readonly anyCaBundle: boolean;
  readonly old: InternalSpec | undefined;
  /** Versions whose schemas stand as they were. */
  readonly unchanged: ReadonlySet<string>;
}

export function isEstablished(crd: CustomResourceDefinition): boolean {
  return crd.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false;
}

/** Refusals of a new definition, or of one that replaces `old`. */
export function validateDefinition(crd: CustomResourceDefinition, old: CustomResourceDefinition | null): FieldError[] {
  const errors: Errors = [];
  if (!old) checkName(errors, crd);
  const options = optionsOf(crd, old);
  checkSpec(errors, crd.spec, needsStructure(crd.spec) ? structural(options) : options);
  if (old) checkChange(errors, crd, old);
  append(errors, validateDefinitionStatus(crd));
  checkStored(errors, crd);
  append(errors, checkApproval(crd, old));
  if (crd.spec.preserveUnknownFields && !old?.spec.preserveUnknownFields) {
    const text =
      'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead';
    errors.push(invalidValue(path.child('preserveUnknownFields'), true, text));
  }
  return errors;
}

/** Refusals of a write to the status. */
export function validateDefinitionStatus({ status }: CustomResourceDefinition): FieldError[] {
  const errors: Errors = [];
  checkNames(errors, FieldPath.of('status', 'acceptedNames'), status?.acceptedNames ?? {});
  return errors;
}

function optionsOf(crd: CustomResourceDefinition, old: CustomResourceDefinition | null): Options {
  const none = new Set<string>();
  if (!old)
    return { unchanged: none, withoutSchema: false, anyReviewVersion: false, anyCaBundle: true, old: undefined };
  const before = internalSpec(old.spec);
  const { conversion } = old.spec;
  const versions = conversion?.webhook?.conversionReviewVersions ?? [];
  const caBundle = conversion?.webhook?.clientConfig?.caBundle;
  const schemas = schemasOf(before);
  return {
    lenient: leniencyOf(schemas),
    withoutSchema:
      !before.validation?.openAPIV3Schema && before.versions.some(each => !each.validation?.openAPIV3Schema),
    anyReviewVersion: versions.length > 0 && !versions.some(version => reviewVersions.includes(version)),
    anyCaBundle: !isEstablished(old) || (Boolean(caBundle) && caBundleFault(caBundle!) !== undefined),
    old: before,
    unchanged: unchangedSchemas(crd, old),
  };
}

/** What was not structural may not stay so where unknown fields are pruned, or more is said than such schemas can. */
function needsStructure(spec: Spec): boolean {
  const schemas = schemasOf(internalSpec(spec));
  return !spec.preserveUnknownFields || schemas.some(hasDefaults) || schemas.some(hasExtensions);
}

function structural({ lenient, ...options }: Options): Options {
  return { ...options, ...(lenient && { lenient: { ...lenient, structural: false } }) };
}

function unchangedSchemas({ spec }: CustomResourceDefinition, old: CustomResourceDefinition): Set<string> {
  const same = (spec.versions ?? []).filter(({ name, schema }) => {
    const before = old.spec.versions.find(each => each.name === name);
    return before !== undefined && semanticEqual(schema, before.schema);
  });
  return new Set(same.map(({ name }) => name));
}

function checkName(errors: Errors, { metadata, spec }: CustomResourceDefinition): void {
  const wanted = `${spec.names?.plural ?? ''}.${spec.group ?? ''}`;
  for (const key of ['generateName', 'name'] as const) {
    const name = metadata[key] ?? '';
    if (name === '' || name === wanted) continue;
    errors.push(invalidValue(FieldPath.of('metadata', key), name, 'must be spec.names.plural+"."+spec.group'));
  }
}

function refuseJoined(errors: Errors, at: FieldPath, value: string, texts: readonly string[], before = ''): void {
  if (texts.length > 0) errors.push(invalidValue(at, value, before + texts.join(',')));
}

function checkNames(errors: Errors, at: FieldPath, names: Names): void {
  const { plural, singular, kind, listKind } = names;
  const mixed = 'may have mixed case, but should otherwise match: ';
  if (plural) refuseJoined(errors, at.child('plural'), plural, isDNS1035Label(plural));
  if (singular) refuseJoined(errors, at.child('singular'), singular, isDNS1035Label(singular));
  if (kind) refuseJoined(errors, at.child('kind'), kind, isDNS1035Label(kind.toLowerCase()), mixed);
  if (listKind) refuseJoined(errors, at.child('listKind'), listKind, isDNS1035Label(listKind.toLowerCase()), mixed);
  names.shortNames?.forEach((name, i) => {
    refuseJoined(errors, at.child('shortNames').index(i), name, isDNS1035Label(name));
  });
  if (kind && kind === listKind) {
    errors.push(invalidValue(at.child('listKind'), listKind, 'kind and listKind may not be the same'));
  }
  names.categories?.forEach((name, i) => {
    refuseJoined(errors, at.child('categories').index(i), name, isDNS1035Label(name));
  });
}

function checkGroup(errors: Errors, group: string): void {
  const at = path.child('group');
  if (!requireText(errors, at, group)) return;
  const texts = isDNS1123Subdomain(group);
  refuseJoined(errors, at, group, texts);
  if (texts.length === 0 && !group.includes('.')) {
    errors.push(invalidValue(at, group, 'should be a domain with at least one dot'));
  }
}

function checkSpec(errors: Errors, spec: Spec, options: Options): void {
  const own = internalSpec(spec);
  const names: Names = spec.names ?? {};
  const { preserveUnknownFields: preserve } = spec;
  checkGroup(errors, spec.group ?? '');
  checkChoice(errors, path.child('scope'), spec.scope, ['Cluster', 'Namespaced']);
  checkSchemasGiven(errors, spec, own, options);
  if (preserve && schemasOf(own).some(hasDefaults)) {
    const text = 'must be false in order to use defaults in the schema';
    errors.push(invalidValue(path.child('preserveUnknownFields'), true, text));
  }
  checkVersions(errors, spec, own, options);
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) {
    requireText(errors, path.child('names', name), names[name]);
  }
  checkNames(errors, path.child('names'), names);
  const anyStatus = [own, ...own.versions].some(each => each.subresources?.status);
  checkSchema(errors, path.child('validation'), own, {
    options,
    status: anyStatus,
    version: own.versions[0]?.facts.name,
  });
  checkSubresources(errors, path.child('subresources'), own.subresources);
  own.columns?.forEach((column, i) => checkColumn(errors, path.child('additionalPrinterColumns').index(i), column));
  checkSelectable(errors, path, own, options.old?.selectableFields, {
    missing: 'may only be set when validations.schema is included',
  });
  if (spec.conversion) checkConversion(errors, path.child('conversion'), spec.conversion, spec, options);
}

/** Without a schema everything would be pruned. */
function checkSchemasGiven(errors: Errors, spec: Spec, own: InternalSpec, options: Options): void {
  if (own.validation?.openAPIV3Schema || (options.withoutSchema && spec.preserveUnknownFields)) return;
  own.versions.forEach(({ facts, validation }, i) => {
    if (validation?.openAPIV3Schema || (options.withoutSchema && !facts.served)) return;
    const at = path.child('versions').index(i).child('schema', 'openAPIV3Schema');
    errors.push(required(at, options.withoutSchema ? 'because otherwise all fields are pruned' : ''));
  });
}

function checkVersions(errors: Errors, spec: Spec, own: InternalSpec, options: Options): void {
  const at = path.child('versions');
  own.versions.forEach((version, i) => {
    const { facts } = version;
    const place = at.index(i);
    const perVersion = own.versions.some(each => each.subresources);
    const status = Boolean((perVersion ? version : own).subresources?.status);
    refuseJoined(errors, place.child('name'), facts.name ?? '', isDNS1035Label(facts.name ?? ''));
    checkDeprecation(errors, place, facts);
    checkSchema(errors, place.child('schema'), version, { options, status, version: facts.name });
    checkSubresources(errors, place.child('subresources'), version.subresources);
    version.columns?.forEach((column, n) => {
      checkColumn(errors, place.child('additionalPrinterColumns').index(n), column);
    });
    const before = options.old?.versions.find(each => each.facts.name === facts.name)?.selectableFields;
    checkSelectable(errors, place, version, before, {
      missing: 'may only be set when `version.schema.openAPIV3Schema` is not included',
    });
  });
  const refuse = (text: string): void => {
    errors.push(invalidValue(at, printedVersions(spec, own), text));
  };
  const names = own.versions.map(({ facts }) => facts.name);
  if (new Set(names).size < names.length) refuse('must contain unique version names');
  if (own.versions.filter(({ facts }) => facts.storage).length !== 1) {
    refuse('must have exactly one version marked as storage version');
  }
  // The internal type repeats the first version's name above the versions.
  const [first] = names;
  if (first) refuseJoined(errors, path.child('version'), first, isDNS1035Label(first));
}

function checkSchema(
  errors: Errors,
  at: FieldPath,
  { validation }: Shared,
  { options, status, version }: { options: Options; status: boolean; version: string | undefined },
): void {
  const schema = validation?.openAPIV3Schema;
  if (!schema) return;
  const objectMeta = builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');
  const found = validateOpenAPIV3Schema(schema, at.child('openAPIV3Schema'), {
    objectMeta,
    statusSubresource: status,
    ...(options.lenient && { lenient: options.lenient }),
    rules: root => ruleChecker(root, { expressionsAccepted: version !== undefined && options.unchanged.has(version) }),
    checkDefaultRules: (part, value, place) => {
      const rules = RuleValidator.of(part.raw, part.raw === schema);
      const updated = rules?.validate(value, value, { path: place }) ?? [];
      return updated.length > 0 ? updated : (rules?.validate(value, undefined, { path: place }) ?? []);
    },
  });
  append(errors, found);
}

function checkSelectable(
  errors: Errors,
  at: FieldPath,
  { validation, selectableFields }: Shared,
  before: readonly SelectableField[] | undefined,
  { missing }: { missing: string },
): void {
  if (!selectableFields?.length) return;
  const place = at.child('selectableFields');
  const schema = validation?.openAPIV3Schema;
  if (!schema) {
    errors.push(invalidValue(place, '', missing));
    return;
  }
  const asBefore = (before?.length ?? 0) > maxSelectableFields && semanticEqual(before, selectableFields);
  checkSelectableFields(errors, place, selectableFields, schema, asBefore);
}

function checkReviewVersions(errors: Errors, at: FieldPath, versions: readonly string[], anyVersion: boolean): void {
  if (versions.length === 0) {
    errors.push(required(at));
    return;
  }
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) {
      errors.push(invalidValue(at.index(i), version, 'duplicate version'));
      return;
    }
    for (const text of isDNS1035Label(version)) errors.push(invalidValue(at.index(i), version, text));
  });
  if (!anyVersion && !versions.some(version => reviewVersions.includes(version))) {
    errors.push(invalidValue(at, versions, `must include at least one of ${reviewVersions.join(', ')}`));
  }
}

function checkConversion(errors: Errors, at: FieldPath, conversion: Conversion, spec: Spec, options: Options): void {
  const { strategy, webhook } = conversion;
  if (spec.preserveUnknownFields && strategy !== 'None') {
    const text = 'must be None if spec.preserveUnknownFields is true';
    errors.push(invalidValue(at.child('strategy'), strategy, text));
  }
  checkChoice(errors, at.child('strategy'), strategy, ['None', 'Webhook']);
  const configAt = at.child('webhookClientConfig');
  const versionsAt = at.child('conversionReviewVersions');
  if (strategy === 'Webhook') {
    const config = webhook?.clientConfig;
    if (!config) errors.push(required(configAt, 'required when strategy is set to Webhook'));
    else checkClientConfig(errors, configAt, config, 'exactly one of url or service is required');
    const fault = config?.caBundle && !options.anyCaBundle ? caBundleFault(config.caBundle) : undefined;
    if (fault) errors.push(invalidValue(configAt.child('caBundle'), config!.caBundle, fault));
    checkReviewVersions(errors, versionsAt, webhook?.conversionReviewVersions ?? [], options.anyReviewVersion);
    return;
  }
  const text = 'should not be set when strategy is not set to Webhook';
  if (webhook?.clientConfig) errors.push(forbiddenField(configAt, text));
  if (webhook?.conversionReviewVersions?.length) errors.push(forbiddenField(versionsAt, text));
}

function checkStored(errors: Errors, { spec, status }: CustomResourceDefinition): void {
  const at = FieldPath.of('status', 'storedVersions');
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) {
    errors.push(invalidValue(at, status?.storedVersions ?? null, 'must have at least one stored version'));
    return;
  }
  const versions = spec.versions ?? [];
  // A version named twice is found the first time only.
  const left = new Set(stored);
  for (const { name = '', storage } of versions) {
    if (!left.delete(name) && storage) {
      errors.push(invalidValue(at, stored, `must have the storage version ${name}`));
    }
  }
  stored.forEach((name, i) => {
    if (versions.some(version => (version.name ?? '') === name)) return;
    const text =
      `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions ` +
      `until a storage migration ensures no data remains persisted in ${name} and removes ${name} from ` +
      'status.storedVersions';
    errors.push(invalidValue(at.index(i), name, text));
  });
}

function checkChange(errors: Errors, { spec }: CustomResourceDefinition, old: CustomResourceDefinition): void {
  const before = old.spec;
  if (isEstablished(old)) {
    checkImmutable(errors, path.child('scope'), spec.scope ?? '', before.scope);
    checkImmutable(errors, path.child('names', 'kind'), spec.names?.kind ?? '', before.names.kind);
  }
  checkImmutable(errors, path.child('group'), spec.group ?? '', before.group);
  checkImmutable(errors, path.child('names', 'plural'), spec.names?.plural ?? '', before.names.plural);
}
