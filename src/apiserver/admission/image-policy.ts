/**
 * Whether the images of a pod may be run is for a webhook to say, which a kubeconfig names; what it said is kept for a
 * while. Upstream: plugin/pkg/admission/imagepolicy.
 *
 * Deviation: a pod that is let in because the webhook failed carries no annotation that says so, which upstream writes
 * while it validates; the audit event has it.
 */
import type { Container, Pod } from '#api/types';
import { formatGoDuration, writeSorted } from '#apimachinery';
import { type Clock, LruMap, type Random, UserError } from '#base';
import { kubeconfigWebhook, WebhookCallError, withRetries } from '../webhook/kubeconfig-client.ts';
import { answeredStatus } from '../webhook/review-answer.ts';
import type { AdmissionAttributes, AdmissionPlugin } from './chain.ts';
import { admissionForbidden, isFor } from './errors.ts';

/** `imagePolicy` of the plugin's configuration. */
export interface ImagePolicy {
  readonly kubeConfigFile: string;
  /** How long a yes is kept. */
  readonly allowTtlMs: number;
  /** The same of a no. */
  readonly denyTtlMs: number;
  /** Before the webhook is asked a second time. */
  readonly retryPauseMs: number;
  /** What holds when the webhook cannot be asked. */
  readonly defaultAllow: boolean;
}

export interface ImagePolicyDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** The server stops. */
  readonly signal: AbortSignal;
}

interface Verdict {
  readonly allowed?: boolean;
  readonly reason?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
}

const apiVersion = 'imagepolicy.k8s.io/v1alpha1';
const timeoutMs = 30_000;
const maxVerdicts = 1024;
const auditPrefix = 'imagepolicywebhook.image-policy.k8s.io/';
const minute = 60_000;

/** What the configuration of the plugin says. Throws an Error in upstream's words. */
export function readImagePolicy(told: Readonly<Record<string, unknown>>): ImagePolicy {
  const policy = (told['imagePolicy'] ?? {}) as Readonly<Record<string, unknown>>;
  return {
    kubeConfigFile: String(policy['kubeConfigFile'] ?? ''),
    retryPauseMs: span(policy['retryBackoff'], 1, { min: 1e-6, max: 5 * minute, byDefault: 500 }),
    allowTtlMs: span(policy['allowTTL'], 1000, { min: 1000, max: 30 * minute, byDefault: 5 * minute }),
    denyTtlMs: span(policy['denyTTL'], 1000, { min: 1000, max: 30 * minute, byDefault: 30_000 }),
    defaultAllow: policy['defaultAllow'] === true,
  };
}

interface Bounds {
  readonly min: number;
  readonly max: number;
  readonly byDefault: number;
}

/** Milliseconds; 0 stands for the default and -1 for none at all. */
function span(value: unknown = 0, unitMs: number, { min, max, byDefault }: Bounds): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw new Error(`${JSON.stringify(value)} is no integer`);
  if (value === -1) return 0;
  if (value === 0) return byDefault;
  const ms = value * unitMs;
  if (ms >= min && ms <= max) return ms;
  const [least, most, got] = [min, max, ms].map(each => formatGoDuration(BigInt(Math.round(each * 1e6))));
  throw new Error(`valid value is between ${least} and ${most}, got ${got}`);
}

/** Throws a UserError without a configuration, and for a kubeconfig that cannot be used. */
export function imagePolicyWebhook(policy: ImagePolicy | undefined, deps: ImagePolicyDeps): AdmissionPlugin {
  if (!policy) throw new UserError('couldn\'t init admission plugin "ImagePolicyWebhook": no config specified');
  const { clock, signal } = deps;
  const webhook = kubeconfigWebhook({ path: policy.kubeConfigFile, clock, timeoutMs });
  signal.addEventListener('abort', () => webhook[Symbol.dispose](), { once: true });
  const verdicts = new LruMap<string, { readonly verdict: Verdict; readonly untilMs: number }>(maxVerdicts);

  async function verdictOn(spec: object): Promise<Verdict> {
    const key = writeSorted(spec);
    const known = verdicts.get(key);
    if (known && known.untilMs > clock.now()) return known.verdict;
    const review = { kind: 'ImageReview', apiVersion, metadata: {}, spec, status: { allowed: false } };
    const options = { ...deps, firstPauseMs: policy!.retryPauseMs };
    const verdict = await withRetries(options, async () => readVerdict(await webhook.post(review, signal)));
    const ttlMs = verdict.allowed ? policy!.allowTtlMs : policy!.denyTtlMs;
    verdicts.set(key, { verdict, untilMs: clock.now() + ttlMs });
    return verdict;
  }

  return {
    name: 'ImagePolicyWebhook',
    handles: attributes =>
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
      (isFor(attributes, '', 'pods') || isFor(attributes, '', 'pods', 'ephemeralcontainers')),
    async validate(attributes, object) {
      const refuse = (why: string): never => {
        throw admissionForbidden(attributes, object, why);
      };
      let verdict: Verdict;
      try {
        verdict = await verdictOn(questionOf(attributes, object as unknown as Pod));
      } catch (error) {
        if (!(error instanceof WebhookCallError)) throw error;
        if (!policy.defaultAllow) return refuse(error.message);
        attributes.annotate(`${auditPrefix}failed-open`, 'true');
        return;
      }
      for (const [name, value] of Object.entries(verdict.auditAnnotations ?? {})) {
        attributes.annotate(auditPrefix + name, value);
      }
      if (verdict.allowed) return;
      if (verdict.reason) return refuse(`image policy webhook backend denied one or more images: ${verdict.reason}`);
      return refuse('one or more images rejected by webhook backend');
    },
  };
}

/** The spec of an ImageReview, without what is empty. */
function questionOf({ subresource, namespace }: AdmissionAttributes, { metadata, spec }: Pod): object {
  const asked: readonly Pick<Container, 'image'>[] =
    subresource === 'ephemeralcontainers'
      ? (spec.ephemeralContainers ?? [])
      : [...spec.containers, ...(spec.initContainers ?? [])];
  const annotations = Object.entries(metadata?.annotations ?? {}).filter(([name]) =>
    name.includes('.image-policy.k8s.io/'),
  );
  return {
    ...(asked.length > 0 && { containers: asked.map(({ image }) => ({ ...(image && { image }) })) }),
    ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
    namespace,
  };
}

/** Throws a WebhookCallError for an answer that is no ImageReview: nothing of it is guessed at. */
function readVerdict(answer: unknown): Verdict {
  const status = answeredStatus(answer, apiVersion, 'ImageReview');
  const { allowed, reason, auditAnnotations } = status;
  const texts = Object.values(auditAnnotations ?? {});
  const isGood =
    ['boolean', 'undefined'].includes(typeof (allowed ?? undefined)) &&
    [reason ?? '', ...texts].every(each => typeof each === 'string');
  if (!isGood) throw new WebhookCallError('the status of the answer has fields of other types than an ImageReview has');
  return status as Verdict;
}
