/**
 * What a request reads and writes: the stored object itself, or, on the scale subresource, a part of it under a type of
 * its own. Reads, updates, patches and apply go the same way for both. Upstream: the REST types of
 * pkg/registry/<group>/<kind>/storage/storage.go.
 */
import type { Draft, KubeObject } from '#apimachinery';
import type { StoredObject } from '../registry/stored-object.ts';
import { fromStorage, type ServedResource, toStorage } from '../scheme/resource.ts';
import type { ObjectSource } from '../serialization/respond.ts';
import { scaleSubject } from './scale.ts';

export interface Subject {
  /** The type of bodies and answers. */
  readonly resource: ServedResource;
  /** What stands there, as the request sees it, with its field owners. */
  live(stored: KubeObject): KubeObject;
  /** As admission sees it: the stored version. */
  admitted(stored: KubeObject): KubeObject;
  /** What is admitted of a request's object. */
  toAdmitted(draft: Draft<KubeObject>): Draft<KubeObject>;
  /** What is to be stored, from what was admitted; `existing` is null for what does not exist yet. */
  toStored(admitted: Draft<KubeObject>, existing: StoredObject | null): Draft<KubeObject>;
  /** What is answered. */
  source(stored: ObjectSource): ObjectSource;
}

function plainSubject(resource: ServedResource): Subject {
  return {
    resource,
    live: stored => fromStorage(resource, stored),
    admitted: stored => stored,
    toAdmitted: draft => toStorage(resource, draft),
    toStored: admitted => admitted,
    source: stored => stored,
  };
}

export function subjectOf(resource: ServedResource, subresource: string): Subject {
  return subresource === 'scale' ? scaleSubject(resource) : plainSubject(resource);
}
