/** PUT of an object or its status. Upstream: apiserver pkg/endpoints/handlers/update.go. */
import {
  badRequest,
  cloneJson,
  type Draft,
  invalid,
  type KubeObject,
  StatusError,
  validateTyped,
  validateWriteOptions,
} from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import { attributesOf, forbiddenError } from '../authorization/authorizer.ts';
import type { ServerResponse } from '../http/message.ts';
import type { WriteContext } from '../registry/context.ts';
import { managerOf } from '../registry/field-managers.ts';
import { wipeSystemFields } from '../registry/strategy.ts';
import { apiVersionText } from '../scheme/resource.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput } from '../serialization/negotiation.ts';
import { respondObject } from '../serialization/respond.ts';
import { encodingsOf, logRequestObject, nameMissing, outputOf } from './common.ts';
import { settleNamespace } from './create.ts';
import { isDryRun, writeOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { maxBodyBytes, type Scope } from './scope.ts';

/** The name in the body must be that in the path. Upstream: handlers/rest.go checkName. */
export function checkName(object: Draft<KubeObject>, name: string, namespace: string): void {
  const { name: own = '', namespace: ownNamespace = '' } = object.metadata;
  if (own === '') {
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  }
  if (own !== name) throw badRequest(`the name of the object (${own}) does not match the name on the URL (${name})`);
  if (namespace !== '' && ownNamespace !== '' && ownNamespace !== namespace) {
    throw badRequest(
      `the namespace of the object (${ownNamespace}) does not match the namespace on the request (${namespace})`,
    );
  }
}

export async function updateObject(scope: Scope): Promise<ServerResponse> {
  const { request, subject, namespace, name, deps } = scope;
  const { resource } = subject;
  if (name === '') throw nameMissing();
  const output = outputOf(scope);
  const mediaType = negotiateInput(request, encodingsOf(resource));
  const body = await request.body(maxBodyBytes);
  const options = writeOptions(request.query);
  const errors = validateWriteOptions(options);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'UpdateOptions' }, '', errors);
  const validation = fieldValidationOf(options.fieldValidation);
  const object = decodeBody(body, resource, { mediaType, validation, warn: scope.warn });
  resource.rules.defaults?.(object);
  logRequestObject(scope, object, resource);
  settleNamespace(object, resource, namespace);
  checkName(object, name, namespace);
  dedupOwnerReferences(object, scope.warn, false);
  const dryRun = isDryRun(options);
  const { context, admitUpdate } = writeContext(scope, dryRun, { ...options });
  const { object: stored, created } = await deps.registry.update(
    scope.resource,
    async existing => {
      const old = existing?.decoded() ?? null;
      const own = cloneJson(object) as Draft<KubeObject>;
      if (!old) wipeSystemFields(own);
      const next = subject.toAdmitted(await managed(scope, own, old, options.fieldManager));
      await admitUpdate(next, old);
      return subject.toStored(next, existing);
    },
    context,
    { uid: object.metadata.uid },
  );
  const status = created ? 201 : 200;
  return respondObject(subject.source(stored), { request, resource, output, nowMs: deps.clock.now(), status });
}

/** The draft with its field owners brought up to date. Both are what the request's version shows; `old` is as stored. */
export async function managed(
  scope: Scope,
  draft: Draft<KubeObject>,
  old: KubeObject | null,
  fieldManager: string | undefined,
): Promise<Draft<KubeObject>> {
  const { deps, resource, request, info } = scope;
  const live = old && scope.subject.live(old);
  const options = { manager: managerOf(request, fieldManager), nowMs: deps.clock.now() };
  if (resource.custom && scope.subject.resource === resource && validateTyped(resource.struct, draft).length > 0) {
    return unmanaged(draft);
  }
  try {
    const tracked = await deps.fieldManagers.run(resource, info.subresource, manager =>
      manager.update(live, draft as KubeObject, options),
    );
    return tracked as Draft<KubeObject>;
  } catch (error) {
    // A webhook that does not convert is no reason to refuse the write.
    if (resource.custom && error instanceof StatusError) return unmanaged(draft);
    throw error;
  }
}

/** Nobody can be said to own what does not fit the schema. Upstream: fieldmanager UpdateNoErrors. */
function unmanaged(draft: Draft<KubeObject>): Draft<KubeObject> {
  const { managedFields: _, ...metadata } = draft.metadata;
  return { ...draft, metadata };
}

export interface UpdateHooks {
  readonly context: WriteContext;
  /** Mutating admission of what an update makes; `old` null when it creates. */
  readonly admitUpdate: (draft: Draft<KubeObject>, old: KubeObject | null) => Promise<void>;
}

/** PUT and apply of what does not exist create it, which is a right of its own. Throws 403. */
async function authorizeCreate({ deps, info, user }: Scope): Promise<void> {
  const attributes = { ...attributesOf(user, info), verb: 'create', fieldSelector: '', labelSelector: '' };
  const { decision, reason } = await deps.authorizer.authorize(attributes);
  if (decision !== 'allow') throw forbiddenError(attributes, reason);
}

/** The context of an update or patch, with admission as update or, when there was nothing, as create. */
export function writeContext(scope: Scope, dryRun: boolean, options: Readonly<Record<string, unknown>>): UpdateHooks {
  const { deps, resource, namespace, name, subject } = scope;
  const attributes = (old: KubeObject | null) => {
    const shown = old && subject.admitted(old);
    return admissionAttributes(scope, { operation: old ? 'UPDATE' : 'CREATE', name, dryRun, options, old: shown });
  };
  // Asked once, however often the write is tried.
  let mayCreate: Promise<void> | undefined;
  return {
    context: {
      user: scope.user,
      namespace: resource.namespaced ? namespace : '',
      name,
      subresource: scope.info.subresource,
      verb: scope.info.verb,
      groupVersion: apiVersionText(resource),
      dryRun,
      warn: scope.warn,
      requestResource: scope.about,
      async validate(object, old) {
        if (!old) await (mayCreate ??= authorizeCreate(scope));
        return deps.admission.validate(attributes(old), object && subject.admitted(object));
      },
    },
    async admitUpdate(draft, old) {
      await deps.admission.admit(attributes(old), draft);
      settleNamespace(draft, resource, namespace);
      dedupOwnerReferences(draft, scope.warn, true);
    },
  };
}
