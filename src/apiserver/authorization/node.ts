/**
 * What kubelets may do, for users named `system:node:<name>` in the group `system:nodes`: read what the pods of their
 * own node refer to, their own Node, lease and CSINode, and for the rest the rules that the ClusterRole `system:node`
 * has by default, whatever became of it.
 * Upstream: plugin/pkg/auth/authorizer/node/node_authorizer.go. Upstream keeps a graph of who refers to what; here the
 * question is answered from the pods of the one node, which the watch cache has an index of.
 */
import { podClaimNames, podConfigMapNames, podSecretNames, volumeSecretsForNode } from '#api/core/helpers';
import type { PersistentVolume, Pod } from '#api/types';
import { parseFieldSelector } from '#apimachinery';
import type { Lookup, PodsOnNode } from '../admission/lookup.ts';
import type { UserInfo } from '../authentication/user.ts';
import { defaultRulesOf } from '../bootstrap/rbac.ts';
import type { AuthorizationAttributes, Authorizer, Decision, RuleResolver, UserRules } from './authorizer.ts';
import { ruleAllows } from './rbac.ts';

const namePrefix = 'system:node:';
const leaseNamespace = 'kube-node-lease';
const mirrorAnnotation = 'kubernetes.io/config.mirror';

const allow: Decision = { decision: 'allow', reason: '' };
const noOpinion = (reason = ''): Decision => ({ decision: 'noOpinion', reason });

type Answer = Decision | Promise<Decision>;
type Rule = (node: string, attributes: AuthorizationAttributes) => Answer;

/** Has an opinion on nodes only; what it does not allow is left to the next authorizer. */
export function nodeAuthorizer(lookup: Lookup, podsOnNode: PodsOnNode): Authorizer & RuleResolver {
  const rules = resourceRules(new Relations(lookup, podsOnNode));
  const granted = defaultRulesOf('system:node');
  return {
    authorize(attributes) {
      if (!isNode(attributes.user)) return noOpinion();
      const { name } = attributes.user;
      const node = name.slice(namePrefix.length);
      if (node === '') return noOpinion(`unknown node for user ${JSON.stringify(name)}`);
      const { group, resource } = attributes;
      const rule = attributes.isResourceRequest
        ? rules.get(group === '' ? resource : `${resource}.${group}`)
        : undefined;
      if (rule) return rule(node, attributes);
      return granted.some(each => ruleAllows(each, attributes)) ? allow : noOpinion();
    },
    rulesFor: user => (isNode(user) ? unknownRules : noRules),
  };
}

const isNode = ({ name, groups }: UserInfo): boolean => name.startsWith(namePrefix) && groups.includes('system:nodes');

const noRules: UserRules = { rules: [], incomplete: false, errors: [] };
const unknownRules: UserRules = {
  rules: [],
  incomplete: true,
  errors: ['node authorizer does not support user rule resolution'],
};

/** Whether anything on a node has to do with an object, by kind of object. */
class Relations {
  readonly #lookup: Lookup;
  readonly #podsOnNode: PodsOnNode;

  constructor(lookup: Lookup, podsOnNode: PodsOnNode) {
    this.#lookup = lookup;
    this.#podsOnNode = podsOnNode;
  }

  /** By something in a pod of the node. A mirror pod, which the node makes itself, grants nothing. */
  async byPod(node: string, namespace: string, refers: (pod: Pod) => boolean): Promise<boolean> {
    const pods = await this.#podsOnNode(node);
    return pods.some(
      pod =>
        pod.metadata.namespace === namespace &&
        pod.metadata.annotations?.[mirrorAnnotation] === undefined &&
        refers(pod),
    );
  }

  async pod(node: string, namespace: string, name: string): Promise<boolean> {
    const pods = await this.#podsOnNode(node);
    return pods.some(pod => pod.metadata.namespace === namespace && pod.metadata.name === name);
  }

  claim(node: string, namespace: string, name: string): Promise<boolean> {
    return this.byPod(node, namespace, pod => [...podClaimNames(pod).values()].includes(name));
  }

  configMap(node: string, namespace: string, name: string): Promise<boolean> {
    return this.byPod(node, namespace, pod => podConfigMapNames(pod.spec).includes(name));
  }

  serviceAccount(node: string, namespace: string, name: string): Promise<boolean> {
    return this.byPod(node, namespace, pod => pod.spec.serviceAccountName === name);
  }

