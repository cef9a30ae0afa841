/** POST of a new object. Upstream: apiserver pkg/endpoints/handlers/create.go. */
import { badRequest, type Draft, type KubeObject, StatusError } from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import type { ServerResponse } from '../http/message.ts';
import type { WriteContext } from '../registry/context.ts';
import { managerOf } from '../registry/field-managers.ts';
import { wipeSystemFields } from '../registry/strategy.ts';
import { apiVersionText, type ServedResource, toStorage } from '../scheme/resource.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput } from '../serialization/negotiation.ts';
import { respondObject } from '../serialization/respond.ts';
import { encodingsOf, logRequestObject, outputOf } from './common.ts';
import { createOptions, isDryRun } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { maxBodyBytes, type Scope } from './scope.ts';

/** The namespace of a body must be that of the request, or absent. Upstream: rest/meta.go. */
export function settleNamespace(object: Draft<KubeObject>, resource: ServedResource, namespace: string): void {
  const { metadata } = object;
  const expected = resource.namespaced ? namespace : '';
  if (!metadata.namespace) {
    if (expected !== '') metadata.namespace = expected;
  } else if (metadata.namespace !== expected) {
    if (expected === '') delete metadata.namespace;
    else throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
}

export async function createObject(scope: Scope): Promise<ServerResponse> {
  const { request, resource, namespace, deps, about } = scope;
  const output = outputOf(scope);
  const mediaType = negotiateInput(request, encodingsOf(resource));
  const body = await request.body(maxBodyBytes);
  const options = createOptions(request.query);
  const validation = fieldValidationOf(options.fieldValidation);
  const object = decodeBody(body, resource, { mediaType, validation, warn: scope.warn });
  resource.rules.defaults?.(object);
  logRequestObject(scope, object, resource);
  wipeSystemFields(object);
  settleNamespace(object, resource, namespace);
  dedupOwnerReferences(object, scope.warn, false);
  const manager = managerOf(request, options.fieldManager);
  const managed = deps.fieldManagers
    .of(resource, '')
    .update(null, object as KubeObject, { manager, nowMs: deps.clock.now() });
  const draft = toStorage(resource, managed as Draft<KubeObject>);
  const dryRun = isDryRun(options);
  const { name = '' } = object.metadata;
  const attributes = admissionAttributes(scope, {
    operation: 'CREATE',
    name,
    dryRun,
    options: { ...options },
    old: null,
  });
  await deps.admission.admit(attributes, draft);
  settleNamespace(draft, resource, namespace);
  dedupOwnerReferences(draft, scope.warn, true);
  const context: WriteContext = {
    user: scope.user,
    namespace: resource.namespaced ? namespace : '',
    name: object.metadata.name ?? '',
    subresource: '',
    groupVersion: apiVersionText(resource),
    dryRun,
    warn: scope.warn,
    requestResource: about,
    async validate(created) {
      const charges = await deps.admission.validate({ ...attributes, name: created?.metadata.name ?? '' }, created);
      if (dryRun || !/^0*[1-9]\d*$/.test(created?.metadata.resourceVersion ?? '')) return charges;
      charges?.release?.();
      throw resourceVersionSet();
    },
  };
  const stored = await deps.registry.create(resource, draft, context);
  return respondObject(stored, { request, resource, output, nowMs: deps.clock.now(), status: 201 });
}

/** Upstream's store refuses it with an error that is no Status of its own; dry runs do not come so far. */
function resourceVersionSet(): StatusError {
  return new StatusError({ code: 500, message: 'resourceVersion should not be set on objects to be created' });
}
