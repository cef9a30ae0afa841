/** The checks that level restricted adds to baseline. Upstream: pod-security-admission policy/check_*.go. */
import type { Volume } from '#api/types';
import {
  type Check,
  namesWhere,
  type PodCheck,
  procMount,
  seccompFields,
  unlessUserNamespace,
  validSeccomp,
} from './baseline-checks.ts';
import { allContainers, containersText, plural, quoted, settersText, sortedQuoted } from './words.ts';

/** What is for Linux alone does not concern pods that say they are Windows. */
function unlessWindows(check: PodCheck): PodCheck {
  return pod => (pod.spec.os?.name === 'windows' ? undefined : check(pod));
}

const escalation: PodCheck = ({ spec }) => {
  const names = namesWhere(spec, ({ securityContext }) => securityContext?.allowPrivilegeEscalation !== false);
  if (names.length === 0) return undefined;
  return {
    reason: 'allowPrivilegeEscalation != false',
    detail: `${containersText(names)} must set securityContext.allowPrivilegeEscalation=false`,
  };
};

const capabilities: PodCheck = ({ spec }) => {
  const added: string[] = [];
  const missing = namesWhere(spec, ({ securityContext }) => !securityContext?.capabilities?.drop?.includes('ALL'));
  const adding = namesWhere(spec, ({ securityContext }) => {
    const bad = (securityContext?.capabilities?.add ?? []).filter(each => each !== 'NET_BIND_SERVICE');
    added.push(...bad);
    return bad.length > 0;
  });
  const details: string[] = [];
  if (missing.length > 0) details.push(`${containersText(missing)} must set securityContext.capabilities.drop=["ALL"]`);
  if (adding.length > 0) {
    const what = `must not include ${sortedQuoted(added)} in securityContext.capabilities.add`;
    details.push(`${containersText(adding)} ${what}`);
  }
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined;
};

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const;
const knownVolumes =
  'hostPath gcePersistentDisk awsElasticBlockStore gitRepo nfs iscsi glusterfs rbd flexVolume cinder cephfs flocker fc azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume scaleIO storageos'.split(
    ' ',
  ) as Array<keyof Volume>;

const volumes: PodCheck = ({ spec }) => {
  const bad = (spec.volumes ?? []).filter(volume => !allowedVolumes.some(type => volume[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = new Set(bad.map(volume => knownVolumes.find(type => volume[type] !== undefined) ?? 'unknown'));
  const what = plural('restricted volume type', 'restricted volume types', types.size);
  const which = `${plural('volume', 'volumes', bad.length)} ${quoted(bad.map(volume => volume.name))}`;
  return {
    reason: 'restricted volume types',
    detail: `${which} ${plural('uses', 'use', bad.length)} ${what} ${sortedQuoted(types)}`,
  };
};

const nonRoot: PodCheck = ({ spec }) => {
  const own = spec.securityContext?.runAsNonRoot;
  const explicit = namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === false);
  const reason = 'runAsNonRoot != true';
  if (own === false || explicit.length > 0) {
    return {
      reason,
      detail: `${settersText(own === false, explicit)} must not set securityContext.runAsNonRoot=false`,
    };
  }
  if (own === true) return undefined;
  const implicit = namesWhere(spec, ({ securityContext }) => securityContext?.runAsNonRoot === undefined);
  if (implicit.length === 0) return undefined;
  return { reason, detail: `pod or ${containersText(implicit)} must set securityContext.runAsNonRoot=true` };
};

const nonRootUser: PodCheck = ({ spec }) => {
  const own = spec.securityContext?.runAsUser === 0;
  const names = namesWhere(spec, ({ securityContext }) => securityContext?.runAsUser === 0);
  if (!own && names.length === 0) return undefined;
  return { reason: 'runAsUser=0', detail: `${settersText(own, names)} must not set runAsUser=0` };
};

const seccomp: PodCheck = pod => {
  const wrong = seccompFields(pod);
  if (wrong) return wrong;
  if (validSeccomp(pod.spec.securityContext?.seccompProfile?.type)) return undefined;
  const names = allContainers(pod.spec)
    .filter(({ securityContext }) => !securityContext?.seccompProfile)
    .map(({ name }) => name);
  if (names.length === 0) return undefined;
  const what = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"';
  return { reason: 'seccompProfile', detail: `pod or ${containersText(names)} ${what}` };
};

export const restrictedChecks: readonly Check[] = [
  {
    id: 'allowPrivilegeEscalation',
    versions: [
      { since: 8, check: escalation },
      { since: 25, check: unlessWindows(escalation) },
    ],
  },
  {
    id: 'capabilities_restricted',
    overrides: ['capabilities_baseline'],
    versions: [
      { since: 22, check: capabilities },
      { since: 25, check: unlessWindows(capabilities) },
    ],
  },
  { id: 'procMount_restricted', overrides: ['procMount'], versions: [{ since: 35, check: procMount }] },
  { id: 'restrictedVolumes', overrides: ['hostPathVolumes'], versions: [{ since: 0, check: volumes }] },
  {
    id: 'runAsNonRoot',
    versions: [
      { since: 0, check: nonRoot },
      { since: 35, check: unlessUserNamespace(nonRoot) },
    ],
  },
  {
    id: 'runAsUser',
    versions: [
      { since: 23, check: nonRootUser },
      { since: 35, check: unlessUserNamespace(nonRootUser) },
    ],
  },
  {
    id: 'seccompProfile_restricted',
    overrides: ['seccompProfile_baseline'],
    versions: [
      { since: 19, check: seccomp },
      { since: 25, check: unlessWindows(seccomp) },
    ],
  },
];
