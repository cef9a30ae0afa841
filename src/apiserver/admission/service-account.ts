/**
 * Every pod has a ServiceAccount, and a volume with its token, the cluster's CA and its namespace.
 * Upstream: plugin/pkg/admission/serviceaccount/admission.go.
 */
import { podSecretNames } from '#api/core/helpers';
import type { Container, Pod, ServiceAccount, Volume } from '#api/types';
import { type Draft, goQuote, type KubeObject, StatusError } from '#apimachinery';
import type { Random } from '#base';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor, pathSegmentRefusal } from './errors.ts';
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
  const accountOf = async (attributes: AdmissionAttributes, pod: Pod): Promise<ServiceAccount> => {
    const { namespace } = attributes;
    const name = pod.spec?.serviceAccountName ?? '';
    const found = name === '' ? undefined : await lookup.get('', 'serviceaccounts', namespace, name);
    if (found) return found as unknown as ServiceAccount;
    const why =
      name === ''
        ? `no service account specified for pod ${namespace}/${pod.metadata.name ?? ''}`
        : `error looking up service account ${namespace}/${name}: ${pathSegmentRefusal(name) ?? `serviceaccount ${goQuote(name)} not found`}`;
    throw admissionForbidden(attributes, pod as unknown as KubeObject, why);
  };
  const check = async (attributes: AdmissionAttributes, object: KubeObject): Promise<void> => {
    const pod = object as unknown as Pod;
    const refuse = (why: string): never => {
      throw admissionForbidden(attributes, object, why);
    };
    if (attributes.operation === 'UPDATE') {
      const account = await accountOf(attributes, pod);
      if (!limitsSecrets(account)) return;
      const problem = unmountable(pod.spec.ephemeralContainers ?? [], 'ephemeral container', account);
      // Upstream answers with the error alone, as that of no Status.
      if (problem !== undefined) throw new StatusError({ code: 500, message: problem });
    } else if (isMirrorPod(object)) checkMirrorPod(pod, refuse);
    else {
      const account = await accountOf(attributes, pod);
      const problem = limitsSecrets(account) ? unreferenced(pod, account) : undefined;
      if (problem !== undefined) refuse(problem);
    }
  };
  return {
    name: 'ServiceAccount',
    handles: attributes =>
      (attributes.operation === 'CREATE' && isFor(attributes, '', 'pods')) ||
      (attributes.operation === 'UPDATE' && isFor(attributes, '', 'pods', 'ephemeralcontainers')),
    async admit(attributes, draft) {
      if (attributes.operation !== 'CREATE') return;
      const pod = draft as unknown as Draft<Pod>;
      if (isMirrorPod(draft!)) {
        await check(attributes, draft as unknown as KubeObject);
        return;
      }
      pod.spec ??= { containers: [] };
      pod.spec.serviceAccountName ||= 'default';
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const account = await accountOf(attributes, pod as unknown as Pod);
      if (pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) {
        mountToken(pod, random);
      }
      if (!pod.spec.imagePullSecrets?.length && account.imagePullSecrets?.length) {
        pod.spec.imagePullSecrets = structuredClone(account.imagePullSecrets) as never;
      }
      await check(attributes, draft as unknown as KubeObject);
    },
    async validate(attributes, object) {
      await check(attributes, object!);
      return undefined;
    },
  };
}

function checkMirrorPod({ spec }: Pod, refuse: (why: string) => never): void {
  if (spec?.serviceAccountName) refuse('a mirror pod may not reference service accounts');
  if (spec && podSecretNames(spec).length > 0) refuse('a mirror pod may not reference secrets');
  for (const volume of spec?.volumes ?? []) {
    for (const source of volume.projected?.sources ?? []) {
      if (source.serviceAccountToken) refuse('a mirror pod may not use ServiceAccountToken volume projections');
    }
  }
}

const enforceAnnotation = 'kubernetes.io/enforce-mountable-secrets';
const goTrue = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

/** Its pods may only use the Secrets that it names. */
function limitsSecrets({ metadata }: ServiceAccount): boolean {
  return goTrue.has(metadata.annotations?.[enforceAnnotation] ?? '');
}

type Environment = Pick<Container, 'name' | 'env' | 'envFrom'>;

function unmountable(containers: readonly Environment[], what: string, account: ServiceAccount): string | undefined {
  const mountable = new Set((account.secrets ?? []).map(each => each.name));
  const why = `is not allowed because service account ${account.metadata.name} does not reference that secret`;
  for (const { name, env, envFrom } of containers) {
    for (const { name: variable, valueFrom } of env ?? []) {
      const secret = valueFrom?.secretKeyRef;
      if (!secret || mountable.has(secret.name ?? '')) continue;
      return `${what} ${name} with envVar ${variable} referencing secret.secretName="${secret.name ?? ''}" ${why}`;
    }
    for (const { secretRef } of envFrom ?? []) {
      if (!secretRef || mountable.has(secretRef.name ?? '')) continue;
      return `${what} ${name} with envFrom referencing secret.secretName="${secretRef.name ?? ''}" ${why}`;
    }
  }
  return undefined;
}

function unreferenced({ spec }: Pod, account: ServiceAccount): string | undefined {
  const mountable = new Set((account.secrets ?? []).map(each => each.name));
  const { name } = account.metadata;
  for (const { secret } of spec.volumes ?? []) {
    if (!secret || mountable.has(secret.secretName ?? '')) continue;
    return `volume with secret.secretName="${secret.secretName ?? ''}" is not allowed because service account ${name} does not reference that secret`;
  }
  const problem =
    unmountable(spec.initContainers ?? [], 'init container', account) ??
    unmountable(spec.containers ?? [], 'container', account);
  if (problem !== undefined) return problem;
  const pullable = new Set((account.imagePullSecrets ?? []).map(each => each.name));
  for (const [at, each] of (spec.imagePullSecrets ?? []).entries()) {
    if (pullable.has(each.name)) continue;
    return `imagePullSecrets[${at}].name="${each.name ?? ''}" is not allowed because service account ${name} does not reference that imagePullSecret`;
  }
  return undefined;
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
