/**
 * Revisions of a template, kept as ControllerRevisions: which one is current, which are old enough to go.
 * Upstream: pkg/controller/history/controller_history.go.
 */
import type { ControllerRevision, PodTemplateSpec } from '#api/types';
import { controllerOf, isStatusError, type KubeObject, writeSorted } from '#apimachinery';
import { type Client, controllerRevisions, type Informer } from '#client';
import { templateHash } from '../deployment/template-hash.ts';
import { controllerReference } from '../pod-control.ts';

/** Label of pods, and of a DaemonSet's revisions. */
export const revisionLabel = 'controller-revision-hash';
/** Label of a StatefulSet's revisions; its pods carry the revision's name. */
export const hashLabel = 'controller.kubernetes.io/hash';
export const revisionOwnerIndex = 'controller-uid';

type Templated = KubeObject & { readonly spec: { readonly template: PodTemplateSpec } };

/** By owner's uid. Register before the informers start. */
export function indexRevisions(informer: Informer<ControllerRevision>): void {
  informer.addIndex(revisionOwnerIndex, revision => {
    const owner = controllerOf(revision);
    return owner ? [owner.uid] : [];
  });
}

/** What is kept of a template: a patch that puts it back. */
function revisionData(owner: Templated): object {
  return { spec: { template: { ...owner.spec.template, $patch: 'replace' } } };
}

/** The template that a revision holds. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _, ...template } = (revision as unknown as { data: { spec: { template: Record<string, unknown> } } })
    .data.spec.template;
  return template as unknown as PodTemplateSpec;
}

/** Oldest first. */
export function byAge(revisions: Iterable<ControllerRevision>): ControllerRevision[] {
  return [...revisions].sort((a, b) => a.revision - b.revision);
}

/** The revision of the owner's present template: found, raised to be the newest, or created. */
export async function currentRevision(
  client: Client,
  owner: Templated,
  known: readonly ControllerRevision[],
  options: { readonly collisions: number; readonly label: string },
): Promise<ControllerRevision> {
  const data = revisionData(owner);
  const text = writeSorted(data);
  const newest = known.at(-1)?.revision ?? 0;
  const same = known.findLast(each => writeSorted((each as unknown as { data: object }).data) === text);
  const resource = client.resource(controllerRevisions).namespace(owner.metadata.namespace!);
  if (same) return same.revision === newest ? same : await resource.update({ ...same, revision: newest + 1 });
  const hash = templateHash(owner.spec.template, options.collisions);
  const revision = {
    metadata: {
      name: `${owner.metadata.name}-${hash}`,
      labels: { ...owner.spec.template.metadata?.labels, [options.label]: hash },
      ownerReferences: [controllerReference(owner)],
    },
    data,
    revision: newest + 1,
  };
  try {
    return await resource.create(revision as unknown as Partial<ControllerRevision>);
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    return await resource.get(revision.metadata.name);
  }
}

/** Deletes the oldest revisions that nothing uses, beyond `limit`. `live` are names. */
export async function truncate(
  client: Client,
  known: readonly ControllerRevision[],
  live: ReadonlySet<string>,
  limit: number,
): Promise<void> {
  const idle = known.filter(each => !live.has(each.metadata.name!));
  for (const { metadata } of idle.slice(0, Math.max(0, idle.length - limit))) {
    try {
      await client.resource(controllerRevisions).namespace(metadata.namespace!).delete(metadata.name!);
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
    }
  }
}
