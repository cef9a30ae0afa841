/**
 * Nothing is created or grown beyond what a namespace's quotas leave. The charge is written to the quotas' status in the
 * transaction that stores the object. Upstream: apiserver pkg/admission/plugin/resourcequota/{admission,controller}.go.
 *
 * Writes that are charged go one after another in a namespace: each holds the namespace from its reading of the quotas
 * to the end of its transaction, so that many at once do not undo each other. Others that change the quotas meanwhile
 * (the controller, another server) make the transaction fail, and the write is tried again.
 * Deviation: a write that the store refuses (its name is taken) is not charged; upstream charges it until the controller
 * counts again.
 */

import {
  type Amounts,
  addAmounts,
  amountsOf,
  amountsText,
  amountsToJson,
  equalAmounts,
  exceeding,
  maskAmounts,
  type QuotaEvaluator,
  type QuotaRequest,
  quotaEvaluatorOf,
  quotaMatches,
  type Scope,
  scopesOf,
  subtractToZero,
  withoutZeros,
} from '#api/quota/helpers';
import type { ResourceQuota } from '#api/types';
import { type Draft, type KubeObject, StatusError } from '#apimachinery';
import type { Clock } from '#base';
import type { Caches } from '../registry/caches.ts';
import type { FieldManagers } from '../registry/field-managers.ts';
import type { Companions } from '../registry/object-store.ts';
import { storageKey, storageRange } from '../scheme/resource.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { encodeStored } from '../serialization/encode.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import type { QuotaLimits } from './config/resource-quota.ts';
import { admissionForbidden } from './errors.ts';
import { KeyedLock } from './keyed-lock.ts';

export interface QuotaDeps {
  readonly clock: Clock;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly fieldManagers: FieldManagers;
}

interface StandingQuota {
  readonly quota: ResourceQuota;
  readonly modRevision: number;
}

/** A quota and what it says is used after the write. */
interface Charge {
  readonly standing: StandingQuota;
  readonly used: Amounts;
}

export function resourceQuota(deps: QuotaDeps, limits: QuotaLimits = []): AdmissionPlugin {
  const quotas = deps.scheme.find('', 'v1', 'resourcequotas')!;
  const locks = new KeyedLock();
  const standing = async (namespace: string): Promise<StandingQuota[]> => {
    const cache = deps.caches.of(quotas);
    await cache.fresh();
    const { items } = cache.list({ prefix: storageRange(quotas, namespace) });
    return items.map(item => ({ quota: item.object as unknown as ResourceQuota, modRevision: item.modRevision }));
  };
  return {
    name: 'ResourceQuota',
    handles: ({ namespace, operation, resource }) =>
      namespace !== '' &&
      (operation === 'UPDATE' || (operation === 'CREATE' && !(resource.group === '' && resource.kind === 'Namespace'))),
    async validate(attributes, object) {
      const { namespace, resource } = attributes;
      const evaluator = quotaEvaluatorOf(resource.group, resource.resource);
      const request: QuotaRequest = { ...pick(attributes), object: object! };
      if (!evaluator?.handles(request)) return;
      if (limits.length === 0 && (await standing(namespace)).length === 0) return;
      const release = await locks.acquire(namespace);
      try {
        const all = await standing(namespace);
        const charges = chargesOf({ deps, attributes, evaluator, limits }, all, request);
        if (charges.length === 0 || attributes.dryRun) {
          release();
          return;
        }
        return committed(deps, charges, release);
      } catch (error) {
        release();
        throw error;
      }
    },
  };
}

function pick({ operation, subresource, old }: AdmissionAttributes): Omit<QuotaRequest, 'object'> {
  return { operation, subresource, old };
}

/** The writes that record the charges. */
function committed(deps: QuotaDeps, charges: readonly Charge[], release: () => void): Companions {
  const resource = deps.scheme.find('', 'v1', 'resourcequotas')!;
  const manager = deps.fieldManagers.of(resource, 'status');
  const writes = charges.map(({ standing: { quota, modRevision }, used }) => {
    const { namespace = '', name = '' } = quota.metadata;
    const key = storageKey(resource, namespace, name);
    const next = structuredClone(quota) as Draft<ResourceQuota>;
    next.status = { ...next.status, used: amountsToJson(used) };
    const managed = manager.update(quota as unknown as KubeObject, next as unknown as KubeObject, {
      manager: 'kube-apiserver',
      nowMs: deps.clock.now(),
    });
    return { key, modRevision, value: encodeStored(managed, resource.struct) };
  });
  return {
    preconditions: writes.map(({ key, modRevision }) => ({ key, modRevision })),
    ops: writes.map(({ key, value }) => ({ type: 'put', key, value })),
    release,
  };
}

