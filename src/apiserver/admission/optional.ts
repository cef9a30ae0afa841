/**
 * Small plugins that are off by default. Upstream: plugin/pkg/admission/{admit,deny,alwayspullimages,antiaffinity,
 * extendedresourcetoleration,namespace/exists,network/denyserviceexternalips}.
 */
import { podContainers } from '#api/core/helpers';
import type { Pod, Service, Toleration } from '#api/types';
import { type Draft, FieldPath, internalError, type KubeObject, notFound, notSupported } from '#apimachinery';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

export const alwaysAdmit: AdmissionPlugin = { name: 'AlwaysAdmit', handles: () => false };

export const alwaysDeny: AdmissionPlugin = {
  name: 'AlwaysDeny',
  handles: () => true,
  admit: (attributes, draft) => deny(attributes, draft as unknown as KubeObject | null),
  validate: (attributes, object) => deny(attributes, object),
};

function deny(attributes: AdmissionAttributes, object: KubeObject | null): never {
  throw admissionForbidden(attributes, object, 'admission control is denying all modifications');
}

const isPodWrite = (attributes: AdmissionAttributes): boolean =>
  isFor(attributes, '', 'pods') && (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE');

/** Images are asked for anew each time, so that who has no right to one does not find it on the node. */
export const alwaysPullImages: AdmissionPlugin = {
  name: 'AlwaysPullImages',
  handles: isPodWrite,
  admit(attributes, draft) {
    const pod = draft as unknown as Draft<Pod>;
    if (!hasNewImage(attributes, pod as unknown as Pod)) return;
    for (const container of podContainers(pod.spec as Pod['spec'])) {
      (container as Draft<typeof container>).imagePullPolicy = 'Always';
    }
    for (const { image } of pod.spec.volumes ?? []) if (image) image.pullPolicy = 'Always';
  },
  validate(attributes, object) {
    const pod = object as unknown as Pod;
    if (!hasNewImage(attributes, pod)) return;
    const path = FieldPath.of('spec');
    for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
      for (const [at, { imagePullPolicy = '' }] of (pod.spec[list] ?? []).entries()) {
        if (imagePullPolicy === 'Always') continue;
        const { field, body } = notSupported(path.child(list).index(at).child('imagePullPolicy'), imagePullPolicy, [
          'Always',
        ]);
        throw admissionForbidden(attributes, object, `${field}: ${body}`);
      }
    }
  },
};

function hasNewImage({ old }: AdmissionAttributes, pod: Pod): boolean {
  if (!old) return true;
  const before = new Set(podContainers((old as unknown as Pod).spec).map(each => each.image));
  return podContainers(pod.spec).some(each => !before.has(each.image));
}

/** Pods may keep others off a node, not off a whole zone. */
export const limitPodHardAntiAffinityTopology: AdmissionPlugin = {
  name: 'LimitPodHardAntiAffinityTopology',
  handles: isPodWrite,
  validate(attributes, object) {
    const { affinity } = (object as unknown as Pod).spec;
    const hostname = 'kubernetes.io/hostname';
    for (const { topologyKey } of affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
      if (topologyKey === hostname) continue;
      const why = `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${topologyKey} but only key ${hostname} is allowed`;
      throw admissionForbidden(attributes, object, why);
    }
  },
};

/** Who asks for an extended resource tolerates the taint of the nodes that have it. */
export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  handles: isPodWrite,
  admit(_attributes, draft) {
    const { spec } = draft as unknown as Draft<Pod>;
    const asked = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].flatMap(container =>
      Object.keys(container.resources?.requests ?? {}),
    );
    const extended = asked.filter(
      name => name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.'),
    );
    for (const key of [...new Set(extended)].sort()) {
      const tolerations = (spec.tolerations ??= []) as Draft<Toleration>[];
      const has = tolerations.some(
        each => each.key === key && each.operator === 'Exists' && each.effect === 'NoSchedule',
      );
      if (!has) tolerations.push({ key, operator: 'Exists', effect: 'NoSchedule' });
    }
  },
};

export const denyServiceExternalIPs: AdmissionPlugin = {
  name: 'DenyServiceExternalIPs',
  handles: attributes =>
    isFor(attributes, '', 'services') && (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE'),
  validate(attributes, object) {
    const before = new Set((attributes.old as unknown as Service | null)?.spec.externalIPs);
    const fresh = ((object as unknown as Service).spec.externalIPs ?? []).filter(address => !before.has(address));
    if (fresh.length === 0) return;
    throw admissionForbidden(attributes, object, 'Use of external IPs is denied by admission control');
  },
};

export function namespaceExists(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'NamespaceExists',
    handles: ({ operation, namespace, resource }) =>
      operation !== 'CONNECT' && namespace !== '' && !(resource.group === '' && resource.kind === 'Namespace'),
    async validate({ namespace }) {
      if (await lookup.get('', 'namespaces', '', namespace)) return;
      throw notFound({ group: '', resource: 'namespaces' }, namespace);
    },
  };
}

/** A namespace that does not exist is made on first use. */
export function namespaceAutoProvision(lookup: Lookup, make: (name: string) => Promise<void>): AdmissionPlugin {
  return {
    name: 'NamespaceAutoProvision',
    handles: ({ operation, namespace, resource, dryRun }) =>
      operation === 'CREATE' &&
      !dryRun &&
      namespace !== '' &&
      !(resource.group === '' && resource.kind === 'Namespace'),
    async admit({ namespace }) {
      if (await lookup.get('', 'namespaces', '', namespace)) return;
      try {
        await make(namespace);
      } catch (error) {
        if (!(await lookup.get('', 'namespaces', '', namespace))) {
          throw internalError(error instanceof Error ? error.message : String(error));
        }
      }
    },
  };
}
