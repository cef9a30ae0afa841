/**
 * What the rules of claims for devices ask of the cluster: the labels of the namespace, for access to devices that are in
 * use by others, and whether the requester may bind the claim and speak for each driver. Upstream:
 * pkg/registry/resource/utils.go.
 */
import type { AllocatedDeviceStatus, ResourceClaim } from '#api/types';
import {
  type FieldError,
  FieldPath,
  forbiddenField,
  type KubeObject,
  nameIsDNSSubdomain,
  semanticEqual,
} from '#apimachinery';
import type { Lookup } from '../../admission/lookup.ts';
import type { UserInfo } from '../../authentication/user.ts';
import { type AuthorizationAttributes, type Authorizer, forbiddenError } from '../../authorization/authorizer.ts';
import type { WriteContext } from '../context.ts';
import type { RegistryHook } from '../registry.ts';

export interface ClaimHookDeps {
  readonly lookup: Lookup;
  readonly authorizer: Authorizer;
}

const nodeNameKey = 'authentication.kubernetes.io/node-name';

function attributesOf(context: WriteContext, more: Partial<AuthorizationAttributes>): AuthorizationAttributes {
  const { group, resource } = context.requestResource;
  const base = {
    isResourceRequest: true,
    path: '',
    group,
    version: 'v1',
    resource,
    fieldSelector: '',
    labelSelector: '',
  };
  const { user, namespace, verb = 'update' } = context;
  return { ...base, user, namespace, verb, name: '', subresource: '', ...more };
}

/** Why the question is answered with no, as upstream words it; undefined for yes. */
async function refusal({ authorizer }: ClaimHookDeps, question: AuthorizationAttributes): Promise<string | undefined> {
  const { decision, reason } = await authorizer.authorize(question);
  return decision === 'allow' ? undefined : forbiddenError(question, reason).message;
}

/** The node that an allocation is bound to, if it is bound to one. */
function nodeOf(claim: ResourceClaim): string | undefined {
  const terms = claim.status?.allocation?.nodeSelector?.nodeSelectorTerms ?? [];
  const [{ matchExpressions = [], matchFields = [] } = {}] = terms;
  const [field] = matchFields;
  if (terms.length !== 1 || matchExpressions.length > 0 || matchFields.length !== 1 || !field) return undefined;
  if (field.key !== 'metadata.name' || field.operator !== 'In' || field.values?.length !== 1) return undefined;
  return field.values[0];
}

/** Whether a service account's token was made for a pod on that node. */
function standsOn(user: UserInfo, node: string | undefined): boolean {
  if (!node || !user.name.startsWith('system:serviceaccount:')) return false;
  const nodes = user.extra[nodeNameKey] ?? [];
  return nodes.length === 1 && nodes[0] === node && nameIsDNSSubdomain(node, false).length === 0;
}

const keyOf = ({ driver, pool, device, shareID }: AllocatedDeviceStatus): string =>
  JSON.stringify([driver, pool, device, shareID ?? '']);

/** Drivers of whose devices something is said, changed or taken back. */
function changedDrivers(now: ResourceClaim, old: ResourceClaim): string[] {
  const before = new Map((old.status?.devices ?? []).map(device => [keyOf(device), device]));
  const drivers = new Set<string>();
  for (const device of now.status?.devices ?? []) {
    const key = keyOf(device);
    if (!semanticEqual(before.get(key), device)) drivers.add(device.driver ?? '');
    before.delete(key);
  }
  for (const device of before.values()) drivers.add(device.driver ?? '');
  return [...drivers].sort();
}

async function bindingErrors(
  deps: ClaimHookDeps,
  context: WriteContext,
  now: ResourceClaim,
  old: ResourceClaim,
): Promise<FieldError[]> {
  const [status, before] = [now.status ?? {}, old.status ?? {}];
  const same = semanticEqual(status.allocation, before.allocation);
  if (same && semanticEqual(status.reservedFor, before.reservedFor)) return [];
  const question = attributesOf(context, { subresource: 'binding', namespace: '' });
  const why = await refusal(deps, question);
  if (why === undefined) return [];
  const needs = `requires resource="resourceclaims/binding", verb="${question.verb}" permission`;
  const text = `changing status.allocation or status.reservedFor ${needs}: ${why}`;
  return [forbiddenField(FieldPath.of('status', 'allocation'), text)];
}

async function driverErrors(
  deps: ClaimHookDeps,
  context: WriteContext,
  now: ResourceClaim,
  old: ResourceClaim,
): Promise<FieldError[]> {
  const errors: FieldError[] = [];
  if (!now.status?.allocation) return errors;
  const { verb = 'update', user } = context;
  const verbs = [`arbitrary-node:${verb}`];
  if (standsOn(user, nodeOf(now))) verbs.unshift(`associated-node:${verb}`);
  for (const name of changedDrivers(now, old)) {
    let first: string | undefined;
    let allowed = false;
    for (const each of verbs) {
      const why = await refusal(deps, attributesOf(context, { subresource: 'driver', verb: each, name }));
      allowed = why === undefined;
      if (allowed) break;
      first ??= why;
    }
    if (allowed) continue;
    const needs = `requires resource="resourceclaims/driver", verb="[${verbs.join(' ')}]" permission`;
    errors.push(forbiddenField(FieldPath.of('status', 'devices'), `changing status.devices ${needs}: ${first}`));
  }
  return errors;
}

/** For claims and their templates. */
export function claimHook(deps: ClaimHookDeps): RegistryHook {
  return {
    prepare: () => undefined,
    async facts(object, old, context) {
      const namespace = await deps.lookup.get('', 'namespaces', '', context.namespace);
      const namespaceLabels = namespace?.metadata.labels;
      if (!old || context.subresource !== 'status') return { namespaceLabels };
      const [now, before] = [object, old] as readonly KubeObject[] as readonly [ResourceClaim, ResourceClaim];
      const refusals = await bindingErrors(deps, context, now, before);
      return { namespaceLabels, refusals: [...refusals, ...(await driverErrors(deps, context, now, before))] };
    },
  };
}
