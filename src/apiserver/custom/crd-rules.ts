/**
 * Rules of CustomResourceDefinitions: names completed, schemas checked. Upstream: apiextensions-apiserver
 * pkg/apis/apiextensions/{v1/defaults.go,validation}, pkg/registry/customresourcedefinition/strategy.go.
 */
import type { KindRules } from '#api/kind';
import { builtinTypes } from '#api/tables';
import type { CustomResourceDefinition } from '#api/types';
import {
  type FieldError,
  FieldPath,
  invalidValue,
  isDNS1035Label,
  required,
  semanticEqual,
  validateImmutableField,
} from '#apimachinery';
import { type JsonSchema, validateOpenAPIV3Schema } from '#apimachinery/schema';

const spec = FieldPath.of('spec');
const objectMeta = () => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

export const crdRules: KindRules = {
  defaults(draft) {
    const crd = draft as unknown as { spec?: { names?: Record<string, string>; conversion?: object; scope?: string } };
    const names = crd.spec?.names;
    if (!crd.spec || !names) return;
    if (!names['singular']) names['singular'] = (names['kind'] ?? '').toLowerCase();
    if (!names['listKind'] && names['kind']) names['listKind'] = `${names['kind']}List`;
    crd.spec.conversion ??= { strategy: 'None' };
  },
  prepareCreate(draft) {
    const crd = draft as unknown as CustomResourceDefinition & { status?: object };
    const stored = (crd.spec?.versions ?? []).filter(version => version.storage).map(version => version.name);
    draft['status'] = { storedVersions: stored, conditions: [], acceptedNames: { plural: '', kind: '' } };
  },
  prepareUpdate(draft, old) {
    const crd = draft as unknown as CustomResourceDefinition;
    const status = structuredClone(old['status'] ?? {}) as { storedVersions?: string[] };
    for (const { storage, name } of crd.spec?.versions ?? []) {
      if (storage && !status.storedVersions?.includes(name)) (status.storedVersions ??= []).push(name);
    }
    draft['status'] = status;
  },
  generation: true,
  validate(object, old) {
    const crd = object as unknown as CustomResourceDefinition;
    return [
      ...(old ? [] : validateName(crd)),
      ...validateSpec(crd),
      ...(old ? validateChange(crd, old as unknown as CustomResourceDefinition) : []),
    ];
  },
};

function validateName({ metadata, spec: own }: CustomResourceDefinition): FieldError[] {
  const wanted = `${own?.names?.plural ?? ''}.${own?.group ?? ''}`;
  if (metadata.name === wanted) return [];
  const text = 'must be spec.names.plural+"."+spec.group';
  return [invalidValue(FieldPath.of('metadata', 'name'), metadata.name ?? '', text)];
}

function validateSpec({ spec: own }: CustomResourceDefinition): FieldError[] {
  const errors: FieldError[] = [];
  const { group = '', names, scope, versions = [] } = own ?? {};
  if (group === '') errors.push(required(spec.child('group')));
  else if (!group.includes('.'))
    errors.push(invalidValue(spec.child('group'), group, 'should be a domain with at least one dot'));
  if (!scope) errors.push(required(spec.child('scope')));
  const storing = versions.filter(version => version.storage).length;
  if (storing !== 1) {
    const text = 'must have exactly one version marked as storage version';
    errors.push(invalidValue(spec.child('versions'), versions, text));
  }
  for (const key of ['plural', 'singular', 'kind', 'listKind'] as const) {
    const value = names?.[key];
    const path = spec.child('names', key);
    if (!value) errors.push(required(path));
    else for (const text of isDNS1035Label(value.toLowerCase())) errors.push(invalidValue(path, value, text));
  }
  // Upstream's internal type holds a schema that all versions share above them.
  const [first, ...others] = versions.map(version => version.schema?.openAPIV3Schema);
  const shared = first !== undefined && others.every(each => semanticEqual(each, first));
  for (const [at, version] of versions.entries()) {
    const path = spec.child('versions').index(at);
    const schema = version.schema?.openAPIV3Schema as JsonSchema | undefined;
    const statusSubresource = version.subresources?.status !== undefined;
    const schemaPath = shared ? spec.child('validation', 'openAPIV3Schema') : path.child('schema', 'openAPIV3Schema');
    if (!schema) errors.push(required(schemaPath));
    else if (!shared || at === 0)
      errors.push(...validateOpenAPIV3Schema(schema, schemaPath, { objectMeta: objectMeta(), statusSubresource }));
  }
  return errors;
}

function validateChange(now: CustomResourceDefinition, old: CustomResourceDefinition): FieldError[] {
  const established = old.status?.conditions?.some(each => each.type === 'Established' && each.status === 'True');
  if (!established) return [];
  return [
    ...validateImmutableField(now.spec?.group, old.spec.group, spec.child('group')),
    ...validateImmutableField(now.spec?.scope, old.spec.scope, spec.child('scope')),
    ...validateImmutableField(now.spec?.names?.kind, old.spec.names.kind, spec.child('names', 'kind')),
    ...validateImmutableField(now.spec?.names?.plural, old.spec.names.plural, spec.child('names', 'plural')),
  ];
}
