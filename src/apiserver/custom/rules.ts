/**
 * What custom resources of one version may hold, and what a write leaves as it was. Upstream: apiextensions-apiserver
 * pkg/registry/customresource/{strategy,status_strategy,validator}.go.
 */
import type { KindRules, RuleContext } from '#api/kind';
import type { CustomResourceDefinition } from '#api/types';
import {
  type Draft,
  type FieldError,
  FieldPath,
  forbidden,
  goPrint,
  goQuote,
  invalidValue,
  isQualifiedName,
  type KubeObject,
  semanticEqual,
} from '#apimachinery';
import {
  type JsonSchema,
  RuleValidator,
  SchemaValidator,
  type Structural,
  validateEmbedded,
  validateListTypes,
} from '#apimachinery/schema';
import type { ScalePaths } from '../scheme/resource.ts';
import type { CelMetrics } from './cel-metrics.ts';
import type { CustomCodec } from './codec.ts';
import type { SelectedFields } from './selectable.ts';

type Version = CustomResourceDefinition['spec']['versions'][number];

/** Where warnings go, and what stood against the object before. */
type Said = Pick<RuleContext, 'warn' | 'metaErrors' | 'kindErrors'>;

export interface CustomRulesDeps {
  readonly version: Version;
  /** As errors name the resource. */
  readonly about: { readonly group: string; readonly resource: string };
  readonly schema: Structural | undefined;
  readonly codec: CustomCodec;
  readonly selectable: SelectedFields | undefined;
  /** Whether the definition is going. */
  readonly terminating: () => boolean;
  readonly cel: CelMetrics;
}

/** Refusals after which CEL rules cannot be asked. */
const blocking = new Set([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);
const unchecked =
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';

const whileTerminating = 'create not allowed while custom resource definition is terminating';

export function customRules(deps: CustomRulesDeps): KindRules {
  const { version, schema, codec, selectable, cel } = deps;
  const hasStatus = Boolean(version.subresources?.status);
  const scale = version.subresources?.scale;
  const raw = version.schema?.openAPIV3Schema as JsonSchema | undefined;
  const whole = raw && new SchemaValidator(raw);
  const statusSchema = raw?.properties?.['status'];
  const status = statusSchema && new SchemaValidator(statusSchema);
  const rules = raw && cel.compiled(() => RuleValidator.of(raw, true));
  const root = schema && { ...schema, embeddedResource: true };

  const withRules = (
    errors: FieldError[],
    object: KubeObject,
    old: KubeObject | null,
    { warn, metaErrors = [] }: Said,
  ): FieldError[] => {
    if (!rules) return errors;
    if ([...metaErrors, ...errors].some(({ type }) => blocking.has(type))) {
      return [...errors, invalidValue(FieldPath.root, null, unchecked)];
    }
    const ask = () => rules.validate(object, old, { ratchet: true, ...(warn && { warn }) });
    return [...errors, ...cel.evaluated(ask)];
  };
  const listTypes = (object: KubeObject, old: KubeObject | null): FieldError[] => {
    const errors = validateListTypes(object, root, FieldPath.root);
    return errors.length > 0 && old && validateListTypes(old, root, FieldPath.root).length > 0 ? [] : errors;
  };
  const validate = (object: KubeObject, old: KubeObject | null, said: Said): FieldError[] => {
    const bySchema = (): FieldError[] => [
      ...(whole?.validate(object, { path: FieldPath.root, ...(old && { old }) }) ?? []),
      ...(scale ? [...checkSpecReplicas(object, scale), ...checkScaleStatus(object, scale)] : []),
    ];
    const errors = [
      ...(said.kindErrors ?? bySchema()),
      ...validateEmbedded(object, schema, FieldPath.root, false),
      ...listTypes(object, old),
    ];
    return withRules(errors, object, old, said);
  };
  const validateStatus = (object: KubeObject, old: KubeObject, said: Said): FieldError[] => {
    const now = object['status'];
    const before = old['status'];
    const errors = [
      ...(status && now !== undefined
        ? status.validate(now, { path: FieldPath.of('status'), ...(before !== undefined && { old: before }) })
        : []),
      ...(scale ? checkScaleStatus(object, scale) : []),
      ...listTypes(object, old),
    ];
    return withRules(errors, object, old, said);
  };
  return {
    defaults: codec.defaults,
    validate,
    validateStatus,
    warnings: (object, old) => finalizerWarnings(object, old),
    generation: { changed: (now, old) => changed(now, old, hasStatus) },
    prepareCreate(draft) {
      if (deps.terminating()) throw forbidden(deps.about, draft.metadata.name ?? '', whileTerminating);
      if (hasStatus) delete draft['status'];
    },
    prepareUpdate(draft, old) {
      if (hasStatus) keep(draft, old, 'status');
    },
    prepareStatus,
    ...(selectable && { selectableFields: selectable }),
    allowUnconditionalUpdate: false,
  };
}

/** Nothing but the status changes, and who owns which fields. */
function prepareStatus(draft: Draft<KubeObject>, old: KubeObject): void {
  const { metadata } = draft;
  for (const key of new Set([...Object.keys(metadata), ...Object.keys(old.metadata)])) {
    if (key !== 'managedFields' && key !== 'resourceVersion') keep(metadata, old.metadata, key);
  }
  for (const key of new Set([...Object.keys(draft), ...Object.keys(old)])) {
    if (key !== 'status' && key !== 'metadata') keep(draft, old, key);
  }
}

function keep(draft: object, old: object, key: string): void {
  const value = (old as Readonly<Record<string, unknown>>)[key];
  if (value === undefined) delete (draft as Record<string, unknown>)[key];
  else (draft as Record<string, unknown>)[key] = structuredClone(value);
}

/** Anything but metadata, and but status where that is a subresource. */
function changed(now: KubeObject, old: KubeObject, hasStatus: boolean): boolean {
  const keys = new Set([...Object.keys(now), ...Object.keys(old)]);
  keys.delete('metadata');
  if (hasStatus) keys.delete('status');
  return [...keys].some(key => !semanticEqual(now[key], old[key]));
}

/** What stands at a path of plain names; `fault` is what Go's accessor says when it cannot. */
function at(object: KubeObject, text: string): { readonly value?: unknown; readonly fault?: string } {
  const steps = text.replace(/^\./, '').split('.');
  const shown = `.${steps.join('.')}`;
  let value: unknown = object;
  for (const step of steps) {
    if (value === null) return {};
    if (typeof value !== 'object' || Array.isArray(value)) {
      return { fault: mistyped(shown, value, 'map[string]interface{}') };
    }
    if (!Object.hasOwn(value, step)) return {};
    value = (value as Record<string, unknown>)[step];
  }
  return { value };
}

function mistyped(path: string, value: unknown, wanted: string): string {
  return `${path} accessor error: ${goPrint(value)} is of the type ${goType(value)}, expected ${wanted}`;
}

function goType(value: unknown): string {
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'object') return 'map[string]interface {}';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return Number.isInteger(value) ? 'int64' : 'float64';
}

