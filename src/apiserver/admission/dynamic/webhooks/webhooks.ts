/**
 * MutatingAdmissionWebhook and ValidatingAdmissionWebhook: which are asked, in which order, and what their answers mean.
 * Upstream: apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go.
 */
import type {
  MatchCondition,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingWebhook,
  WebhookClientConfig,
} from '#api/types';
import {
  applyJsonPatch,
  badRequest,
  type Draft,
  forbidden,
  InputError,
  internalError,
  type JsonPatchOperation,
  type KubeObject,
  parseJsonPatch,
  readAnyJson,
  readJson,
  type Status,
  StatusError,
  semanticEqual,
  writeOrdered,
} from '#apimachinery';
import type { Logger, Random } from '#base';
import type { Authorizer } from '../../../authorization/authorizer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from '../../chain.ts';
import type { Lookup } from '../../lookup.ts';
import { RequestValues } from '../evaluation.ts';
import { type FollowDeps, followed } from '../followed.ts';
import { ConditionError, compileConditions, type MatchConditions } from '../match-conditions.ts';
import { type Criteria, type Invocation, invocationOf, isExempt, selectorOf } from '../matching.ts';
import { type Memory, memoryOf, requireAgain } from '../reinvocation.ts';
import { objectJson, replaceDraft, structOf, VersionedObjects } from '../versioned.ts';
import { CallError, type WebhookClient } from './client.ts';
import type { WebhookCredentials } from './credentials.ts';
import { ReviewError, type ReviewResponse, readReview, reviewRequest, reviewVersionOf } from './review.ts';

export interface WebhookDeps extends FollowDeps {
  /** What is shown to webhooks; absent: nothing. */
  readonly credentials?: WebhookCredentials | undefined;
  readonly lookup: Lookup;
  readonly random: Random;
  readonly logger: Logger;
  readonly client: WebhookClient;
  readonly authorizer: Authorizer;
}

/** One webhook of one configuration, ready to ask. */
interface Hook extends Criteria {
  readonly name: string;
  readonly configuration: string;
  /** Distinguishes it among all. */
  readonly id: string;
  readonly clientConfig: WebhookClientConfig;
  readonly ignoresFailure: boolean;
  readonly sideEffects: string;
  readonly timeoutSeconds: number;
  readonly reviewVersions: readonly string[];
  readonly reinvokes: boolean;
  readonly matches: MatchConditions | undefined;
}

type AnyWebhook = (MutatingWebhook | ValidatingWebhook) & {
  readonly reinvocationPolicy?: string;
  readonly matchConditions?: readonly MatchCondition[];
  readonly rules?: readonly RuleWithOperations[];
};

function hooksOf(objects: readonly KubeObject[]): readonly Hook[] {
  const sorted = [...objects].sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
  return sorted.flatMap(object => {
    const { webhooks = [], metadata } = object as unknown as MutatingWebhookConfiguration;
    return webhooks.map((each, at) => hookOf(each as AnyWebhook, metadata.name!, at));
  });
}

function hookOf(hook: AnyWebhook, configuration: string, at: number): Hook {
  const ignoresFailure = hook.failurePolicy === 'Ignore';
  return {
    name: hook.name,
    configuration,
    id: `${configuration}/${hook.name}/${at}`,
    clientConfig: hook.clientConfig,
    rules: hook.rules ?? [],
    exact: hook.matchPolicy === 'Exact',
    namespaceSelector: selectorOf(hook.namespaceSelector),
    objectSelector: selectorOf(hook.objectSelector),
    ignoresFailure,
    sideEffects: hook.sideEffects,
    timeoutSeconds: hook.timeoutSeconds ?? 10,
    reviewVersions: hook.admissionReviewVersions,
    reinvokes: hook.reinvocationPolicy === 'IfNeeded',
    matches: compileConditions(hook.matchConditions, { fails: !ignoresFailure, params: false }),
  };
}

/** A webhook that could not be asked, or answered nonsense; what it means is the failure policy's to say. */
class Unanswered extends Error {
  override readonly name = 'Unanswered';
}

const unanswered = (hook: Hook, why: string): Unanswered =>
  new Unanswered(`failed calling webhook ${JSON.stringify(hook.name)}: ${why}`);

