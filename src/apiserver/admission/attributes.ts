/** The attributes of a request, in one place for all handlers. Upstream: apiserver pkg/admission/attributes.go. */
import type { DeleteOptions, GroupVersionKind, KubeObject } from '#apimachinery';
import type { Scope } from '../handlers/scope.ts';
import { kindOf } from '../scheme/resource.ts';
import { type AdmissionAttributes, type AdmissionOperation, Reinvocation } from './chain.ts';

export interface AttributeOptions {
  readonly operation: AdmissionOperation;
  /** Empty while a name is yet to be generated. */
  readonly name: string;
  readonly dryRun: boolean;
  readonly options: DeleteOptions | Readonly<Record<string, unknown>>;
  readonly old: KubeObject | null;
  /** Of what was sent, where it is not the resource's own kind: Scale, Binding, Eviction, PodExecOptions. */
  readonly kind?: GroupVersionKind;
  readonly subresource?: string;
}

/** A namespace is in itself, as upstream has it. */
export function admissionAttributes(
  scope: Pick<Scope, 'request' | 'resource' | 'subject' | 'namespace' | 'info' | 'user' | 'warn' | 'annotate'>,
  more: AttributeOptions,
): AdmissionAttributes {
  const { resource } = scope;
  const { audit } = scope.request;
  const isNamespace = resource.group === '' && resource.resource === 'namespaces';
  return {
    ...more,
    resource: resource.storage,
    requested: resource,
    kind: more.kind ?? kindOf(scope.subject.resource),
    ownKind: more.kind === undefined && scope.subject.resource === resource,
    subresource: more.subresource ?? scope.info.subresource,
    namespace: isNamespace ? more.name : scope.namespace,
    pathName: scope.info.name,
    user: scope.user,
    warn: scope.warn,
    annotate: scope.annotate ?? (() => undefined),
    ...(audit && { timer: layer => audit.timer(layer) }),
    reinvocation: new Reinvocation(),
    signal: scope.request.signal,
    ...(scope.request.deadlineMs !== undefined && { deadlineMs: scope.request.deadlineMs }),
  };
}
