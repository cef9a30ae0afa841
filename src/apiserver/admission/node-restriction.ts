/**
 * A kubelet changes its own node, the pods on it and what belongs to them, and nothing else.
 * Upstream: plugin/pkg/admission/noderestriction/admission.go.
 * Deviation: what differs in the status of a claim is not shown; upstream shows Go's dump of it.
 */
import { podConfigMapNames, podSecretNames } from '#api/core/helpers';
import type {
  CertificateSigningRequest,
  Eviction,
  Lease,
  Node,
  PersistentVolumeClaim,
  Pod,
  PodSpec,
  ResourceSlice,
  TokenRequest,
  Volume,
} from '#api/types';
import { type KubeObject, notFound, semanticEqual } from '#apimachinery';
import { requestSubject } from '#pki';
import type { Authorizer } from '../authorization/authorizer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden } from './errors.ts';
import type { Lookup } from './lookup.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const nodeUserPrefix = 'system:node:';
const quote = (text: string): string => JSON.stringify(text);

/** The node that a user is; empty when it is one without a name, undefined when it is none. */
export function nodeNameOf({ name, groups }: AdmissionAttributes['user']): string | undefined {
  if (!name.startsWith(nodeUserPrefix) || !groups.includes('system:nodes')) return undefined;
  return name.slice(nodeUserPrefix.length);
}

interface Request {
  readonly node: string;
  readonly attributes: AdmissionAttributes;
  readonly object: KubeObject | null;
  readonly refuse: (why: string) => never;
}

type Rule = (request: Request) => Promise<void> | void;

export function nodeRestriction(lookup: Lookup, authorizer: Authorizer): AdmissionPlugin {
  const rules = restrictions(lookup, authorizer);
  return {
    name: 'NodeRestriction',
    handles: ({ operation, user }) => operation !== 'CONNECT' && user.name.startsWith(nodeUserPrefix),
    async admit(attributes, draft) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return;
      const object = draft as unknown as KubeObject | null;
      const refuse = (why: string): never => {
        throw admissionForbidden(attributes, object, why);
      };
      if (node === '') refuse(`could not determine node from user ${quote(attributes.user.name)}`);
      const { group, resource } = attributes.resource;
      await rules[`${group}/${resource}`]?.({ node, attributes, object, refuse });
    },
  };
}

function restrictions(lookup: Lookup, authorizer: Authorizer): Readonly<Record<string, Rule>> {
  return {
    '/pods': request => podRule(request, lookup),
    '/nodes': nodeRule,
    '/persistentvolumeclaims': claimRule,
    '/serviceaccounts': request => tokenRule(request, lookup, authorizer),
    'coordination.k8s.io/leases': leaseRule,
    'storage.k8s.io/csinodes': ({ node, attributes, object, refuse }) => {
      const name = attributes.operation === 'CREATE' ? object?.metadata.name : attributes.name;
      if (name !== node) refuse('can only access CSINode with the same name as the requesting node');
    },
    'resource.k8s.io/resourceslices': sliceRule,
    'certificates.k8s.io/certificatesigningrequests': signingRule,
  };
}

async function podRule(request: Request, lookup: Lookup): Promise<void> {
  const { node, attributes, object, refuse } = request;
  const { operation, subresource, namespace, name } = attributes;
  const podNamed = async (podName: string): Promise<Pod> => {
    const pod = await lookup.get('', 'pods', namespace, podName);
    if (!pod) throw notFound({ group: '', resource: 'pods' }, podName);
    return pod as unknown as Pod;
  };
  if (subresource === 'eviction') {
    if (operation !== 'CREATE') refuse(`unexpected operation ${operation}`);
    const pod = await podNamed(name || ((object as unknown as Eviction).metadata.name ?? ''));
    if (pod.spec.nodeName !== node) refuse(`node ${node} can only evict pods with spec.nodeName set to itself`);
  } else if (subresource === 'status') statusRule(request);
  else if (subresource !== '') {
    refuse(`unexpected pod subresource ${quote(subresource)}, only 'status' and 'eviction' are allowed`);
  } else if (operation === 'CREATE') await mirrorPodRule(request, lookup);
  else if (operation === 'DELETE') {
    const pod = await podNamed(name);
    if (pod.spec.nodeName !== node) refuse(`node ${quote(node)} can only delete pods with spec.nodeName set to itself`);
  } else {
    refuse(`unexpected operation ${quote(operation)}, node ${quote(node)} can only create and delete mirror pods`);
  }
}

