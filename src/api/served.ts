/**
 * Which of the built-in kinds a server serves: those of resources.gen.ts, without what was switched off, and with kinds
 * that upstream has behind `--runtime-config` and feature gates. Upstream: pkg/controlplane/instance.go
 * (DefaultAPIResourceConfigSource), the rest storage providers of pkg/registry.
 */
import type { GroupFacts, ResourceFacts } from './kind.ts';
import { groups, resources } from './resources.gen.ts';

/** What a server serves, in the order of discovery. */
export interface ServedFacts {
  readonly groups: readonly GroupFacts[];
  readonly resources: readonly ResourceFacts[];
}

/** A kind that is not served unless asked for. */
export interface OptionalFacts extends ResourceFacts {
  /** Without this feature there is nothing to switch on. */
  readonly gate?: string;
  /** Said with every answer, and since when. */
  readonly deprecation: string;
}

export const servedByDefault: ServedFacts = { groups, resources };

const clusterTrustBundle = {
  kind: 'ClusterTrustBundle',
  resource: 'clustertrustbundles',
  singular: 'clustertrustbundle',
  group: 'certificates.k8s.io',
  namespaced: false,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  shortNames: [],
  categories: [],
  subresources: [],
  storageGroup: 'certificates.k8s.io',
  storageVersion: 'v1beta1',
  storageVersionHash: 'v5yhuVertL4=',
  gate: 'ClusterTrustBundle',
};

/** A kind of v1 as an older version has it: in the same shape. */
function older(group: string, version: string, resource: string, since: string): OptionalFacts {
  const facts = resources.find(each => each.group === group && each.version === 'v1' && each.resource === resource)!;
  const renamed = (typeName: string): string => typeName.replace('.v1.', `.${version}.`);
  return {
    ...facts,
    version,
    typeName: renamed(facts.typeName),
    subresources: facts.subresources.map(each => ({
      ...each,
      kind: { ...each.kind, version },
      typeName: renamed(each.typeName),
    })),
    deprecation: `${group}/${version} ${facts.kind} is deprecated in ${since}`,
  };
}

const admission = 'admissionregistration.k8s.io';
const policies = ['mutatingadmissionpolicies', 'mutatingadmissionpolicybindings'];

/** Those that may be asked for. */
export const optionalResources: readonly OptionalFacts[] = [
  {
    ...clusterTrustBundle,
    version: 'v1beta1',
    typeName: 'io.k8s.api.certificates.v1beta1.ClusterTrustBundle',
    deprecation: 'certificates.k8s.io/v1beta1 ClusterTrustBundle is deprecated in v1.37+, unavailable in v1.40+',
  },
  {
    ...clusterTrustBundle,
    version: 'v1alpha1',
    typeName: 'io.k8s.api.certificates.v1alpha1.ClusterTrustBundle',
    deprecation: 'certificates.k8s.io/v1alpha1 ClusterTrustBundle is deprecated in v1.34+, unavailable in v1.37+',
  },
  older('networking.k8s.io', 'v1beta1', 'ipaddresses', 'v1.34+, unavailable in v1.37+'),
  older('networking.k8s.io', 'v1beta1', 'servicecidrs', 'v1.34+, unavailable in v1.37+'),
  older(
    'storage.k8s.io',
    'v1beta1',
    'volumeattributesclasses',
    'v1.34+, unavailable in v1.37+; use storage.k8s.io/v1 VolumeAttributesClass',
  ),
  ...policies.map(resource => {
    const made = older(admission, 'v1beta1', resource, 'v1.37+, unavailable in v1.40+');
    return { ...made, deprecation: `${made.deprecation}; use ${admission}/v1 ${made.kind}` };
  }),
  ...policies.map(resource => older(admission, 'v1alpha1', resource, 'v1.35+, unavailable in v1.38+')),
];

/** The facts of the kinds that `isServed`, which is told whether they are by default. */
export function servedFacts(
  isServed: (facts: OptionalFacts | ResourceFacts, byDefault: boolean) => boolean,
): ServedFacts {
  const own = resources.filter(each => isServed(each, true));
  const further = optionalResources.filter(each => isServed(each, false));
  if (own.length === resources.length && further.length === 0) return servedByDefault;
  const served = [...own, ...further];
  const versionsOf = ({ name, versions }: GroupFacts): string[] => {
    const has = (version: string): boolean => served.some(each => each.group === name && each.version === version);
    const added = new Set(further.filter(each => each.group === name).map(each => each.version));
    return [...versions, ...[...added].sort().reverse()].filter(has);
  };
  return {
    resources: served,
    groups: groups.flatMap(group => {
      const versions = versionsOf(group);
      const [preferredVersion] = versions;
      return preferredVersion === undefined ? [] : [{ ...group, versions, preferredVersion }];
    }),
  };
}
