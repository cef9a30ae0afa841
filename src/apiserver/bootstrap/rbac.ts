/** Reads the roles and bindings of {@link rbacPolicy} into objects. */
import type { Draft, KubeObject } from '#apimachinery';
import type { PolicyRule } from '../authorization/authorizer.ts';
import { FeatureGates } from '../features/feature-gates.ts';
import { rbacPolicy } from './rbac-policy.ts';

const metadata = (name: string, labels: Record<string, string> = {}) => {
  const slash = name.indexOf('/');
  return {
    name: name.slice(slash + 1),
    ...(slash >= 0 && { namespace: name.slice(0, slash) }),
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
};

const list = (text: string | undefined): string[] => (text ?? '').split(',').map(each => (each === '""' ? '' : each));

function rule(words: readonly string[]): object {
  const [verbs, groups, resources, names] = words;
  if (groups === 'url') return { verbs: list(verbs), nonResourceURLs: list(resources) };
  return {
    verbs: list(verbs),
    apiGroups: list(groups),
    resources: list(resources),
    ...(names && { resourceNames: list(names) }),
  };
}

function role(kind: string, name: string, words: readonly string[]): Draft<KubeObject> {
  const labels: Record<string, string> = {};
  const object: Draft<KubeObject> = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: metadata(name, labels),
  };
  for (const word of words) {
    const at = word.indexOf(':');
    const [key = '', value = ''] = word.slice(at + 1).split('=');
    if (word.startsWith('label:')) object.metadata.labels![key] = value;
    else object['aggregationRule'] = { clusterRoleSelectors: [{ matchLabels: { [key]: value } }] };
  }
  return object;
}

function binding(kind: string, name: string, words: readonly string[]): Draft<KubeObject> {
  const [roleWord = '', ...subjects] = words;
  const [roleKind = '', roleName = ''] = roleWord.split('=');
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: metadata(name),
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: roleKind, name: roleName },
    subjects: subjects.map(each => {
      const at = each.indexOf('=');
      const subjectKind = each.slice(0, at);
      const subjectName = each.slice(at + 1);
      if (subjectKind !== 'ServiceAccount') {
        return { kind: subjectKind, apiGroup: 'rbac.authorization.k8s.io', name: subjectName };
      }
      const [namespace, account] = subjectName.split('/');
      return { kind: subjectKind, name: account, namespace };
    }),
  };
}

/** Roles before the bindings that name them. */
export function rbacObjects(features: FeatureGates = new FeatureGates()): Draft<KubeObject>[] {
  const objects: Draft<KubeObject>[] = [];
  for (const line of rbacPolicy.trim().split('\n')) {
    const words = line.trim().split(' ');
    if (line.startsWith(' ')) {
      const last = objects.at(-1)!;
      last['rules'] = [...((last['rules'] as object[] | undefined) ?? []), rule(words)];
      continue;
    }
    const [kind = '', name = '', ...rest] = words;
    objects.push(kind.endsWith('Binding') ? binding(kind, name, rest) : role(kind, name, rest));
  }
  return features.enabled('ClusterTrustBundle') ? withTrustBundles(objects, features) : objects;
}

/** With what bundles of trust need, where upstream has it. */
function withTrustBundles(objects: readonly Draft<KubeObject>[], features: FeatureGates): Draft<KubeObject>[] {
  const publisher = 'kube-apiserver-serving-clustertrustbundle-publisher';
  const discovery = 'system:cluster-trust-bundle-discovery';
  const read = rule(['get,list,watch', 'certificates.k8s.io', 'clustertrustbundles']);
  const made = [
    { ...role('ClusterRole', discovery, []), rules: [read] },
    {
      ...role('ClusterRole', `system:controller:${publisher}`, []),
      rules: [
        rule(['attest', 'certificates.k8s.io', 'signers', 'kubernetes.io/kube-apiserver-serving']),
        rule(['create,delete,list,update,watch', 'certificates.k8s.io', 'clustertrustbundles']),
        rule(['create,patch,update', '"",events.k8s.io', 'events']),
      ],
    },
    binding('ClusterRoleBinding', discovery, [`ClusterRole=${discovery}`, 'Group=system:serviceaccounts']),
    binding('ClusterRoleBinding', `system:controller:${publisher}`, [
      `ClusterRole=system:controller:${publisher}`,
      `ServiceAccount=kube-system/${publisher}`,
    ]),
  ];
  const mayRead = features.enabled('ClusterTrustBundleProjection');
  return [
    ...objects.map(object => {
      if (!mayRead || object.kind !== 'ClusterRole' || object.metadata.name !== 'system:node') return object;
      return { ...object, rules: [...(object['rules'] as object[]), read] };
    }),
    ...(made as Draft<KubeObject>[]),
  ];
}

/** The rules of one of the ClusterRoles, as it is made. */
export function defaultRulesOf(name: string): readonly PolicyRule[] {
  const role = rbacObjects().find(object => object.kind === 'ClusterRole' && object.metadata.name === name);
  return (role?.['rules'] ?? []) as PolicyRule[];
}