  resourceClaim(node: string, namespace: string, name: string): Promise<boolean> {
    return this.byPod(node, namespace, ({ spec, status }) => {
      const made = new Map((status?.resourceClaimStatuses ?? []).map(each => [each.name, each.resourceClaimName]));
      if (status?.extendedResourceClaimStatus?.resourceClaimName === name) return true;
      return (spec.resourceClaims ?? []).some(each => (each.resourceClaimName ?? made.get(each.name)) === name);
    });
  }

  async secret(node: string, namespace: string, name: string): Promise<boolean> {
    if (await this.byPod(node, namespace, pod => podSecretNames(pod.spec).includes(name))) return true;
    return this.#volumes(node, volume =>
      volumeSecretsForNode(volume).some(each => each.namespace === namespace && each.name === name),
    );
  }

  volume(node: string, _namespace: string, name: string): Promise<boolean> {
    return this.#volumes(node, volume => volume.metadata.name === name);
  }

  /** Volumes bound to a claim that a pod of the node uses. */
  async #volumes(node: string, matches: (volume: PersistentVolume) => boolean): Promise<boolean> {
    const claims = new Set(
      (await this.#podsOnNode(node)).flatMap(pod =>
        pod.metadata.annotations?.[mirrorAnnotation] === undefined
          ? [...podClaimNames(pod).values()].map(claim => `${pod.metadata.namespace}/${claim}`)
          : [],
      ),
    );
    if (claims.size === 0) return false;
    const volumes = (await this.#lookup.list('', 'persistentvolumes')) as readonly PersistentVolume[];
    return volumes.some(volume => {
      const claim = volume.spec.claimRef;
      return claim !== undefined && claims.has(`${claim.namespace}/${claim.name}`) && matches(volume);
    });
  }

  /** An object without namespace whose spec names the node. */
  async bySpec(group: string, resource: string, node: string, name: string): Promise<boolean> {
    const object = await this.#lookup.get(group, resource, '', name);
    return (object as { spec?: { nodeName?: string } } | undefined)?.spec?.nodeName === node;
  }
}

type Related = (node: string, namespace: string, name: string) => Promise<boolean>;

async function whenRelated(related: Related, node: string, attributes: AuthorizationAttributes): Promise<Decision> {
  if (attributes.name === '') return noOpinion('No Object name found');
  return (await related(node, attributes.namespace, attributes.name))
    ? allow
    : noOpinion(`no relationship found between node '${node}' and this object`);
}

/** Only `get` of one that is related. */
const getRule =
  (related: Related): Rule =>
  (node, attributes) => {
    if (attributes.verb !== 'get') return noOpinion('can only get individual resources of this type');
    if (attributes.subresource !== '') return noOpinion('cannot get subresource');
    return whenRelated(related, node, attributes);
  };

/** Reads, watches included, of a single one that is related. */
const readRule =
  (related: Related): Rule =>
  (node, attributes) => {
    if (!['get', 'list', 'watch'].includes(attributes.verb)) return noOpinion('can only read resources of this type');
    if (attributes.subresource !== '') return noOpinion('cannot read subresource');
    if (attributes.namespace === '') return noOpinion('can only read namespaced object of this type');
    return whenRelated(related, node, attributes);
  };

const ownVerbs = ['get', 'create', 'update', 'patch', 'delete'];

/** An object that bears the node's name. On create the name is not known yet; NodeRestriction looks at it. */
function ownRule(what: string, whose: string): Rule {
  return (node, { verb, name }) => {
    if (!ownVerbs.includes(verb)) return noOpinion(`can only get, create, update, patch, or delete ${what}`);
    if (verb !== 'create' && name !== node) {
      return noOpinion(`can only access ${whose} with the same name as the requesting node`);
    }
    return allow;
  };
}

/** True when the request is narrowed to objects with this value of a field. */
function selects({ fieldSelector }: AuthorizationAttributes, field: string, value: string): boolean {
  try {
    return parseFieldSelector(fieldSelector).requirements.some(
      each => each.field === field && each.operator === '=' && each.value === value,
    );
  } catch {
    return false;
  }
}