async function called(
  deps: WebhookDeps,
  hook: Hook,
  invocation: Invocation,
  objects: VersionedObjects,
  mutating: boolean,
): Promise<ReviewResponse> {
  const { attributes } = objects;
  if (attributes.dryRun && hook.sideEffects !== 'None' && hook.sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook ${JSON.stringify(hook.name)} does not support dry run`);
  }
  const version = reviewVersionOf(hook.reviewVersions);
  if (!version) {
    const why = 'webhook does not accept known AdmissionReview versions (v1, v1beta1)';
    throw unanswered(hook, `could not create admission objects: ${why}`);
  }
  const uid = deps.random.uuid();
  const body = reviewRequest(uid, version, invocation, objects);
  let response: ReviewResponse;
  try {
    const { clientConfig: config, timeoutSeconds } = hook;
    const answered = attributes.timer?.(mutating ? 'mutating-webhook' : 'validating-webhook');
    const { deadlineMs, signal } = attributes;
    const { credentials } = deps;
    const call = deps.client.post({ config, body, timeoutSeconds, deadlineMs, signal, credentials });
    const answer = await (answered ? call.finally(answered) : call);
    response = readReview(answer, uid, version, mutating);
  } catch (error) {
    if (error instanceof CallError) noteMissingNames(hook, attributes, error);
    if (error instanceof CallError) throw unanswered(hook, `failed to call webhook: ${error.message}`);
    if (!(error instanceof ReviewError)) throw error;
    const what = error.decoding ? 'failed to call webhook' : 'received invalid webhook response';
    throw unanswered(hook, `${what}: ${error.message}`);
  }
  for (const [key, value] of Object.entries(response.auditAnnotations))
    attributes.annotate(`${hook.name}/${key}`, value);
  for (const text of response.warnings) attributes.warn(text);
  if (!response.allowed) throw denied(hook.name, response.result);
  return response;
}

/** A certificate that names its server in a way that nobody looks at any more. Upstream: apiserver pkg/util/x509metrics. */
function noteMissingNames({ clientConfig }: Hook, { annotate }: AdmissionAttributes, { message }: CallError): void {
  if (!message.includes('x509: certificate relies on legacy Common Name field')) return;
  const { url, service } = clientConfig;
  const host = url === undefined ? `${service!.name}.${service!.namespace}.svc` : new URL(url).hostname;
  const reason = 'relies on a legacy Common Name field instead of the SAN extension for subject validation';
  annotate(`missing-san.invalid-cert.kubernetes.io/${host}`, reason);
}

/** Upstream: ToStatusErr. */
function denied(name: string, result: Partial<Status> = {}): StatusError {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const said = result.message || result.reason;
  const message = said ? `${by}: ${said}` : `${by} without explanation`;
  const code = (result.code ?? 0) < 400 ? 400 : result.code!;
  return new StatusError({ ...result, status: 'Failure', code, message } as Status);
}

/** The first webhook's invocation that matches, conditions included. Throws what refuses the request. */
async function invocationFor(
  deps: WebhookDeps,
  hook: Hook,
  objects: VersionedObjects,
  object: KubeObject | null,
): Promise<Invocation | undefined> {
  const { attributes } = objects;
  const invocation = await invocationOf(hook, attributes, object, deps);
  if (!invocation) return undefined;
  await objects.prepare(invocation);
  if (!hook.matches) return invocation;
  const values = new RequestValues(objects, invocation, { namespace: null, authorizer: deps.authorizer });
  try {
    return (await hook.matches(values, null)) ? invocation : undefined;
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    const { group, resource } = attributes.requested;
    throw forbidden({ group, resource }, attributes.name, error.message);
  }
}

export function validatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  const hooks = followed(deps, 'validatingwebhookconfigurations', hooksOf);
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: attributes => hooks().length > 0 && !isExempt(attributes),
    async validate(attributes, object) {
      const objects = new VersionedObjects(attributes, object);
      const relevant: Array<{ hook: Hook; invocation: Invocation }> = [];
      for (const hook of hooks()) {
        const invocation = await invocationFor(deps, hook, objects, object);
        if (invocation) relevant.push({ hook, invocation });
      }
      // All at once; the first refusal in time is told, as upstream's channel does.
      const refusals: unknown[] = [];
      await Promise.all(
        relevant.map(async ({ hook, invocation }, at) => {
          try {
            await called(deps, hook, invocation, objects, false);
          } catch (error) {
            const refused = refusalOf(deps, hook, error);
            if (refused !== undefined) refusals.push(refused);
            else attributes.annotate(`failed-open.validating.webhook.admission.k8s.io/round_0_index_${at}`, hook.name);
          }
        }),
      );
      if (refusals.length > 0) throw refusals[0];
      return undefined;
    },
  };
}

/** What a failed call means for the request; undefined: nothing. */
function refusalOf({ logger }: WebhookDeps, hook: Hook, error: unknown): unknown {
  if (!(error instanceof Unanswered)) return error;
  logger.warn('webhook could not be called', { webhook: hook.name, failsOpen: hook.ignoresFailure, error });
  return hook.ignoresFailure ? undefined : internalError(error.message);
}

const pluginName = 'MutatingAdmissionWebhook';

export function mutatingWebhooks(deps: WebhookDeps): AdmissionPlugin {
  const hooks = followed(deps, 'mutatingwebhookconfigurations', hooksOf);
  return {
    name: pluginName,
    handles: attributes => hooks().length > 0 && !isExempt(attributes),
    async admit(attributes, draft) {
      const memory = memoryOf(attributes, pluginName);
      const { reinvocation } = attributes;
      if (reinvocation.again && !semanticEqual(memory.output, draft)) requireAgain(memory);
      for (const [at, hook] of hooks().entries()) {
        const objects = new VersionedObjects(attributes, draft as KubeObject | null);
        const invocation = await invocationFor(deps, hook, objects, draft as KubeObject | null);
        if (!invocation || (reinvocation.again && !memory.again.has(hook.id))) continue;
        await ask(deps, { hook, invocation, objects, draft, memory, at });
      }
      memory.output = structuredClone(draft) as KubeObject | null;
    },
  };
}

interface Asked {
  readonly hook: Hook;
  readonly invocation: Invocation;
  readonly objects: VersionedObjects;
  readonly draft: Draft<KubeObject> | null;
  readonly memory: Memory;
  readonly at: number;
}

async function ask(deps: WebhookDeps, { hook, invocation, objects, draft, memory, at }: Asked): Promise<void> {
  const { attributes } = objects;
  const { reinvocation, annotate } = attributes;
  const suffix = `mutation.webhook.admission.k8s.io/round_${reinvocation.again ? 1 : 0}_index_${at}`;
  let mutated = false;
  try {
    const response = await called(deps, hook, invocation, objects, true);
    const operations = patchOf(hook, response);
    if (operations.length > 0) {
      mutated = await patch(hook, { attributes, invocation, objects, draft }, operations);
      const { configuration, name: webhook } = hook;
      annotate(
        `patch.webhook.admission.k8s.io/${suffix.split('/')[1]}`,
        writeOrdered({ configuration, webhook, patch: operations.map(withSortedKeys), patchType: 'JSONPatch' }),
        'Request',
      );
    }
  } catch (error) {
    const refused = refusalOf(deps, hook, error);
    if (refused !== undefined) throw refused;
    annotate(`failed-open.${suffix}`, hook.name);
  } finally {
    annotate(suffix, writeOrdered({ configuration: hook.configuration, webhook: hook.name, mutated }));
  }
  if (mutated) {
    requireAgain(memory);
    reinvocation.wanted = true;
  }
  if (hook.reinvokes) memory.invoked.add(hook.id);
}

/** The keys of an operation as Go's maps have them; its value stays as the webhook wrote it. */
function withSortedKeys(operation: JsonPatchOperation): object {
  return Object.fromEntries(Object.entries(operation).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function patchOf(hook: Hook, { patch: text, patchType }: ReviewResponse): readonly JsonPatchOperation[] {
  if (text === '') return [];
  let operations: readonly JsonPatchOperation[];
  try {
    ({ operations } = parseJsonPatch(text, false));
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw unanswered(hook, `received undecodable patch in webhook response: ${error.message}`);
  }
  if (operations.length > 0 && patchType !== 'JSONPatch') {
    throw unanswered(hook, `unsupported patch type ${JSON.stringify(patchType)}`);
  }
  return operations;
}

/** A patch may change everything but what the object is. */
function checkSameKind(object: KubeObject, patched: Partial<KubeObject>): void {
  if (patched.kind === object.kind && patched.apiVersion === object.apiVersion) return;
  const shown = ({ apiVersion = '', kind = '' }: Partial<KubeObject>): string =>
    `(${apiVersion.slice(apiVersion.indexOf('/') + 1)}.${kind})`;
  throw internalError(`converting ${shown(patched)} to ${shown(object)}: unknown conversion`);
}

/** Changes the draft as the webhook wants it; answers whether it did. */
async function patch(
  hook: Hook,
  {
    attributes,
    invocation,
    objects,
    draft,
  }: Pick<Asked, 'invocation' | 'objects' | 'draft'> & { attributes: AdmissionAttributes },
  operations: readonly JsonPatchOperation[],
): Promise<boolean> {
  const { object } = objects.in(invocation);
  if (!draft || !object) {
    throw internalError(
      `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  }
  const struct = structOf(attributes, invocation);
  const { resource } = invocation;
  try {
    const patched = applyJsonPatch(readAnyJson(objectJson(object, struct)), operations);
    checkSameKind(object, patched as KubeObject);
    const text = writeOrdered(patched);
    const next =
      resource.codec && attributes.ownKind
        ? resource.codec.read(text).object
        : ((struct ? readJson(text, struct).value : patched) as Draft<KubeObject>);
    const changed = !semanticEqual(next, object);
    if (attributes.ownKind) resource.rules.defaults?.(next);
    await replaceDraft(attributes, draft, invocation, next);
    return changed;
  } catch (error) {
    if (error instanceof InputError) throw internalError(error.message);
    throw error;
  }
}
