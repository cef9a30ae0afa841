/**
 * POST pods/NAME/eviction: a deletion that disruption budgets may refuse. Upstream:
 * pkg/registry/core/pod/storage/eviction.go.
 */

import { isPodReady } from '#api/core/helpers';
import { builtinTypes } from '#api/tables';
import type { Eviction, Pod, PodDisruptionBudget } from '#api/types';
import {
  badRequest,
  conflict,
  type DeleteOptions,
  type Draft,
  FieldPath,
  forbidden,
  formatTime,
  invalid,
  invalidValue,
  type KubeObject,
  labelSelectorAsSelector,
  notFound,
  StatusError,
} from '#apimachinery';
import { admissionAttributes } from '../admission/attributes.ts';
import type { Lookup } from '../admission/lookup.ts';
import type { DeleteContext } from '../registry/context.ts';
import { deleteObject } from '../registry/delete.ts';
import { decodeBody, fieldValidationOf } from '../serialization/decode-body.ts';
import { negotiateInput } from '../serialization/negotiation.ts';
import { respondValue } from '../serialization/respond.ts';
import { logRequestObject, outputOf } from './common.ts';
import { settleNamespace } from './create.ts';
import { deleteContext } from './delete.ts';
import { createOptions, isDryRun } from './options.ts';
import { dedupOwnerReferences } from './owner-references.ts';
import { type Handler, maxBodyBytes, type Scope } from './scope.ts';

const kind = { group: 'policy', version: 'v1', kind: 'Eviction' };
const statusType = 'io.k8s.apimachinery.pkg.apis.meta.v1.Status';
/** Upstream's MaxDisruptedPodSize. */
const maxDisruptedPods = 2000;

export function evictPod(lookup: Lookup): Handler {
  return async scope => {
    const { request, name, namespace } = scope;
    const output = outputOf(scope);
    const mediaType = negotiateInput(request);
    const body = await request.body(maxBodyBytes);
    const validation = fieldValidationOf(createOptions(request.query).fieldValidation);
    const target = {
      ...kind,
      struct: builtinTypes.struct('io.k8s.api.policy.v1.Eviction'),
      accepts: (version: string) => version === 'policy/v1beta1',
    };
    const object = decodeBody(body, target, { mediaType, validation, warn: scope.warn });
    logRequestObject(scope, object, target);
    const pods = scope.deps.scheme.find('', 'v1', 'pods')!;
    settleNamespace(object, pods, namespace);
    dedupOwnerReferences(object, scope.warn, false);
    const asked = createOptions(request.query);
    const more = {
      operation: 'CREATE' as const,
      name,
      dryRun: isDryRun(asked),
      options: { ...asked },
      old: null,
      kind,
    };
    const attributes = admissionAttributes(scope, more);
    await scope.deps.admission.admit(attributes, object);
    dedupOwnerReferences(object, scope.warn, true);
    const eviction = object as unknown as Draft<Eviction>;
    if (eviction.metadata.name !== name) throw badRequest('name in URL does not match name in Eviction object');
    refuseUnsafe(eviction);
    const options = deletionOptions(eviction.deleteOptions as DeleteOptions | undefined, request.query.all('dryRun'));
    (await scope.deps.admission.validate(attributes, object as KubeObject))?.release?.();
    const pod = (await lookup.get('', 'pods', namespace, name)) as unknown as Pod | undefined;
    if (!pod) throw notFound({ group: '', resource: 'pods' }, name);
    const dryRun = isDryRun(options);
    if (!canIgnoreBudget(pod)) await takeFromBudget(scope, lookup, pod, options);
    const settled = dryRun ? options : await markEvicted(scope, options);
    await deleteObject(scope.deps.registry, pods, withoutAdmission(deleteContext(scope, name, settled)));
    const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
    return respondValue(status, builtinTypes.struct(statusType), output, 201);
  };
}

const mark = {
  type: 'DisruptionTarget',
  status: 'True',
  reason: 'EvictionByEvictionAPI',
  message: 'Eviction API: evicting',
};

/**
 * Says in the pod's status why it goes, so that its controller can tell. Answers the options with which it is then
 * deleted: a precondition on the resourceVersion follows the write. Upstream: addConditionAndDeletePod.
 */
async function markEvicted(scope: Scope, options: DeleteOptions): Promise<DeleteOptions> {
  const { deps, name } = scope;
  const pods = deps.scheme.find('', 'v1', 'pods')!;
  const { uid, resourceVersion } = options.preconditions ?? {};
  const refuse = (field: string, wanted: string, have: string | undefined, what: string): StatusError => {
    const text = `the ${field} in the precondition (${wanted}) does not match the ${field} in record (${have}). The object might have been ${what}`;
    return conflict({ group: '', resource: 'Pod' }, name, text);
  };
  const stored = await deps.registry.modify(pods, withoutAdmission(deleteContext(scope, name, options)), draft => {
    const { metadata } = draft;
    if (uid && uid !== metadata.uid) throw refuse('UID', uid, metadata.uid, 'deleted and then recreated');
    if (resourceVersion && resourceVersion !== metadata.resourceVersion) {
      throw refuse('ResourceVersion', resourceVersion, metadata.resourceVersion, 'modified');
    }
    setMark(draft as unknown as Draft<Pod>, deps.clock.now());
  });
  if (resourceVersion === undefined) return options;
  const now = stored.decoded().metadata.resourceVersion!;
  return { ...options, preconditions: { ...options.preconditions, resourceVersion: now } };
}

