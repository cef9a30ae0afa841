/**
 * Custom resource definitions.
 * Deviation: schemas, selectable fields and columns' paths are not checked here.
 * Upstream: apiextensions-apiserver pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go},
 * pkg/registry/customresourcedefinition/strategy.go.
 */
import {
  type Draft,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isDNS1035Label,
  isDNS1123Subdomain,
  nameIsDNSSubdomain,
  required,
  semanticEqual,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepStatus } from '../../../strategies.ts';
import type { CustomResourceDefinition } from '../../../types.ts';
import { checkChoice, checkImmutable, type Errors, requireText } from '../../../validation/common.ts';
import { checkClientConfig } from '../../../validation/webhooks.ts';

type Spec = CustomResourceDefinition['spec'];
type Names = Spec['names'];
type Version = Spec['versions'][number];
type Column = NonNullable<Version['additionalPrinterColumns']>[number];
type Conversion = NonNullable<Spec['conversion']>;

const path = FieldPath.of('spec');
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const reviewVersions = ['v1', 'v1beta1'];

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

function checkColumn(errors: Errors, at: FieldPath, column: Column): void {
  const types = `must be one of ${columnTypes.join(',')}`;
  requireText(errors, at.child('name'), column.name);
  if (requireText(errors, at.child('type'), column.type, types) && !columnTypes.includes(column.type)) {
    errors.push(invalidValue(at.child('type'), column.type, types));
  }
  if (column.format && !columnFormats.includes(column.format)) {
    errors.push(invalidValue(at.child('format'), column.format, `must be one of ${columnFormats.join(',')}`));
  }
  requireText(errors, at.child('JSONPath'), column.jsonPath);
}

function checkVersion(errors: Errors, at: FieldPath, version: Version): void {
  const { deprecated, deprecationWarning: warning } = version;
  const warningAt = at.child('deprecationWarning');
  if (!deprecated && warning !== undefined) {
    errors.push(invalidValue(warningAt, warning, 'can only be set for deprecated versions'));
  } else if (warning !== undefined) {
    if (Buffer.byteLength(warning) > 256) {
      errors.push(invalidValue(warningAt, warning, 'must be <= 256 characters long'));
    }
    if (warning === '') errors.push(invalidValue(warningAt, warning, 'must not be an empty string'));
  }
  version.additionalPrinterColumns?.forEach((column, i) => {
    checkColumn(errors, at.child('additionalPrinterColumns').index(i), column);
  });
}

function checkReviewVersions(errors: Errors, at: FieldPath, versions: readonly string[]): void {
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
  if (!versions.some(version => reviewVersions.includes(version))) {
    errors.push(invalidValue(at, versions, `must include at least one of ${reviewVersions.join(', ')}`));
  }
}

function checkConversion(errors: Errors, at: FieldPath, conversion: Conversion): void {
  const { strategy, webhook } = conversion;
  checkChoice(errors, at.child('strategy'), strategy, ['None', 'Webhook']);
  const configAt = at.child('webhookClientConfig');
  const versionsAt = at.child('conversionReviewVersions');
  if (strategy === 'Webhook') {
    const config = webhook?.clientConfig;
    if (!config) errors.push(required(configAt, 'required when strategy is set to Webhook'));
    else checkClientConfig(errors, configAt, config, 'exactly one of url or service is required');
    checkReviewVersions(errors, versionsAt, webhook?.conversionReviewVersions ?? []);
    return;
  }
  const text = 'should not be set when strategy is not set to Webhook';
  if (webhook?.clientConfig) errors.push(forbiddenField(configAt, text));
  if (webhook?.conversionReviewVersions?.length) errors.push(forbiddenField(versionsAt, text));
}

function checkGroup(errors: Errors, group: string): void {
  const at = path.child('group');
  if (!group) {
    errors.push(required(at));
    return;
  }
  const texts = isDNS1123Subdomain(group);
  refuseJoined(errors, at, group, texts);
  if (texts.length === 0 && !group.includes('.')) {
    errors.push(invalidValue(at, group, 'should be a domain with at least one dot'));
  }
}

