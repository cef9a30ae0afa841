/**
 * Custom resource definitions. Upstream: apiextensions-apiserver pkg/apis/apiextensions/v1/defaults.go,
 * pkg/registry/customresourcedefinition/strategy.go.
 */
import { type Draft, goQuote, semanticEqual } from '#apimachinery';
import { unrecognizedFormats } from '#apimachinery/schema';
import type { KindRules } from '../../../kind.ts';
import { keepStatus } from '../../../strategies.ts';
import type { CustomResourceDefinition } from '../../../types.ts';
import { internalSpec, schemasOf } from './internal.ts';
import { validateDefinition, validateDefinitionStatus } from './validation.ts';

/** The storage version counts as stored from the moment it is written. */
function addStored(draft: Draft<CustomResourceDefinition>): void {
  const version = draft.spec.versions?.find(({ storage }) => storage);
  if (version === undefined) return;
  const { name = '' } = version;
  draft.status ??= {} as NonNullable<typeof draft.status>;
  const stored = (draft.status!.storedVersions ??= []);
  if (!stored.includes(name)) stored.push(name);
}

const formatsOf = ({ spec }: CustomResourceDefinition): string[] =>
  schemasOf(internalSpec(spec)).flatMap(unrecognizedFormats);

export const customResourceDefinitionRules: KindRules<CustomResourceDefinition> = {
  defaults(draft) {
    draft.spec ??= {} as typeof draft.spec;
    const { spec, status } = draft;
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
  validate: validateDefinition,
  validateStatus: validateDefinitionStatus,
  warnings(crd, old) {
    const before = new Set(old ? formatsOf(old) : []);
    return formatsOf(crd)
      .filter(format => !before.has(format))
      .map(format => `unrecognized format ${goQuote(format)}`);
  },
  allowUnconditionalUpdate: false,
};