function resourceRules(relations: Relations): ReadonlyMap<string, Rule> {
  const serviceAccount: Related = (...about) => relations.serviceAccount(...about);
  const claim: Related = (...about) => relations.claim(...about);
  const lease = ownRule('a node lease', 'node lease');
  const csiNode = ownRule('a CSINode', 'CSINode');
  return new Map<string, Rule>([
    ['secrets', readRule((...about) => relations.secret(...about))],
    ['configmaps', readRule((...about) => relations.configMap(...about))],
    ['persistentvolumeclaims', claimRule(claim)],
    ['persistentvolumes', getRule((...about) => relations.volume(...about))],
    ['resourceclaims.resource.k8s.io', getRule((...about) => relations.resourceClaim(...about))],
    [
      'volumeattachments.storage.k8s.io',
      getRule((node, _, name) => relations.bySpec('storage.k8s.io', 'volumeattachments', node, name)),
    ],
    ['serviceaccounts', serviceAccountRule(serviceAccount)],
    [
      'leases.coordination.k8s.io',
      (node, attributes) => {
        const elsewhere = ownVerbs.includes(attributes.verb) && attributes.namespace !== leaseNamespace;
        return elsewhere
          ? noOpinion(`can only access leases in the "${leaseNamespace}" system namespace`)
          : lease(node, attributes);
      },
    ],
    [
      'csinodes.storage.k8s.io',
      (node, attributes) =>
        attributes.subresource !== '' && ownVerbs.includes(attributes.verb)
          ? noOpinion('cannot authorize CSINode subresources')
          : csiNode(node, attributes),
    ],
    [
      'resourceslices.resource.k8s.io',
      sliceRule((node, _, name) => relations.bySpec('resource.k8s.io', 'resourceslices', node, name)),
    ],
    ['nodes', nodeRule],
    ['pods', podRule((...about) => relations.pod(...about))],
    ['podcertificaterequests.certificates.k8s.io', () => noOpinion()],
  ]);
}

function claimRule(claim: Related): Rule {
  const get = getRule(claim);
  return (node, attributes) => {
    if (attributes.subresource !== 'status') return get(node, attributes);
    if (!['update', 'patch'].includes(attributes.verb)) return noOpinion('can only get/update/patch this type');
    return whenRelated(claim, node, attributes);
  };
}

function serviceAccountRule(related: Related): Rule {
  const read = readRule(related);
  return (node, attributes) => {
    const { verb, subresource, name } = attributes;
    if (verb === 'get' && subresource === '') return read(node, attributes);
    if (verb !== 'create' || name === '') return noOpinion('can only create tokens for individual service accounts');
    if (subresource !== 'token') return noOpinion('can only create token subresource of serviceaccount');
    return whenRelated(related, node, attributes);
  };
}

function sliceRule(related: Related): Rule {
  return (node, attributes) => {
    if (attributes.subresource !== '') return noOpinion('cannot authorize ResourceSlice subresources');
    switch (attributes.verb) {
      case 'create':
        return allow;
      case 'get':
      case 'update':
      case 'patch':
      case 'delete':
        return whenRelated(related, node, attributes);
      case 'watch':
      case 'list':
      case 'deletecollection':
        return selects(attributes, 'spec.nodeName', node)
          ? allow
          : noOpinion('can only list/watch/deletecollection resourceslices with nodeName field selector');
      default:
        return noOpinion(
          'only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection',
        );
    }
  };
}

/** Whose Node is written is for NodeRestriction to judge. */
const nodeRule: Rule = (node, { verb, subresource, name }) => {
  if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allow : noOpinion();
  if (subresource !== '') return noOpinion();
  if (verb === 'create' || verb === 'update' || verb === 'patch') return allow;
  if (verb !== 'get' && verb !== 'list' && verb !== 'watch') return noOpinion();
  if (name === node) return allow;
  return name === ''
    ? noOpinion(`node '${node}' cannot read all nodes, only its own Node object`)
    : noOpinion(`node '${node}' cannot read '${name}', only its own Node object`);
};

function podRule(related: Related): Rule {
  return (node, attributes) => {
    const { verb, subresource, name } = attributes;
    if (subresource === 'status') return verb === 'update' || verb === 'patch' ? allow : noOpinion();
    if (subresource === 'eviction') return verb === 'create' ? allow : noOpinion();
    if (subresource !== '') return noOpinion();
    if (verb === 'create' || verb === 'delete') return allow;
    if (verb === 'get') return whenRelated(related, node, attributes);
    if (verb !== 'list' && verb !== 'watch') return noOpinion();
    if (selects(attributes, 'spec.nodeName', node)) return allow;
    if (name !== '') return whenRelated(related, node, attributes);
    return noOpinion('can only list/watch pods with spec.nodeName field selector');
  };
}