interface Case {
  readonly deps: QuotaDeps;
  readonly attributes: AdmissionAttributes;
  readonly evaluator: QuotaEvaluator;
  readonly limits: QuotaLimits;
}

/** Upstream's CheckRequest: throws 403, or answers what the quotas will say. */
function chargesOf(at: Case, all: readonly StandingQuota[], request: QuotaRequest): Charge[] {
  const { attributes, evaluator, deps } = at;
  const { object, old } = request;
  const nowMs = deps.clock.now();
  const forbid = (why: string): never => {
    throw admissionForbidden(attributes, object, why);
  };
  const interesting = all.filter(({ quota }) => quotaMatches(evaluator, quota, object));
  for (const { quota } of interesting) {
    const names = evaluator.matching(Object.keys(quota.status?.hard ?? {}));
    const complaint = evaluator.constraints?.(names, object);
    if (complaint !== undefined) forbid(`failed quota: ${quota.metadata.name}: ${complaint}`);
    if (names.some(name => quota.status?.used?.[name] === undefined)) {
      forbid(`status unknown for quota: ${quota.metadata.name}, resources: ${[...names].sort().join(',')}`);
    }
  }
  const usage = evaluator.usage(object, nowMs);
  const negative = [...usage].filter(([, amount]) => amount.sign < 0).map(([name]) => name);
  if (negative.length > 0) forbid(`quota usage is negative for resource(s): ${negative.sort().join(',')}`);
  const difference = old ? subtractToZero(usage, evaluator.usage(old, nowMs)) : usage;
  const deltas = new Map(
    interesting.map(each => {
      const growing = old !== null && quotaMatches(evaluator, each.quota, old);
      return [each, withoutZeros(growing ? difference : usage)] as const;
    }),
  );
  const any = interesting.length > 0 ? [...deltas.values()] : [withoutZeros(difference)];
  if (any.every(delta => delta.size === 0)) return [];
  refuseUncovered(at, all, interesting, { usage, object });
  return interesting
    .filter(each => deltas.get(each)!.size > 0)
    .map(each => ({ standing: each, used: newUsage(each.quota, deltas.get(each)!, attributes, object) }))
    .filter(({ standing, used }) => !equalAmounts(used, amountsOf(standing.quota.status?.used)));
}

function newUsage(quota: ResourceQuota, delta: Amounts, attributes: AdmissionAttributes, object: KubeObject): Amounts {
  const hard = amountsOf(quota.status?.hard);
  const before = amountsOf(quota.status?.used);
  const asked = maskAmounts(delta, hard.keys());
  const used = addAmounts(before, asked);
  if (attributes.subresource === 'status') return used;
  const over = exceeding(maskAmounts(used, asked.keys()), hard);
  if (over.length === 0) return used;
  const text = (amounts: Amounts): string => amountsText(maskAmounts(amounts, over));
  throw admissionForbidden(
    attributes,
    object,
    `exceeded quota: ${quota.metadata.name}, requested: ${text(asked)}, used: ${text(before)}, limited: ${text(hard)}`,
  );
}

/** What the configuration limits unless a quota allows it. */
function refuseUncovered(
  { attributes, evaluator, limits }: Case,
  all: readonly StandingQuota[],
  interesting: readonly StandingQuota[],
  { usage, object }: { readonly usage: Amounts; readonly object: KubeObject },
): void {
  if (limits.length === 0) return;
  const { group, resource } = evaluator;
  const own = limits.filter(each => (each.apiGroup ?? '') === group && each.resource === resource);
  const covered = new Set(
    interesting.flatMap(({ quota }) => evaluator.matching(Object.keys(quota.status?.hard ?? {}))),
  );
  const limited = [...usage]
    .filter(
      ([name, amount]) => amount.sign > 0 && own.some(each => each.matchContains?.some(part => name.includes(part))),
    )
    .map(([name]) => name);
  const missing = [...new Set(limited)].filter(name => !covered.has(name)).sort();
  if (missing.length > 0) {
    throw admissionForbidden(attributes, object, `insufficient quota to consume: ${missing.join(',')}`);
  }
  if (!evaluator.scoped) return;
  const wanted = limits.flatMap(each => each.matchScopes ?? []).filter(scope => evaluator.matchesScope(scope, object));
  const given = all.flatMap(({ quota }) => scopesOf(quota)).filter(scope => evaluator.matchesScope(scope, object));
  const uncovered = wanted.filter(scope => !given.some(each => each.scopeName === scope.scopeName));
  if (uncovered.length === 0) return;
  const text = uncovered.map(scopeText).join(' ');
  throw new StatusError({ code: 500, message: `insufficient quota to match these scopes: [${text}]` });
}

/** Go's `%v` of a scope. */
function scopeText({ scopeName, operator, values }: Scope): string {
  return `{${scopeName} ${operator} [${(values ?? []).join(' ')}]}`;
}
