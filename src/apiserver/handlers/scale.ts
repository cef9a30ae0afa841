/**
 * The scale subresource: replicas of a workload as an autoscaling/v1 Scale. Upstream: pkg/registry/apps/<kind>/storage.
 */

import { builtinTypes } from '#api/tables';
import type { Scale } from '#api/types';
import {
  badRequest,
  type Draft,
  FieldPath,
  invalid,
  invalidValue,
  type KubeObject,
  type LabelSelector,
  labelSelectorAsSelector,
  notFound,
  selectorFromSet,
  validateWriteOptions,
} from '#apimachinery';
import { header, type ServerResponse } from '../http/message.ts';
import { storageKey } from '../scheme/resource.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput, negotiateOutput, unsupportedMediaType } from '../serialization/negotiation.ts';
import { respondValue } from '../serialization/respond.ts';
import { isDryRun, patchOptions, writeOptions } from './options.ts';
import { applyType, mechanismOf, patchTypesOf } from './patch.ts';
import { maxBodyBytes, type Scope } from './scope.ts';
import { writeContext } from './update.ts';

const kind = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
const scaleStruct = () => builtinTypes.struct('io.k8s.api.autoscaling.v1.Scale');

interface Workload extends KubeObject {
  readonly spec?: { readonly replicas?: number; readonly selector?: LabelSelector };
  readonly status?: { readonly replicas?: number };
}

/** The Scale of a workload. */
export function scaleOf(object: KubeObject): Scale {
  const { metadata, spec, status } = object as Workload;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  const selector = spec?.selector;
  // A replication controller's selector is a map, the others' a LabelSelector.
  const parsed =
    object.kind === 'ReplicationController'
      ? selectorFromSet(selector as Readonly<Record<string, string>> | undefined)
      : labelSelectorAsSelector(selector);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec?.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, selector: parsed.toString() },
  } as unknown as Scale;
}

export async function getScale(scope: Scope): Promise<ServerResponse> {
  const { request, resource, deps, namespace, name } = scope;
  const output = negotiateOutput(request, { transforms: false });
  const cache = deps.caches.of(resource);
  await cache.fresh(request.signal);
  const item = cache.get(storageKey(resource.storage, namespace, name));
  if (!item) throw notFound(scope.about, name);
  return respondValue(scaleOf(item.object), scaleStruct(), output);
}

export async function updateScale(scope: Scope): Promise<ServerResponse> {
  const { request } = scope;
  const mediaType = negotiateInput(request);
  const body = await request.body(maxBodyBytes);
  const options = writeOptions(request.query);
  const errors = validateWriteOptions(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'UpdateOptions' }, '', errors);
  const validation = fieldValidationOf(options.fieldValidation);
  const target = { ...kind, struct: scaleStruct() };
  const scale = decodeBody(body, target, { mediaType, validation, warn: scope.warn }) as unknown as Draft<Scale>;
  return write(scope, isDryRun(options), { ...options }, () => scale);
}

export async function patchScale(scope: Scope): Promise<ServerResponse> {
  const { request, resource } = scope;
  const type = (header(request, 'content-type') ?? '').split(';')[0]!;
  const types = patchTypesOf(resource);
  if (!types.includes(type) || type === applyType) throw unsupportedMediaType(types);
  const body = await request.body(maxBodyBytes);
  const options = patchOptions(request.query);
  const mechanism = mechanismOf(type, body, fieldValidationOf(options.fieldValidation));
  return write(scope, isDryRun(options), { ...options }, old => {
    const made = mechanism(scaleOf(old) as unknown as KubeObject, { struct: scaleStruct() });
    return made.object as unknown as Draft<Scale>;
  });
}

async function write(
  scope: Scope,
  dryRun: boolean,
  options: Readonly<Record<string, unknown>>,
  make: (old: KubeObject) => Draft<Scale>,
): Promise<ServerResponse> {
  const { request, resource, deps, name, namespace } = scope;
  const output = negotiateOutput(request, { transforms: false });
  const { context, admitUpdate } = writeContext(scope, dryRun, options);
  const { object: stored } = await deps.registry.update(
    resource,
    async existing => {
      const old = existing!.decoded();
      const scale = make(old);
      check(scale, name, namespace);
      const draft = existing!.draft();
      if (scale.metadata?.resourceVersion) draft.metadata.resourceVersion = scale.metadata.resourceVersion;
      const spec = (draft['spec'] ??= {}) as { replicas?: number };
      spec.replicas = scale.spec?.replicas ?? 0;
      await admitUpdate(draft, old);
      return draft;
    },
    { ...context, subresource: 'scale' },
    { uid: undefined },
  );
  return respondValue(scaleOf(stored.decoded()), scaleStruct(), output);
}

function check(scale: Draft<Scale>, name: string, namespace: string): void {
  const { metadata = {} } = scale;
  if (metadata.name && metadata.name !== name) {
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  }
  if (metadata.namespace && metadata.namespace !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  const replicas = scale.spec?.replicas ?? 0;
  if (replicas < 0) {
    const text = 'must be greater than or equal to 0';
    throw invalid(kind, name, [invalidValue(FieldPath.of('spec', 'replicas'), replicas, text)]);
  }
}
