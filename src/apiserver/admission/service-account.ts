/**
 * Every pod has a ServiceAccount, and a volume with its token, the cluster's CA and its namespace.
 * Upstream: plugin/pkg/admission/serviceaccount/admission.go.
 */
import type { Container, Pod, ServiceAccount, Volume } from '#api/types';
import { type Draft, type KubeObject, notFound } from '#apimachinery';
import type { Random } from '#base';
import type { AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';
import type { Lookup } from './lookup.ts';

const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const volumePrefix = 'kube-api-access-';
const mirrorAnnotation = 'kubernetes.io/config.mirror';
/** An hour and seven seconds, by which upstream knows tokens that it injected. */
const tokenSeconds = 3607;

export function isMirrorPod(pod: { readonly metadata: KubeObject['metadata'] }): boolean {
  return pod.metadata.annotations?.[mirrorAnnotation] !== undefined;
}

export function serviceAccount(lookup: Lookup, random: Random): AdmissionPlugin {
  const accountOf = async (namespace: string, name: string): Promise<ServiceAccount> => {
    const found = await lookup.get('', 'serviceaccounts', namespace, name);
    if (!found) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
    return found as unknown as ServiceAccount;
  };
  return {
    name: 'ServiceAccount',
    handles: attributes => isFor(attributes, '', 'pods') && attributes.operation === 'CREATE',
    async admit(attributes, draft) {
      const pod = draft as unknown as Draft<Pod>;
      if (isMirrorPod(draft!)) return;
      pod.spec ??= { containers: [] };
      pod.spec.serviceAccountName ||= 'default';
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const { namespace } = attributes;
      const name = pod.spec.serviceAccountName;
      let account: ServiceAccount;
      try {
        account = await accountOf(namespace, name);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        throw admissionForbidden(attributes, draft, `error looking up service account ${namespace}/${name}: ${why}`);
      }
      if (pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) {
        mountToken(pod, random);
      }
      if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
        pod.spec.imagePullSecrets = structuredClone(account.imagePullSecrets) as never;
      }
    },
    validate(attributes, object) {
      const pod = object as unknown as Pod;
      if (!isMirrorPod(object!)) return;
      const refuse = (why: string): never => {
        throw admissionForbidden(attributes, object, why);
      };
      if (pod.spec?.serviceAccountName) refuse('a mirror pod may not reference service accounts');
      for (const volume of pod.spec?.volumes ?? []) {
        for (const source of volume.projected?.sources ?? []) {
          if (source.serviceAccountToken) refuse('a mirror pod may not use ServiceAccountToken volume projections');
        }
      }
    },
  };
}

function mountToken(pod: Draft<Pod>, random: Random): void {
  const { spec } = pod;
  const standing = spec.volumes?.find(volume => volume.name.startsWith(volumePrefix));
  const taken = new Set(spec.volumes?.map(volume => volume.name));
  let name = standing?.name ?? volumePrefix + random.suffix(5);
  while (!standing && taken.has(name)) name = volumePrefix + random.suffix(5);
  let mounted = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])] as Draft<Container>[]) {
    if (container.volumeMounts?.some(mount => mount.mountPath === mountPath)) continue;
    (container.volumeMounts ??= []).push({ name, readOnly: true, mountPath });
    mounted = true;
  }
  if (!mounted || standing) return;
  (spec.volumes ??= []).push(tokenVolume(name));
}

function tokenVolume(name: string): Draft<Volume> {
  return {
    name,
    projected: {
      sources: [
        { serviceAccountToken: { expirationSeconds: tokenSeconds, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
      defaultMode: 0o644,
    },
  };
}
