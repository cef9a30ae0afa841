/**
 * The scale subresource: replicas of a workload as an autoscaling/v1 Scale, with the owners of its field. Upstream:
 * pkg/registry/apps/<kind>/storage/storage.go, pkg/registry/core/replicationcontroller/storage, and
 * apiextensions-apiserver pkg/registry/customresource/etcd.go for custom kinds.
 */
import { customTable, genericTable, type KindTable } from '#api/columns';
import { builtinTypes } from '#api/tables';
import {
  badRequest,
  conflict,
  type Draft,
  deepFreeze,
  FieldPath,
  internalError,
  invalid,
  invalidValue,
  type KubeObject,
  type LabelSelector,
  labelSelectorAsSelector,
  managersFromScale,
  managersOfScale,
  nameIsDNSSubdomain,
  type ReplicasPaths,
  selectorFromSet,
  validateKubeFinalizers,
  validateObjectMeta,
  writeJson,
  writeOrdered,
} from '#apimachinery';
import type { StoredObject } from '../registry/stored-object.ts';
import { apiVersionText, type ScalePaths, type ServedResource } from '../scheme/resource.ts';
import type { Subject } from './subject.ts';

const kind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };

export interface ScaleObject extends KubeObject {
  readonly spec?: { readonly replicas?: number };
}

/** How scales of custom kinds are shown. Upstream: apiextensions-apiserver pkg/apiserver/helpers.go. */
function customScaleTable(): KindTable {
  const made = genericTable().columns.find(({ type }) => type === 'date')!;
  return customTable([
    { name: 'Desired', type: 'integer', description: 'Number of desired replicas', jsonPath: '.spec.replicas' },
    { name: 'Available', type: 'integer', description: 'Number of actual replicas', jsonPath: '.status.replicas' },
    { name: 'Age', type: 'date', description: made.description, jsonPath: '.metadata.creationTimestamp' },
  ]);
}

/** Scale as a resource of its own, which nothing stores. */
function scaleResource(parent: ServedResource): ServedResource {
  const resource = {
    ...kind,
    resource: 'scale',
    singular: 'scale',
    listKind: '',
    namespaced: parent.namespaced,
    verbs: [],
    shortNames: [],
    categories: [],
    subresources: [],
    rules: {},
    get struct() {
      return builtinTypes.struct('io.k8s.api.autoscaling.v1.Scale');
    },
    typeName: 'io.k8s.api.autoscaling.v1.Scale',
    storageVersionHash: undefined,
    storagePrefix: '',
    storage: undefined as unknown as ServedResource,
    custom: false,
    ...(parent.custom && { table: customScaleTable() }),
  };
  resource.storage = resource;
  return resource;
}

interface Workload extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: LabelSelector };
  readonly status?: { readonly replicas?: number };
}

interface Shown {
  /** Undefined: there is no such field. */
  readonly replicas: number | undefined;
  readonly seen: number;
  readonly selector: string;
}

function shownOfWorkload(object: KubeObject): Shown {
  const { spec, status } = object as Workload;
  const selector = spec?.selector;
  // A replication controller's selector is a map, the others' a LabelSelector.
  const parsed =
    object.kind === 'ReplicationController'
      ? selectorFromSet(selector as Readonly<Record<string, string>> | undefined)
      : labelSelectorAsSelector(selector);
  return { replicas: spec?.replicas ?? 0, seen: status?.replicas ?? 0, selector: parsed.toString() };
}

const steps = (path: string): string[] => path.replace(/^\./, '').split('.');

/** What stands at a path of plain names; throws 500 as upstream does where it is of another type. */
function at(object: KubeObject, path: string, type: 'number' | 'string'): unknown {
  let value: unknown = object;
  for (const step of steps(path)) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, step)) {
      return undefined;
    }
    value = (value as Record<string, unknown>)[step];
  }
  if (type === 'number' && typeof value === 'bigint') return Number(value);
  const fits = type === 'number' ? Number.isInteger(value) : typeof value === 'string';
  if (value === undefined || fits) return value;
  const go = type === 'number' ? 'int64' : 'string';
  const text = writeOrdered(value);
  throw internalError(`${path} accessor error: ${text} is of the type ${typeof value}, expected ${go}`);
}

function shownOfCustom(object: KubeObject, paths: ScalePaths): Shown {
  return {
    replicas: at(object, paths.specReplicasPath, 'number') as number | undefined,
    seen: (at(object, paths.statusReplicasPath, 'number') as number | undefined) ?? 0,
    selector: paths.labelSelectorPath
      ? ((at(object, paths.labelSelectorPath, 'string') as string | undefined) ?? '')
      : '',
  };
}

