/** POST pods/NAME/binding and bindings: a scheduler's choice. Upstream: pkg/registry/core/pod/storage/storage.go. */

import { builtinTypes } from '#api/tables';
import type { Binding, Pod } from '#api/types';
import {
  aggregateText,
  badRequest,
  conflict,
  type Draft,
  FieldPath,
  formatTime,
  type KubeObject,
  notSupported,
  required,
  StatusError,
} from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import type { ServerResponse } from '../http/message.ts';
import type { WriteContext } from '../registry/context.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput } from '../serialization/negotiation.ts';
import { respondValue } from '../serialization/respond.ts';
import { logRequestObject, outputOf } from './common.ts';
import { settleNamespace } from './create.ts';
import { createOptions, isDryRun } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { maxBodyBytes, type Scope } from './scope.ts';

const kind = { group: '', version: 'v1', kind: 'Binding' };
const statusType = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';

export async function bindPod(scope: Scope): Promise<ServerResponse> {
  const { request, deps, namespace } = scope;
  const output = outputOf(scope);
  const mediaType = negotiateInput(request);
  const body = await request.body(maxBodyBytes);
  const options = createOptions(request.query);
  const validation = fieldValidationOf(options.fieldValidation);
  const target = { ...kind, struct: builtinTypes.struct('io.k8s.api.core.v1.Binding') };
  const object = decodeBody(body, target, { mediaType, validation, warn: scope.warn });
  logRequestObject(scope, object, target);
  const pods = deps.scheme.find('', 'v1', 'pods')!;
  settleNamespace(object, pods, namespace);
  dedupOwnerReferences(object, scope.warn, false);
  const binding = object as unknown as Draft<Binding>;
  const name = scope.info.subresource === 'binding' ? scope.name : (binding.metadata.name ?? '');
  const dryRun = isDryRun(options);
  const more = { operation: 'CREATE' as const, name, dryRun, options: { ...options }, old: null, kind };
  const attributes = admissionAttributes(scope, more);
  await deps.admission.admit(attributes, object);
  dedupOwnerReferences(object, scope.warn, true);
  if (scope.info.subresource === 'binding' && (binding.metadata.name ?? '') !== name) {
    throw badRequest('name in URL does not match name in Binding object');
  }
  refuseWrong(binding);
  (await deps.admission.validate(attributes, object as KubeObject))?.release?.();
  const context: WriteContext = {
    user: scope.user,
    namespace,
    name,
    subresource: 'binding',
    dryRun,
    warn: scope.warn,
    requestResource: { group: '', resource: 'pods' },
  };
  await deps.registry.modify(pods, context, existing => {
    const pod = existing as unknown as Draft<Pod>;
    assign(pod, binding, { name, dryRun, nowMs: deps.clock.now() });
  });
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
  return respondValue(status, builtinTypes.struct(statusType), output, 201);
}

function refuseWrong(binding: Draft<Binding>): void {
  const path = FieldPath.of('target');
  const { kind: targetKind = '', name = '' } = binding.target ?? {};
  const errors = [];
  if (targetKind !== '' && targetKind !== 'Node') {
    errors.push(notSupported(path.child('kind'), targetKind, ['Node', '<empty>']));
  }
  if (name === '') errors.push(required(path.child('name')));
  if (errors.length === 0) return;
  // Upstream answers with the errors alone, as those of no Status.
  throw new StatusError({ code: 500, message: aggregateText(errors) });
}

/** Upstream shows its store's own error here; the one for dry runs knows the key without its prefix. */
function preconditionFailed(pod: Draft<Pod>, dryRun: boolean, why: string): StatusError {
  const { namespace, name = '' } = pod.metadata;
  const text = `StorageError: invalid object, Code: 4, Key: ${dryRun ? '' : '/registry'}/pods/${namespace}/${name}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: ${why}`;
  return conflict({ group: '', resource: 'pods' }, name, text);
}

/** Upstream: setPodHostAndAnnotations. */
function assign(
  pod: Draft<Pod>,
  binding: Draft<Binding>,
  { name, dryRun, nowMs }: { name: string; dryRun: boolean; nowMs: number },
): void {
  const refuse = (why: string): never => {
    throw conflict({ group: '', resource: 'pods/binding' }, name, why);
  };
  const { uid, resourceVersion } = binding.metadata;
  if (uid && uid !== pod.metadata.uid) {
    throw preconditionFailed(pod, dryRun, `UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  }
  if (resourceVersion && resourceVersion !== pod.metadata.resourceVersion) {
    throw preconditionFailed(
      pod,
      dryRun,
      `ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata.resourceVersion}`,
    );
  }
  if (pod.metadata.deletionTimestamp) refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName) {
    refuse(`pod ${name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  }
  if (pod.spec.schedulingGates?.length) refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec.nodeName = binding.target.name ?? '';
  if (binding.metadata.annotations) {
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
  }
  if (binding.metadata.labels) pod.metadata.labels = { ...pod.metadata.labels, ...binding.metadata.labels };
  pod.status ??= {};
  delete pod.status.nominatedNodeName;
  const conditions = (pod.status.conditions ??= []);
  const found = conditions.find(each => each.type === 'PodScheduled');
  if (found?.status === 'True') return;
  const next = {
    type: 'PodScheduled',
    status: 'True',
    lastProbeTime: null as never,
    lastTransitionTime: formatTime(nowMs),
  };
  if (found) conditions[conditions.indexOf(found)] = next;
  else conditions.push(next);
}