function checkSpec(errors: Errors, spec: Spec): void {
  const versions = spec.versions ?? [];
  const names = spec.names ?? ({} as Names);
  checkGroup(errors, spec.group);
  checkChoice(errors, path.child('scope'), spec.scope, ['Cluster', 'Namespaced']);
  const versionsAt = path.child('versions');
  versions.forEach(({ schema }, i) => {
    if (!schema?.openAPIV3Schema) errors.push(required(versionsAt.index(i).child('schema', 'openAPIV3Schema')));
  });
  versions.forEach((version, i) => {
    refuseJoined(errors, versionsAt.index(i).child('name'), version.name ?? '', isDNS1035Label(version.name ?? ''));
    checkVersion(errors, versionsAt.index(i), version);
  });
  if (new Set(versions.map(({ name }) => name)).size < versions.length) {
    errors.push(invalidValue(versionsAt, versions, 'must contain unique version names'));
  }
  if (versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(
      invalidValue(
        versionsAt,
        spec.versions?.length ? versions : null,
        'must have exactly one version marked as storage version',
      ),
    );
  }
  for (const name of ['plural', 'singular', 'kind', 'listKind'] as const) {
    requireText(errors, path.child('names', name), names[name]);
  }
  checkNames(errors, path.child('names'), names);
  if (spec.conversion) checkConversion(errors, path.child('conversion'), spec.conversion);
}

function checkStored(errors: Errors, { spec, status }: CustomResourceDefinition): void {
  const at = FieldPath.of('status', 'storedVersions');
  const stored = status?.storedVersions ?? [];
  if (stored.length === 0) {
    errors.push(invalidValue(at, null, 'must have at least one stored version'));
    return;
  }
  stored.forEach((name, i) => {
    if (spec.versions?.some(version => version.name === name)) return;
    const text =
      `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions ` +
      `until a storage migration ensures no data remains persisted in ${name} and removes ${name} from ` +
      'status.storedVersions';
    errors.push(invalidValue(at.index(i), name, text));
  });
}

function validate(definition: CustomResourceDefinition): FieldError[] {
  const errors: Errors = [];
  const { group = '', names } = definition.spec;
  const { name = '' } = definition.metadata;
  const at = FieldPath.of('metadata', 'name');
  for (const text of nameIsDNSSubdomain(name, false)) errors.push(invalidValue(at, name, text));
  if (name !== `${names?.plural ?? ''}.${group}`) {
    errors.push(invalidValue(at, name, 'must be spec.names.plural+"."+spec.group'));
  }
  checkSpec(errors, definition.spec);
  checkStored(errors, definition);
  return errors;
}

/** The storage version counts as stored from the moment it is written. */
function addStored(draft: Draft<CustomResourceDefinition>): void {
  const name = draft.spec.versions?.find(({ storage }) => storage)?.name;
  if (name === undefined) return;
  draft.status ??= {} as NonNullable<typeof draft.status>;
  const stored = (draft.status!.storedVersions ??= []);
  if (!stored.includes(name)) stored.push(name);
}

export const customResourceDefinitionRules: KindRules<CustomResourceDefinition> = {
  defaults({ spec, status, metadata: _ }) {
    spec.names ??= {} as typeof spec.names;
    spec.names.singular ||= (spec.names.kind ?? '').toLowerCase();
    if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`;
    spec.conversion ??= { strategy: 'None' };
    const service = spec.conversion.webhook?.clientConfig?.service;
    if (service) service.port ??= 443;
    const stored = spec.versions?.find(({ storage }) => storage)?.name;
    if (status && !status.storedVersions?.length && stored) status.storedVersions = [stored];
  },
  prepareCreate(draft) {
    delete draft.status;
    draft.metadata.generation = 1;
    addStored(draft);
  },
  prepareUpdate(draft, old) {
    keepStatus(draft, old);
    const changed = !semanticEqual(draft.spec, old.spec);
    draft.metadata.generation = (old.metadata.generation ?? 0) + (changed ? 1 : 0);
    addStored(draft);
  },
  prepareStatus(draft, old) {
    draft.spec = structuredClone(old.spec) as typeof draft.spec;
  },
  validate(now, before) {
    const errors = validate(now);
    if (!before) return errors;
    if (before.status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True')) {
      checkImmutable(errors, path.child('scope'), now.spec.scope, before.spec.scope);
      checkImmutable(errors, path.child('names', 'kind'), now.spec.names.kind, before.spec.names.kind);
    }
    checkImmutable(errors, path.child('group'), now.spec.group, before.spec.group);
    checkImmutable(errors, path.child('names', 'plural'), now.spec.names.plural, before.spec.names.plural);
    return errors;
  },
  allowUnconditionalUpdate: false,
};