function statusRule({ node, attributes, object, refuse }: Request): void {
  if (attributes.operation !== 'UPDATE') refuse(`unexpected operation ${quote(attributes.operation)}`);
  const [now, old] = [object, attributes.old] as unknown as [Pod, Pod];
  if (old.spec.nodeName !== node) {
    refuse(`node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`);
  }
  if (!semanticEqual(now.metadata.labels ?? {}, old.metadata.labels ?? {})) {
    refuse(`node ${quote(node)} cannot update labels through pod status`);
  }
  const claims = (pod: Pod): unknown =>
    (pod.status?.resourceClaimStatuses ?? []).map(each => [each.name, each.resourceClaimName]);
  if (!semanticEqual(claims(now), claims(old))) refuse(`node ${quote(node)} cannot update resource claim statues`);
  if (!semanticEqual(now.status?.extendedResourceClaimStatus, old.status?.extendedResourceClaimStatus)) {
    refuse(`node ${quote(node)} cannot update extended resource claim status`);
  }
}

async function mirrorPodRule({ node, object, refuse }: Request, lookup: Lookup): Promise<void> {
  const pod = object as unknown as Pod;
  const who = `node ${quote(node)}`;
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) {
    refuse(`pod does not have ${quote(mirrorAnnotation)} annotation, ${who} can only create mirror pods`);
  }
  if (pod.spec.nodeName !== node) refuse(`${who} can only create pods with spec.nodeName set to itself`);
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.length > 1) refuse(`${who} can only create pods with a single owner reference set to itself`);
  const [owner] = owners;
  if (owner?.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node) {
    return refuse(`${who} can only create pods with an owner reference set to itself`);
  }
  if (!owner.controller) refuse(`${who} can only create pods with a controller owner reference set to itself`);
  if (owner.blockOwnerDeletion) refuse(`${who} must not set blockOwnerDeletion on an owner reference`);
  const found = await lookup.get('', 'nodes', '', node);
  if (!found) throw notFound({ group: '', resource: 'nodes' }, node);
  if (found.metadata.uid !== owner.uid) {
    refuse(`node ${node} UID mismatch: expected ${owner.uid} got ${found.metadata.uid}`);
  }
  const referred = referredResource(pod.spec);
  if (referred !== undefined) refuse(`${who} can not create pods that reference ${referred}`);
}

/** What of the API a pod needs, as upstream names it. */
function referredResource(spec: PodSpec): string | undefined {
  if (spec.serviceAccountName) return 'serviceaccounts';
  if (podSecretNames(spec).length > 0) return 'secrets';
  if (podConfigMapNames(spec).length > 0) return 'configmaps';
  if (spec.resourceClaims?.length) return 'resourceclaims';
  for (const volume of spec.volumes ?? []) {
    const needs = referredByVolume(volume);
    if (needs !== undefined) return needs;
  }
  return undefined;
}

function referredByVolume(volume: Volume): string | undefined {
  if (volume.configMap) return 'configmaps (via configmap volumes)';
  if (volume.secret) return 'secrets (via secret volumes)';
  if (volume.csi) return 'csidrivers (via CSI volumes)';
  if (volume.glusterfs) return 'endpoints (via glusterFS volumes)';
  if (volume.persistentVolumeClaim) return 'persistentvolumeclaims';
  if (volume.ephemeral) return 'persistentvolumeclaims (via ephemeral volumes)';
  if (volume.azureFile) return 'secrets (via azureFile volumes)';
  for (const source of volume.projected?.sources ?? []) {
    if (source.configMap) return 'configmaps (via projected volumes)';
    if (source.secret) return 'secrets (via projected volumes)';
    if (source.serviceAccountToken) return 'serviceaccounts (via projected volumes)';
    if (source.clusterTrustBundle) return 'clustertrustbundles';
    if (source.podCertificate) return 'podcertificates';
  }
  return undefined;
}

const kubeletLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);

function isWithin(domain: string, wide: string): boolean {
  return domain === wide || domain.endsWith(`.${wide}`);
}

function isForbiddenLabel(key: string): boolean {
  const domain = key.includes('/') ? key.slice(0, key.indexOf('/')) : '';
  if (isWithin(domain, 'node-restriction.kubernetes.io')) return true;
  if (!isWithin(domain, 'kubernetes.io') && !isWithin(domain, 'k8s.io')) return false;
  if (kubeletLabels.has(key)) return false;
  return !isWithin(domain, 'kubelet.kubernetes.io') && !isWithin(domain, 'node.kubernetes.io');
}