/** Go's smallest int32 stands for a field that was not there. */
const notSet = -2_147_483_648;

/** What of a kind's object its Scale shows and changes. */
export function scaleSubject(parent: ServedResource): Subject {
  const custom = parent.scale;
  const shown = (object: KubeObject): Shown => (custom ? shownOfCustom(object, custom) : shownOfWorkload(object));
  const paths = replicasPaths(parent);
  const resource = scaleResource(parent);
  const scaleOf = (object: KubeObject, replicas: number): ScaleObject => {
    const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
    const { seen, selector } = shown(object);
    const metadata = { name, namespace, uid, resourceVersion, creationTimestamp };
    const text = JSON.stringify({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata,
      spec: { replicas },
      status: { replicas: seen, selector },
    });
    return JSON.parse(text) as ScaleObject;
  };
  const live = (object: KubeObject): KubeObject => {
    const managedFields = managersOfScale(object.metadata.managedFields, paths);
    const scale = scaleOf(object, shown(object).replicas ?? notSet);
    return { ...scale, metadata: { ...scale.metadata, ...(managedFields && { managedFields }) } };
  };
  return {
    resource,
    live,
    admitted: stored => deepFreeze(scaleOf(stored, shown(stored).replicas ?? notSet)),
    toAdmitted: draft => draft,
    toStored: (admitted, existing) => applied(admitted, existing!, parent, paths),
    source: stored => {
      const object = stored.decoded();
      const { replicas } = shown(object);
      if (replicas === undefined) {
        throw internalError(`the spec replicas field ${JSON.stringify(custom?.specReplicasPath)} does not exist`);
      }
      const scale = deepFreeze(scaleOf(object, replicas));
      return { sent: () => Buffer.from(writeJson(scale, resource.struct)), decoded: () => scale };
    },
  };
}

function replicasPaths(parent: ServedResource): ReplicasPaths {
  const path = parent.scale ? steps(parent.scale.specReplicasPath).join('.') : 'spec.replicas';
  const own = apiVersionText(parent);
  if (own !== 'apps/v1') return { ...parent.scale?.siblings, [own]: path };
  return { 'apps/v1beta1': path, 'apps/v1beta2': path, 'apps/v1': path };
}

/** The workload with what its Scale says. */
function applied(
  scale: Draft<ScaleObject>,
  existing: StoredObject,
  parent: ServedResource,
  paths: ReplicasPaths,
): Draft<KubeObject> {
  const draft = existing.draft();
  const replicas = scale.spec?.replicas ?? 0;
  if (parent.scale) {
    if (replicas === notSet) {
      throw badRequest(`the spec replicas field ${JSON.stringify(parent.scale.specReplicasPath)} cannot be empty`);
    }
    put(draft, steps(parent.scale.specReplicasPath), replicas);
  } else {
    const { name = '', uid = '' } = draft.metadata;
    checkScale(scale, name);
    if (scale.metadata.uid && scale.metadata.uid !== uid) {
      const why = `Precondition failed: UID in precondition: ${scale.metadata.uid}, UID in object meta: ${uid}`;
      throw conflict({ group: parent.group, resource: `${parent.resource}/scale` }, name, why);
    }
    put(draft, ['spec', 'replicas'], replicas);
  }
  if (scale.metadata.resourceVersion) draft.metadata.resourceVersion = scale.metadata.resourceVersion;
  else if (!parent.scale) delete draft.metadata.resourceVersion;
  const entries = managersFromScale(
    draft.metadata.managedFields,
    scale.metadata.managedFields,
    apiVersionText(parent),
    paths,
  );
  if (entries) draft.metadata.managedFields = entries as Draft<typeof entries>;
  else delete draft.metadata.managedFields;
  return draft;
}

function put(draft: Draft<KubeObject>, path: readonly string[], value: number): void {
  let place = draft as Record<string, unknown>;
  for (const step of path.slice(0, -1)) place = (place[step] ??= {}) as Record<string, unknown>;
  place[path.at(-1)!] = value;
}

/** Upstream: pkg/apis/autoscaling/validation ValidateScale. */
function checkScale(scale: Draft<ScaleObject>, name: string): void {
  const path = FieldPath.of('metadata');
  const errors = [
    ...validateObjectMeta(scale.metadata, true, nameIsDNSSubdomain, path),
    ...validateKubeFinalizers(scale.metadata.finalizers, path.child('finalizers')),
  ];
  const replicas = scale.spec?.replicas ?? 0;
  if (replicas < 0) {
    errors.push(invalidValue(FieldPath.of('spec', 'replicas'), replicas, 'must be greater than or equal to 0'));
  }
  if (errors.length > 0) throw invalid(kind, name, errors);
}
