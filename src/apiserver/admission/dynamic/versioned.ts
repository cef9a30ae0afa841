/**
 * The objects of a request in the version that a webhook or policy asked for, made when first needed, and the way back
 * for what was changed there. Upstream: apiserver pkg/admission/conversion.go VersionedAttributes.
 */
import { builtinTypes } from '#api/tables';
import { type Draft, type KubeObject, type StructNode, writeJson, writeOrdered } from '#apimachinery';
import { fromStorage, type ServedResource, toStorage } from '../../scheme/resource.ts';
import type { AdmissionAttributes } from '../chain.ts';
import type { Invocation } from './matching.ts';

/** Types of objects that are sent to subresources. */
const subresourceTypes: Readonly<Record<string, string>> = {
  Scale: 'io.k8s.api.autoscaling.v1.Scale',
  Binding: 'io.k8s.api.core.v1.Binding',
  Eviction: 'io.k8s.api.policy.v1.Eviction',
  TokenRequest: 'io.k8s.api.authentication.v1.TokenRequest',
  PodExecOptions: 'io.k8s.api.core.v1.PodExecOptions',
  PodAttachOptions: 'io.k8s.api.core.v1.PodAttachOptions',
  PodPortForwardOptions: 'io.k8s.api.core.v1.PodPortForwardOptions',
  PodProxyOptions: 'io.k8s.api.core.v1.PodProxyOptions',
  NodeProxyOptions: 'io.k8s.api.core.v1.NodeProxyOptions',
  ServiceProxyOptions: 'io.k8s.api.core.v1.ServiceProxyOptions',
};

export class VersionedObjects {
  readonly attributes: AdmissionAttributes;
  readonly #object: KubeObject | null;
  readonly #made = new Map<ServedResource, { object: KubeObject | null; old: KubeObject | null }>();

  /** `object` of the stored version, or as it was sent to a subresource of its own kind. */
  constructor(attributes: AdmissionAttributes, object: KubeObject | null) {
    this.attributes = attributes;
    this.#object = object;
  }

  /** To be awaited before {@link in}: custom kinds may be converted by a webhook. */
  async prepare({ resource }: Invocation): Promise<void> {
    const { old, ownKind, requested } = this.attributes;
    const form = resource.storedForm;
    if (!ownKind || !form || resource === requested || this.#made.has(resource)) return;
    const shown = async (object: KubeObject | null) => object && ((await form.convert([object]))[0] as KubeObject);
    this.#made.set(resource, { object: await shown(this.#object), old: await shown(old) });
  }

  in({ resource }: Invocation): { readonly object: KubeObject | null; readonly old: KubeObject | null } {
    const { old, ownKind } = this.attributes;
    if (!ownKind) return { object: this.#object, old };
    let made = this.#made.get(resource);
    if (!made) {
      const shown = (object: KubeObject | null) => object && fromStorage(resource, object);
      this.#made.set(resource, (made = { object: shown(this.#object), old: shown(old) }));
    }
    return made;
  }
}

/** The type of an invocation's objects; undefined for custom kinds and what has none. */
export function structOf(attributes: AdmissionAttributes, { resource, kind }: Invocation): StructNode | undefined {
  if (attributes.ownKind) return resource.custom ? undefined : resource.struct;
  const typeName = subresourceTypes[kind.kind];
  return typeName === undefined ? undefined : builtinTypes.struct(typeName);
}

/** As Go writes an object of its type. */
export function objectJson(object: KubeObject | null, struct: StructNode | undefined): string {
  if (!object) return 'null';
  return struct ? writeJson(object, struct) : writeOrdered(object);
}

/** Replaces all of `draft`, of the stored version, by what was made in the invocation's. */
export async function replaceDraft(
  attributes: AdmissionAttributes,
  draft: Draft<KubeObject>,
  { resource }: Invocation,
  changed: Draft<KubeObject>,
): Promise<void> {
  const { ownKind, requested } = attributes;
  const isElsewhere = ownKind && resource !== requested && requested.storedForm !== undefined;
  const back = isElsewhere ? (await requested.storedForm!.convert([changed as KubeObject]))[0]! : changed;
  const next = ownKind && !isElsewhere ? toStorage(resource, back) : back;
  for (const key of Object.keys(draft)) delete draft[key];
  Object.assign(draft, next);
}
