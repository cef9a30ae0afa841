/**
 * Creating, deleting and adopting the pods (or other dependents) of a controller, and the pure helpers that go with it.
 * Upstream: pkg/controller/{controller_utils,controller_ref_manager}.go.
 */
import type { Pod, PodTemplateSpec } from '#api/types';
import {
  controllerOf,
  isStatusError,
  type KubeObject,
  labelSelectorAsSelector,
  type OwnerReference,
} from '#apimachinery';
import type { Client, EventRecorder, ResourceName } from '#client';
import { pods } from '#client';

/** The owner reference by which `owner` controls a dependent. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name!,
    uid: owner.metadata.uid!,
    controller: true,
    blockOwnerDeletion: true,
  };
}

export { isPodActive, isPodAvailable, isPodReady } from '#api/core/helpers';

export interface PodControl {
  /**
   * Creates a pod of `template`, owned by `owner`, with a generated name unless told; records SuccessfulCreate or
   * FailedCreate.
   */
  create(
    owner: KubeObject,
    namespace: string,
    template: PodTemplateSpec,
    name?: { readonly name: string } | { readonly generateName: string },
  ): Promise<Pod>;
  /** Deletes a pod; one that is gone already counts as deleted. Records SuccessfulDelete or FailedDelete. */
  remove(owner: KubeObject, pod: Pod): Promise<void>;
}

/** Name prefix of generated pods, cut so that five characters fit. */
function generateName(owner: KubeObject): string {
  return `${owner.metadata.name}-`;
}

export function createPodControl(client: Client, events: EventRecorder): PodControl {
  return {
    async create(owner, namespace, template, name = { generateName: generateName(owner) }) {
      const { labels, annotations, finalizers } = template.metadata ?? {};
      try {
        const pod = await client
          .resource(pods)
          .namespace(namespace)
          .create({
            metadata: {
              ...name,
              ...(labels && { labels }),
              ...(annotations && { annotations }),
              ...(finalizers && { finalizers }),
              ownerReferences: [controllerReference(owner)],
            },
            spec: template.spec!,
          } as Partial<Pod>);
        events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
        return pod;
      } catch (error) {
        if (!isNamespaceTerminating(error)) {
          events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
        }
        throw error;
      }
    },
    async remove(owner, pod) {
      try {
        await client
          .resource(pods)
          .namespace(pod.metadata.namespace!)
          .delete(pod.metadata.name!, {
            preconditions: { uid: pod.metadata.uid! },
          });
        events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${pod.metadata.name}`);
      } catch (error) {
        if (isStatusError(error, 'NotFound', 'Conflict')) return;
        events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
        throw error;
      }
    },
  };
}

export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isStatusError(error, 'Forbidden') &&
    (error.status.details?.causes?.some(cause => cause.reason === 'NamespaceTerminating') ?? false)
  );
}

type Selector = Parameters<typeof labelSelectorAsSelector>[0];

/**
 * Which of `candidates` belong to `owner`: those it controls and that match are kept, matching orphans are adopted,
 * controlled ones that no longer match are released. An owner that is being deleted adopts nothing.
 */
export async function claim<T extends KubeObject>(
  client: Client,
  resource: ResourceName<T>,
  owner: KubeObject,
  selector: Selector,
  candidates: Iterable<T>,
): Promise<T[]> {
  const matches = labelSelectorAsSelector(selector);
  const kept: T[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matching = matches.matches(object.metadata.labels ?? {});
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matching) kept.push(object);
      else if (!owner.metadata.deletionTimestamp) await release(client, resource, owner, object);
      continue;
    }
    if (!matching || owner.metadata.deletionTimestamp || object.metadata.deletionTimestamp) continue;
    const adopted = await adopt(client, resource, owner, object);
    if (adopted) kept.push(adopted);
  }
  return kept;
}

async function adopt<T extends KubeObject>(
  client: Client,
  resource: ResourceName<T>,
  owner: KubeObject,
  object: T,
): Promise<T | undefined> {
  const ownerReferences = [...(object.metadata.ownerReferences ?? []), controllerReference(owner)];
  return patchOwners(client, resource, object, ownerReferences);
}

async function release<T extends KubeObject>(
  client: Client,
  resource: ResourceName<T>,
  owner: KubeObject,
  object: T,
): Promise<void> {
  const rest = (object.metadata.ownerReferences ?? []).filter(each => each.uid !== owner.metadata.uid);
  await patchOwners(client, resource, object, rest.length > 0 ? rest : null);
}

/** Undefined when the object is gone or another took its name. */
async function patchOwners<T extends KubeObject>(
  client: Client,
  resource: ResourceName<T>,
  object: T,
  ownerReferences: readonly OwnerReference[] | null,
): Promise<T | undefined> {
  const { name = '', namespace = '', uid } = object.metadata;
  try {
    const patch = { metadata: { ownerReferences, uid } };
    return await client.resource(resource).namespace(namespace).patch(name, patch, { type: 'merge' });
  } catch (error) {
    if (isStatusError(error, 'NotFound', 'Invalid', 'Conflict')) return undefined;
    throw error;
  }
}

/** Runs `count` times in growing batches (1, 2, 4 …), stopping after a batch with a failure. Answers the successes. */
export async function slowStart(count: number, work: (index: number) => Promise<unknown>): Promise<number> {
  let done = 0;
  for (let size = 1; done < count; size *= 2) {
    const batch = Math.min(size, count - done);
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, at) => work(done + at)));
    const failure = results.find(result => result.status === 'rejected');
    done += results.filter(result => result.status === 'fulfilled').length;
    if (failure) throw failure.reason;
  }
  return done;
}
