/**
 * Kinds that are questions: SelfSubjectReview, the access reviews, TokenReview. Upstream: pkg/registry/authentication,
 * pkg/registry/authorization.
 */
import { type Draft, formatTime, type KubeObject } from '#apimachinery';
import type { UserInfo } from '../authentication/user.ts';
import type { ServerResponse } from '../http/message.ts';
import { managerOf } from '../registry/field-managers.ts';
import { wipeSystemFields } from '../registry/strategy.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput, negotiateOutput } from '../serialization/negotiation.ts';
import { respondValue } from '../serialization/respond.ts';
import { logRequestObject } from './common.ts';
import { settleNamespace } from './create.ts';
import { createOptions } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { maxBodyBytes, type Scope } from './scope.ts';

/** A user as reviews show it. */
export function userInfoOf({ name, uid, groups, extra }: UserInfo): object {
  return {
    username: name,
    ...(uid && { uid }),
    ...(groups.length > 0 && { groups }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

/** Reads the question, lets `answer` complete it, and sends it back. */
export async function review(
  scope: Scope,
  answer: (object: Draft<KubeObject>) => Promise<void> | void,
): Promise<ServerResponse> {
  const { request, resource } = scope;
  const output = negotiateOutput(request, { transforms: false });
  const mediaType = negotiateInput(request);
  const body = await request.body(maxBodyBytes);
  const options = createOptions(request.query);
  const validation = fieldValidationOf(options.fieldValidation);
  const object = decodeBody(body, resource, { mediaType, validation, warn: scope.warn });
  logRequestObject(scope, object, resource);
  wipeSystemFields(object);
  settleNamespace(object, resource, scope.namespace);
  dedupOwnerReferences(object, scope.warn, false);
  const manager = managerOf(request, options.fieldManager);
  const owners = scope.deps.fieldManagers.of(resource, '');
  const managed = owners.update(null, object as KubeObject, { manager, nowMs: scope.deps.clock.now() });
  object.metadata = (managed as Draft<KubeObject>).metadata;
  await answer(object);
  return respondValue(object, resource.struct, output, 201);
}

export async function selfSubjectReview(scope: Scope): Promise<ServerResponse> {
  return review(scope, object => {
    // Upstream answers with a new object.
    object.metadata = { creationTimestamp: formatTime(scope.deps.clock.now()) };
    object['status'] = { userInfo: userInfoOf(scope.user) };
  });
}
