/**
 * Volumes and claims: default class, growth, and finalizers that keep what is in use. Upstream:
 * plugin/pkg/admission/storage/{storageclass/setdefault,storageobjectinuseprotection,persistentvolume/resize},
 * network/defaultingressclass.
 */
import type { Ingress, PersistentVolumeClaim, StorageClass } from '#api/types';
import { type Draft, type KubeObject, parseQuantity, parseTimeMs } from '#apimachinery';
import type { AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

const isDefaultClass = 'storageclass.kubernetes.io/is-default-class';
const isDefaultClassBeta = 'storageclass.beta.kubernetes.io/is-default-class';
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';

/** Newest first, then by name. */
function newestFirst(a: KubeObject, b: KubeObject): number {
  const byTime = parseTimeMs(b.metadata.creationTimestamp ?? null) - parseTimeMs(a.metadata.creationTimestamp ?? null);
  return byTime || (a.metadata.name! < b.metadata.name! ? -1 : 1);
}

export function defaultStorageClass(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'DefaultStorageClass',
    handles: attributes => isFor(attributes, '', 'persistentvolumeclaims') && attributes.operation === 'CREATE',
    async admit(_attributes, draft) {
      const claim = draft as unknown as Draft<PersistentVolumeClaim>;
      if (claim.metadata.annotations?.[classAnnotation] !== undefined) return;
      claim.spec ??= {};
      if (claim.spec.storageClassName !== undefined) return;
      const all = await lookup.list('storage.k8s.io', 'storageclasses');
      const [standard] = all
        .filter(({ metadata: { annotations } }) => {
          return annotations?.[isDefaultClass] === 'true' || annotations?.[isDefaultClassBeta] === 'true';
        })
        .sort(newestFirst) as unknown as StorageClass[];
      if (standard) claim.spec.storageClassName = standard.metadata.name!;
    },
  };
}

function classOf(claim: PersistentVolumeClaim): string {
  return claim.metadata.annotations?.[classAnnotation] ?? claim.spec?.storageClassName ?? '';
}

/** Claims grow when they are bound and their class lets them. */
export function persistentVolumeClaimResize(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'PersistentVolumeClaimResize',
    handles: attributes => attributes.operation === 'UPDATE' && isFor(attributes, '', 'persistentvolumeclaims'),
    async validate(attributes, object) {
      const [now, old] = [object, attributes.old] as unknown as [PersistentVolumeClaim, PersistentVolumeClaim];
      const sizeOf = (claim: PersistentVolumeClaim) =>
        parseQuantity(claim.spec?.resources?.requests?.['storage'] ?? '0');
      if (sizeOf(now).compare(sizeOf(old)) <= 0) return;
      if (old.status?.phase !== 'Bound') {
        throw admissionForbidden(attributes, object, 'Only bound persistent volume claims can be expanded');
      }
      const name = classOf(now);
      if (name !== '' && name === classOf(old)) {
        const found = (await lookup.get('storage.k8s.io', 'storageclasses', '', name)) as StorageClass | undefined;
        if (found?.allowVolumeExpansion) return;
      }
      const why =
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';
      throw admissionForbidden(attributes, object, why);
    },
  };
}

const protection: Readonly<Record<string, string>> = {
  persistentvolumes: 'kubernetes.io/pv-protection',
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  volumeattributesclasses: 'kubernetes.io/vac-protection',
};

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: 'StorageObjectInUseProtection',
  handles: attributes =>
    attributes.operation === 'CREATE' &&
    (isFor(attributes, '', 'persistentvolumes') ||
      isFor(attributes, '', 'persistentvolumeclaims') ||
      isFor(attributes, 'storage.k8s.io', 'volumeattributesclasses')),
  admit(attributes, draft) {
    const finalizer = protection[attributes.resource.resource]!;
    const finalizers = (draft!.metadata.finalizers ??= []);
    if (!finalizers.includes(finalizer)) finalizers.push(finalizer);
  },
};

export function defaultIngressClass(lookup: Lookup): AdmissionPlugin {
  return {
    name: 'DefaultIngressClass',
    handles: attributes => isFor(attributes, 'networking.k8s.io', 'ingresses') && attributes.operation === 'CREATE',
    async admit(_attributes, draft) {
      const ingress = draft as unknown as Draft<Ingress>;
      ingress.spec ??= {};
      if (ingress.spec.ingressClassName !== undefined) return;
      if (ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined) return;
      const all = await lookup.list('networking.k8s.io', 'ingressclasses');
      const standard = all
        .filter(each => each.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true')
        .sort(newestFirst);
      if (standard.length > 0) ingress.spec.ingressClassName = standard[0]!.metadata.name!;
    },
  };
}