function setMark(pod: Draft<Pod>, nowMs: number): void {
  const conditions = ((pod.status ??= {}).conditions ??= []);
  const found = conditions.find(each => each.type === mark.type);
  const since = found?.status === mark.status ? found.lastTransitionTime : formatTime(nowMs);
  const next = { lastProbeTime: null as never, ...found, ...mark, lastTransitionTime: since! };
  if (found) conditions[conditions.indexOf(found)] = next;
  else conditions.push(next);
}

/** A pod that cannot be read is not evicted. */
function refuseUnsafe({ deleteOptions, metadata }: Draft<Eviction>): void {
  const option = 'ignoreStoreReadErrorWithClusterBreakingPotential';
  if (!(deleteOptions as DeleteOptions | undefined)?.[option]) return;
  const text = 'can not be set for pod eviction, try after removing the option';
  throw invalid(kind, metadata.name ?? '', [invalidValue(FieldPath.of('deleteOptions', option), true, text)]);
}

/** The options of the deletion: a dry run may be asked for in the query, in the body, or in both alike. */
function deletionOptions(own: DeleteOptions | undefined, dryRun: readonly string[]): DeleteOptions {
  const { kind: _kind, apiVersion: _version, ...options } = own ?? {};
  const asked = options.dryRun ?? [];
  if (asked.length === 0) return { ...options, ...(dryRun.length > 0 && { dryRun }) };
  if (dryRun.length > 0 && asked.join('\0') !== dryRun.join('\0')) {
    const lists = `[${dryRun.join(' ')}] and [${asked.join(' ')}]`;
    throw new StatusError({ code: 500, message: `Non-matching dry-run options in request and content: ${lists}` });
  }
  return options;
}

/** The eviction was admitted; the deletion that it comes to is not asked about again. */
function withoutAdmission({ validate: _, ...context }: DeleteContext): DeleteContext {
  return context;
}

/** Finished, or not yet started: nobody is disrupted. */
function canIgnoreBudget(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || Boolean(pod.metadata.deletionTimestamp);
}

async function takeFromBudget(scope: Scope, lookup: Lookup, pod: Pod, options: DeleteOptions): Promise<void> {
  const { namespace } = scope;
  const all = (await lookup.list('policy', 'poddisruptionbudgets', namespace)) as unknown as PodDisruptionBudget[];
  const mine = all.filter(budget =>
    labelSelectorAsSelector(budget.spec?.selector as never).matches(pod.metadata.labels),
  );
  if (mine.length === 0) return;
  if (mine.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    throw new StatusError({ code: 500, message });
  }
  const [budget] = mine;
  if (!isPodReady(pod) && unhealthyMayGo(budget!)) return;
  const resource = scope.deps.scheme.find('policy', 'v1', 'poddisruptionbudgets')!;
  const context = {
    ...deleteContext(scope, budget!.metadata.name!, options),
    requestResource: { group: 'policy', resource: 'poddisruptionbudgets' },
  };
  await scope.deps.registry.modify(resource, context, draft => charge(draft, pod, scope.deps.clock.now()));
}

function unhealthyMayGo(budget: PodDisruptionBudget): boolean {
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true;
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
  return currentHealthy >= desiredHealthy && desiredHealthy > 0;
}

/** Upstream: checkAndDecrement. */
function charge(draft: Draft<KubeObject>, pod: Pod, nowMs: number): void {
  const budget = draft as unknown as Draft<PodDisruptionBudget>;
  const status = (budget.status ??= { currentHealthy: 0, desiredHealthy: 0, disruptionsAllowed: 0, expectedPods: 0 });
  const name = budget.metadata.name!;
  if ((status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0)) {
    throw tooManyDisruptions(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  const about = { group: 'policy', resource: 'poddisruptionbudget' };
  if (status.disruptionsAllowed < 0) throw forbidden(about, name, 'pdb disruptions allowed is negative');
  if (Object.keys(status.disruptedPods ?? {}).length > maxDisruptedPods) {
    const why = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller';
    throw forbidden(about, name, why);
  }
  if (status.disruptionsAllowed === 0) throw tooManyDisruptions(exhausted(name, status), 0);
  status.disruptionsAllowed--;
  if (status.disruptionsAllowed === 0) {
    const conditions = (status.conditions ??= []);
    const found = conditions.find(each => each.type === 'DisruptionAllowed');
    const since = found?.status === 'False' ? found.lastTransitionTime : formatTime(nowMs);
    const next = {
      type: 'DisruptionAllowed',
      status: 'False',
      ...(status.observedGeneration && { observedGeneration: status.observedGeneration }),
      lastTransitionTime: since!,
      reason: 'InsufficientPods',
      message: '',
    };
    if (found) conditions[conditions.indexOf(found)] = next;
    else conditions.push(next);
  }
  status.disruptedPods = { ...status.disruptedPods, [pod.metadata.name!]: formatTime(nowMs) };
}

/** Why a budget has none left: the counts are not to be trusted where the controller could not settle it. */
function exhausted(name: string, status: NonNullable<PodDisruptionBudget['status']>): string {
  const found = status.conditions?.find(({ type }) => type === 'DisruptionAllowed');
  const told = found?.status === 'False' && found.message !== '' ? found : undefined;
  const refused = `The disruption budget ${name} does not allow evicting pods currently`;
  const { currentHealthy = 0, desiredHealthy = 0 } = status;
  if (told?.reason === 'SyncFailed') return `${refused} because it failed sync: ${told.message}`;
  if (currentHealthy <= desiredHealthy) {
    return `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  }
  return told ? `${refused} (${told.reason}): ${told.message}` : refused;
}

function tooManyDisruptions(why: string, retryAfterSeconds: number): StatusError {
  return new StatusError({
    code: 429,
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [{ reason: 'DisruptionBudget', message: why }],
      ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
    },
  });
}
