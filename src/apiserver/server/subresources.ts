/** The handlers of subresources and of kinds that are answered rather than stored, in one list. */
import { getObject } from '../handlers/get.ts';
import { patchObject } from '../handlers/patch.ts';
import { selfSubjectReview } from '../handlers/reviews.ts';
import type { Handler } from '../handlers/scope.ts';
import { updateObject } from '../handlers/update.ts';
import type { SubresourceHandlers } from './dispatch.ts';

export const subresourceHandlers: SubresourceHandlers = new Map<string, Readonly<Record<string, Handler>>>([
  ['*/*/status', { get: getObject, update: updateObject, patch: patchObject }],
  ['/namespaces/finalize', { update: updateObject }],
]);

/** By `group/resource`: what POST does. */
export const virtualHandlers: ReadonlyMap<string, Handler> = new Map([
  ['authentication.k8s.io/selfsubjectreviews', selfSubjectReview],
]);