function nodeRule({ node, attributes, object, refuse }: Request): void {
  const { operation, name } = attributes;
  if (name !== node) refuse(`node ${quote(node)} is not allowed to modify node ${quote(name)}`);
  if (operation !== 'CREATE' && operation !== 'UPDATE') return;
  const [now, old] = [object, attributes.old] as unknown as [Node, Node | null];
  const { configSource } = now.spec ?? {};
  if (configSource !== undefined && !semanticEqual(configSource, old?.spec?.configSource)) {
    const who = `node ${quote(node)} is not allowed to`;
    refuse(
      old
        ? `${who} update configSource to a new non-nil configSource`
        : `${who} create pods with a non-nil configSource`,
    );
  }
  if (old && !semanticEqual(now.spec?.taints, old.spec?.taints)) {
    refuse(`node ${quote(node)} is not allowed to modify taints`);
  }
  if (old && !semanticEqual(now.metadata.ownerReferences, old.metadata.ownerReferences)) {
    refuse(`node ${quote(node)} is not allowed to modify ownerReferences`);
  }
  const [labels, before] = [now.metadata.labels ?? {}, old?.metadata.labels ?? {}];
  const changed = new Set([...Object.keys(labels), ...Object.keys(before)].filter(key => labels[key] !== before[key]));
  const forbidden = [...changed].filter(isForbiddenLabel).sort().join(', ');
  if (forbidden === '') return;
  if (old) refuse(`is not allowed to modify labels: ${forbidden}`);
  refuse(`node ${quote(node)} is not allowed to set the following labels: ${forbidden}`);
}

function claimRule({ node, attributes, object, refuse }: Request): void {
  if (attributes.subresource !== 'status') refuse('may only update PVC status');
  if (attributes.operation !== 'UPDATE') refuse(`unexpected operation ${quote(attributes.operation)}`);
  const rest = (claim: PersistentVolumeClaim): unknown => {
    const { resourceVersion: _r, managedFields: _m, ...metadata } = claim.metadata;
    const {
      capacity: _c,
      conditions: _n,
      allocatedResources: _a,
      allocatedResourceStatuses: _s,
      ...status
    } = claim.status ?? {};
    return { metadata, spec: claim.spec, status };
  };
  const [now, old] = [object, attributes.old] as unknown as [PersistentVolumeClaim, PersistentVolumeClaim];
  if (semanticEqual(rest(now), rest(old))) return;
  refuse(`node ${quote(node)} is not allowed to update fields other than status.quantity and status.conditions: `);
}

