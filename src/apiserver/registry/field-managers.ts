/**
 * Who owns which fields, for every endpoint that writes: one field manager a resource and subresource, made when first
 * needed. Upstream: apiserver pkg/endpoints/handlers/fieldmanager, the strategies' GetResetFields.
 */
import { builtinTypes } from '#api/tables';
import {
  type Draft,
  FieldManager,
  type FieldSet,
  InputError,
  type KubeObject,
  managerOrUserAgent,
  type StructNode,
  setOfFields,
  writeSorted,
} from '#apimachinery';
import type { StoredForm } from '../custom/stored-form.ts';
import { header, type ServerRequest } from '../http/message.ts';
import { apiVersionText, fromStorage, type ServedResource, toStorage } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';

/** Groups and resources whose `/status` leaves alone all of metadata too, as that of custom resources does. */
const metadataKeptByStatus = new Set([
  ...['flowschemas', 'prioritylevelconfigurations', 'servicecidrs', 'volumeattachments', 'resourceclaims'],
  ...['validatingadmissionpolicies', 'apiservices', 'storageversions', 'storageversionmigrations', 'podgroups'],
]);

/** What `/status` does not write, beside the spec. */
const keptByStatus: Readonly<Record<string, readonly string[]>> = {
  pods: ['metadata.deletionTimestamp', 'metadata.ownerReferences'],
  deployments: ['metadata.labels'],
  certificatesigningrequests: ['status.conditions'],
};

function resetFields(resource: ServedResource, subresource: string): FieldSet | undefined {
  const hasStatus = resource.subresources.some(each => each.name === 'status');
  const name = resource.custom ? '' : resource.storage.resource;
  const isRequest = name === 'certificatesigningrequests';
  switch (subresource) {
    case '':
      if (isRequest) return setOfFields('spec', 'status');
      return hasStatus ? setOfFields('status') : undefined;
    case 'status':
      if (resource.custom || metadataKeptByStatus.has(name)) return setOfFields('metadata', 'spec');
      return setOfFields('spec', ...(keptByStatus[name] ?? []));
    case 'approval':
      return isRequest ? setOfFields('spec', 'status.certificate') : undefined;
    case 'finalize':
      return setOfFields('status');
    default:
      return undefined;
  }
}

export class FieldManagers {
  readonly #scheme: Scheme;
  readonly #managers = new WeakMap<ServedResource, Map<string, FieldManager>>();

  constructor(scheme: Scheme) {
    this.#scheme = scheme;
  }

  of(resource: ServedResource, subresource: string): FieldManager {
    let own = this.#managers.get(resource);
    if (!own) this.#managers.set(resource, (own = new Map()));
    let manager = own.get(subresource);
    if (!manager) own.set(subresource, (manager = this.#make(resource, subresource)));
    return manager;
  }

  /**
   * What `work` makes of the endpoint's field manager, with objects in other versions as the kind's webhook converts
   * them. `work` is done again from the start with each conversion that it turns out to need, so it must have no effect
   * but its result. Rejects with the StatusError of a conversion that fails.
   */
  async run<T>(resource: ServedResource, subresource: string, work: (manager: FieldManager) => T): Promise<T> {
    const { storedForm } = resource;
    if (!storedForm || storedForm.immediate || subresource === 'scale') return work(this.of(resource, subresource));
    const made = new Map<string, KubeObject>();
    const manager = this.#make(resource, subresource, (object, apiVersion) => {
      const key = `${apiVersion} ${writeSorted(object)}`;
      const found = made.get(key);
      if (found) return found;
      throw new ConversionNeeded(key, object, apiVersion);
    });
    for (;;) {
      try {
        return work(manager);
      } catch (error) {
        if (!(error instanceof ConversionNeeded)) throw error;
        made.set(error.key, await storedForm.into(error.object, error.apiVersion));
      }
    }
  }

  #make(
    resource: ServedResource,
    subresource: string,
    converted: (object: KubeObject, apiVersion: string) => KubeObject = renamed,
  ): FieldManager {
    if (subresource === 'scale') return scaleManager();
    const apiVersion = apiVersionText(resource);
    const reset = resetFields(resource, subresource);
    return new FieldManager({
      node: resource.struct,
      apiVersion,
      kind: resource.kind,
      subresource,
      builtin: !resource.custom,
      ...(reset && { resetFields: { [apiVersion]: reset } }),
      convert: (object, to) => {
        if (resource.storedForm) return ofDefinition(resource.storedForm, object, to, converted);
        const from = this.#sibling(resource, object.apiVersion);
        const target = this.#sibling(resource, to);
        if (!from || !target) return undefined;
        if (from === target) return { object, node: target.struct };
        const hub = toStorage(from, structuredClone(object) as Draft<KubeObject>) as KubeObject;
        return { object: fromStorage(target, hub), node: target.struct };
      },
    });
  }

  /** The same kind in another of its versions. */
  #sibling(resource: ServedResource, apiVersion: string): ServedResource | undefined {
    if (apiVersion === apiVersionText(resource)) return resource;
    for (const each of this.#scheme.all()) {
      if (
        each.storagePrefix === resource.storagePrefix &&
        each.kind === resource.kind &&
        apiVersionText(each) === apiVersion
      ) {
        return each;
      }
    }
    return undefined;
  }
}

/**
 * An object of a custom kind in another version of its definition, served or not. Throws for a version that is not there
 * any more, where upstream fails as well: an apply with what is told, an update by losing all owners.
 */
function ofDefinition(
  form: StoredForm,
  object: KubeObject,
  to: string,
  converted: (object: KubeObject, apiVersion: string) => KubeObject,
): { object: KubeObject; node: StructNode } {
  const node = form.structOf(to);
  if (!node) throw new InputError('patchFailed', `request to convert CR to an invalid group/version: ${to}`);
  return { object: object.apiVersion === to ? object : converted(object, to), node };
}

/** As the strategy `None` converts. */
function renamed(object: KubeObject, apiVersion: string): KubeObject {
  return { ...object, apiVersion };
}

/** Thrown through a field manager that needs an object in another version, which takes a webhook. */
class ConversionNeeded extends Error {
  readonly key: string;
  readonly object: KubeObject;
  readonly apiVersion: string;

  constructor(key: string, object: KubeObject, apiVersion: string) {
    super(`a conversion to ${apiVersion} is needed`);
    this.key = key;
    this.object = object;
    this.apiVersion = apiVersion;
  }
}

function scaleManager(): FieldManager {
  return new FieldManager({
    node: builtinTypes.struct('io.k8s.api.autoscaling.v1.Scale'),
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    subresource: 'scale',
    builtin: true,
  });
}

/** As whom the server owns fields of the objects that it writes to itself. */
export const ownFieldManager = 'kube-apiserver';

/** The manager's name of a request. */
export function managerOf(request: ServerRequest, fieldManager: string | undefined): string {
  return managerOrUserAgent(fieldManager ?? '', header(request, 'user-agent') ?? '');
}