function checkReplicas(object: KubeObject, path: string): FieldError[] {
  const place = FieldPath.of(path);
  const { value, fault } = at(object, path);
  if (fault !== undefined) return [invalidValue(place, 0, fault)];
  if (value === undefined) return [];
  if (!Number.isInteger(value)) {
    return [invalidValue(place, 0, mistyped(`.${path.replace(/^\./, '')}`, value, 'int64'))];
  }
  const count = value as number;
  if (count < 0) return [invalidValue(place, count, 'should be a non-negative integer')];
  if (count > 2147483647) return [invalidValue(place, count, 'should be less than or equal to 2147483647')];
  return [];
}

function checkSpecReplicas(object: KubeObject, { specReplicasPath }: ScalePaths): FieldError[] {
  return checkReplicas(object, specReplicasPath);
}

function checkScaleStatus(object: KubeObject, { statusReplicasPath, labelSelectorPath }: ScalePaths): FieldError[] {
  const errors = checkReplicas(object, statusReplicasPath);
  if (!labelSelectorPath) return errors;
  const { value, fault } = at(object, labelSelectorPath);
  const place = FieldPath.of(labelSelectorPath);
  if (fault !== undefined) errors.push(invalidValue(place, '', fault));
  else if (value !== undefined && typeof value !== 'string') {
    errors.push(invalidValue(place, '', mistyped(`.${labelSelectorPath.replace(/^\./, '')}`, value, 'string')));
  }
  return errors;
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes']);

/** Finalizers that were added and whose names another may have too. */
function finalizerWarnings({ metadata }: KubeObject, old: KubeObject | null): string[] {
  const before = new Set(old?.metadata.finalizers ?? []);
  const added = [...new Set(metadata.finalizers ?? [])].filter(name => !before.has(name)).sort();
  return added.flatMap(name => {
    const about = `metadata.finalizers: ${goQuote(name)}`;
    const texts = isQualifiedName(name).map(text => `${about}: ${text}`);
    if (name.includes('/') || standardFinalizers.has(name)) return texts;
    const path = name.includes('.') ? ' including a path (/)' : '';
    const why = 'to avoid accidental conflicts with other finalizer writers';
    return [...texts, `${about}: prefer a domain-qualified finalizer name${path} ${why}`];
  });
}
