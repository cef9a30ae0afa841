/** DELETE of one object. Upstream: apiserver pkg/endpoints/handlers/delete.go. */

import { builtinTypes } from '#api/tables';
import { type DeleteOptions, forbidden, invalid, validateDeleteOptions } from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import type { ServerResponse } from '../http/message.ts';
import type { DeleteContext } from '../registry/context.ts';
import { type Deleted, deleteObject } from '../registry/delete.ts';
import { decodeBody } from '../serialization/decode-body.ts';
import { negotiateInput, type OutputType } from '../serialization/negotiation.ts';
import { respondObject, respondValue } from '../serialization/respond.ts';
import { logRequestObject, outputOf } from './common.ts';
import { deleteOptionsFromQuery, isDryRun } from './options.ts';
import { maxBodyBytes, type Scope } from './scope.ts';

const optionsType = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions';
const statusType = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';

/** Kinds whose deletion answers the object rather than a Status. Upstream: ReturnDeletedObject. */
const returned = new Set([
  '/persistentvolumes',
  '/persistentvolumeclaims',
  '/pods',
  '/podtemplates',
  '/resourcequotas',
  '/serviceaccounts',
  '/services',
  'resource.k8s.io/deviceclasses',
  'resource.k8s.io/resourceclaims',
  'resource.k8s.io/resourceclaimtemplates',
  'resource.k8s.io/resourceslices',
  'storage.k8s.io/csidrivers',
  'storage.k8s.io/csinodes',
  'storage.k8s.io/storageclasses',
  'storage.k8s.io/volumeattachments',
  'storage.k8s.io/volumeattributesclasses',
]);

/** Options from the body, or, without one, from the query. Throws 400 and 422. */
export async function readDeleteOptions(scope: Scope): Promise<DeleteOptions> {
  const { request } = scope;
  const body = await request.body(maxBodyBytes);
  let options: DeleteOptions;
  if (body.length > 0) {
    const mediaType = negotiateInput(request);
    const target = {
      group: 'meta.k8s.io',
      version: 'v1',
      kind: 'DeleteOptions',
      struct: builtinTypes.struct(optionsType),
    };
    const object = decodeBody(body, target, { mediaType, validation: 'Ignore', warn: scope.warn, bareErrors: true });
    // Upstream tells of its internal version, whatever came.
    logRequestObject(scope, { ...object, apiVersion: 'meta.k8s.io/__internal' }, target);
    const { kind: _kind, apiVersion: _version, metadata: _metadata, ...rest } = object;
    options = rest as DeleteOptions;
  } else options = deleteOptionsFromQuery(request.query);
  const errors = validateDeleteOptions(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return options;
}

/** `admittedAs`: the name that admission is shown; of the objects of a collection it is shown none. */
export function deleteContext(
  scope: Scope,
  name: string,
  options: DeleteOptions,
  admittedAs: string = name,
): DeleteContext {
  const { deps, resource, namespace } = scope;
  const dryRun = isDryRun(options);
  return {
    user: scope.user,
    namespace: resource.namespaced ? namespace : '',
    name,
    subresource: '',
    dryRun,
    warn: scope.warn,
    requestResource: scope.about,
    options,
    validate: async (_object, old) => {
      const more = { operation: 'DELETE' as const, name: admittedAs, dryRun, options, old, subresource: '' };
      const attributes = admissionAttributes(scope, more);
      await deps.admission.admit(attributes, null);
      (await deps.admission.validate(attributes, null))?.release?.();
    },
  };
}

/** Tells who leaves the fate of dependents open what becomes of them, where that may surprise. */
export function warnOfOpenPropagation({ resource, warn }: Scope, options: DeleteOptions): void {
  const text = resource.rules.openPropagationWarning;
  if (text === undefined) return;
  if (options.propagationPolicy === undefined && options.orphanDependents === undefined) warn(text);
}

export async function deleteOne(scope: Scope): Promise<ServerResponse> {
  const output = outputOf(scope);
  const options = await readDeleteOptions(scope);
  warnOfOpenPropagation(scope, options);
  const kept = scope.resource.rules.keeps?.(scope.name);
  if (kept !== undefined) throw forbidden(scope.about, scope.name, kept);
  const deleted = await deleteObject(scope.deps.registry, scope.resource, deleteContext(scope, scope.name, options));
  return answerDeletion(scope, deleted, options, output);
}

async function answerDeletion(
  scope: Scope,
  deleted: Deleted,
  options: DeleteOptions,
  output: OutputType,
): Promise<ServerResponse> {
  const { resource, request, deps, about } = scope;
  const { storage } = resource;
  const object = deleted.object.decoded();
  if (!deleted.gone || returned.has(`${storage.group}/${storage.resource}`)) {
    const status = !deleted.gone && options.orphanDependents === false ? 202 : 200;
    return respondObject(deleted.object, { request, resource, output, nowMs: deps.clock.now(), status });
  }
  const details = {
    name: object.metadata.name,
    ...(about.group && { group: about.group }),
    kind: about.resource,
    uid: object.metadata.uid,
  };
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
  return respondValue(status, builtinTypes.struct(statusType), output);
}