async function tokenRule(request: Request, lookup: Lookup, authorizer: Authorizer): Promise<void> {
  const { node, attributes, object, refuse } = request;
  if (attributes.operation !== 'CREATE' || attributes.subresource !== 'token') return;
  const { boundObjectRef: ref, audiences } = (object as unknown as TokenRequest).spec;
  if (ref?.apiVersion !== 'v1' || ref.kind !== 'Pod' || !ref.name) {
    return refuse('node requested token not bound to a pod');
  }
  if (!ref.uid) refuse('node requested token with a pod binding without a uid');
  const pod = (await lookup.get('', 'pods', attributes.namespace, ref.name)) as unknown as Pod | undefined;
  // As upstream's lister names it.
  if (!pod) throw notFound({ group: '', resource: 'pod' }, ref.name);
  if (pod.metadata.uid !== ref.uid) {
    refuse(
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (pod.spec.nodeName !== node) refuse('node requested token bound to a pod scheduled on a different node');
  await audienceRule({ ...request, pod, audiences: audiences ?? [] }, lookup, authorizer);
}

async function audienceRule(
  { attributes, refuse, pod, audiences }: Request & { pod: Pod; audiences: readonly string[] },
  lookup: Lookup,
  authorizer: Authorizer,
): Promise<void> {
  if (audiences.length > 1) refuse('node may only request 0 or 1 audiences');
  const audience = audiences[0] ?? '';
  const needed = await podNeedsAudience(pod, audience, lookup);
  if (needed.isNeeded) return;
  const [problem = '', ...further] = needed.problems;
  if (problem !== '') {
    const text = further.length > 0 ? `[${needed.problems.join(', ')}]` : problem;
    refuse(`error validating audience ${quote(audience)}: ${text}`);
  }
  const { user, namespace, name } = attributes;
  const { decision } = await authorizer.authorize({
    user,
    verb: 'request-serviceaccounts-token-audience',
    isResourceRequest: true,
    path: '',
    group: '',
    version: 'v1',
    namespace,
    resource: audience,
    subresource: '',
    name,
    fieldSelector: '',
    labelSelector: '',
  });
  if (decision === 'allow') return;
  refuse(
    `audience ${quote(audience)} not found in pod spec volume, ${user.name} is not authorized to request tokens for this audience`,
  );
}

interface Needed {
  readonly isNeeded: boolean;
  /** What could not be found on the way to a driver, once each. */
  readonly problems: readonly string[];
}

/** By a projected token, or by the CSI driver of one of its volumes. */
async function podNeedsAudience(pod: Pod, audience: string, lookup: Lookup): Promise<Needed> {
  const problems = new Set<string>();
  for (const volume of pod.spec.volumes ?? []) {
    const sources = volume.projected?.sources ?? [];
    if (sources.some(each => each.serviceAccountToken && (each.serviceAccountToken.audience ?? '') === audience)) {
      return { isNeeded: true, problems: [] };
    }
    const { driver, problem } = await driverOf(pod, volume, lookup);
    if (problem !== undefined) problems.add(problem);
    if (!driver) continue;
    const found = await lookup.get('storage.k8s.io', 'csidrivers', '', driver);
    if (!found) problems.add(`csidriver.storage.k8s.io ${quote(driver)} not found`);
    const requests = (found?.['spec'] as { tokenRequests?: Array<{ audience: string }> } | undefined)?.tokenRequests;
    if (requests?.some(each => each.audience === audience)) return { isNeeded: true, problems: [] };
  }
  return { isNeeded: false, problems: [...problems] };
}

/** By the volume itself, or its claim and what that is bound to. */
async function driverOf(
  pod: Pod,
  volume: Volume,
  lookup: Lookup,
): Promise<{ readonly driver?: string | undefined; readonly problem?: string }> {
  const claimName = volume.ephemeral?.volumeClaimTemplate
    ? `${pod.metadata.name}-${volume.name}`
    : volume.persistentVolumeClaim?.claimName;
  if (claimName === undefined) return { driver: volume.csi?.driver };
  const claim = await lookup.get('', 'persistentvolumeclaims', pod.metadata.namespace!, claimName);
  if (!claim) return { problem: `persistentvolumeclaim ${quote(claimName)} not found` };
  const volumeName = (claim as unknown as PersistentVolumeClaim).spec?.volumeName ?? '';
  const bound = volumeName === '' ? undefined : await lookup.get('', 'persistentvolumes', '', volumeName);
  if (!bound) return { problem: `persistentvolume ${quote(volumeName)} not found` };
  return { driver: (bound['spec'] as { csi?: { driver?: string } }).csi?.driver };
}

function leaseRule({ node, attributes, object, refuse }: Request): void {
  if (attributes.namespace !== 'kube-node-lease') {
    refuse('can only access leases in the "kube-node-lease" system namespace');
  }
  const name = attributes.operation === 'CREATE' ? (object as unknown as Lease).metadata.name : attributes.name;
  if (name !== node) refuse('can only access node lease with the same name as the requesting node');
}

function sliceRule({ node, attributes, object, refuse }: Request): void {
  const { operation, old } = attributes;
  if (operation !== 'CREATE' && operation !== 'DELETE') return;
  const slice = (operation === 'CREATE' ? object : old) as unknown as ResourceSlice | null;
  if (slice?.spec.nodeName === node) return;
  refuse(`can only ${operation.toLowerCase()} ResourceSlice with the same NodeName as the requesting node`);
}

function signingRule({ node, attributes, object, refuse }: Request): void {
  if (attributes.operation !== 'CREATE') return;
  const { signerName, request } = (object as unknown as CertificateSigningRequest).spec;
  if (signerName !== 'kubernetes.io/kubelet-serving' && signerName !== 'kubernetes.io/kube-apiserver-client-kubelet')
    return;
  let commonName = '';
  try {
    commonName = requestSubject(Buffer.from(request, 'base64').toString()).commonName;
  } catch (error) {
    refuse(`unable to parse csr: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (commonName !== nodeUserPrefix + node) refuse(`can only create a node CSR with CN=${nodeUserPrefix}${node}`);
}
