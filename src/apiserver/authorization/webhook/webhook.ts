/**
 * Asks a webhook, whose answers are kept for a while. Upstream: apiserver plugin/pkg/authorizer/webhook/webhook.go.
 */
import { type Clock, LruMap, type Random } from '#base';
import { type KubeconfigWebhook, WebhookCallError, withRetries } from '../../webhook/kubeconfig-client.ts';
import { answeredStatus } from '../../webhook/review-answer.ts';
import type { AuthorizationAttributes, Authorizer, Decision, RuleResolver, UserRules } from '../authorizer.ts';
import type { WebhookMetrics } from '../metrics.ts';
import { evaluateConditions, type MatchCondition } from './match-conditions.ts';
import { type ReviewSpec, type ReviewStatus, reviewObject, reviewSpec } from './review.ts';

const maxKept = 8192;
/** Longer questions are not kept: who asks chooses their length. */
const maxKeptLength = 10_000;

export interface WebhookAuthorizerOptions {
  readonly name: string;
  readonly client: KubeconfigWebhook;
  readonly version: 'v1' | 'v1beta1';
  /** Zero: not kept. */
  readonly authorizedTtlMs: number;
  readonly unauthorizedTtlMs: number;
  readonly onFailure: 'deny' | 'noOpinion';
  readonly conditions: readonly MatchCondition[];
  readonly metrics: WebhookMetrics;
  readonly clock: Clock;
  readonly random: Random;
}

export class WebhookAuthorizer implements Authorizer, RuleResolver, Disposable {
  readonly #options: WebhookAuthorizerOptions;
  readonly #kept = new LruMap<string, { readonly status: ReviewStatus; readonly untilMs: number }>(maxKept);

  constructor(options: WebhookAuthorizerOptions) {
    this.#options = options;
  }

  async authorize(attributes: AuthorizationAttributes): Promise<Decision> {
    const spec = reviewSpec(attributes);
    const { matches, error } = this.#matches(spec);
    if (error !== undefined) return { decision: this.#options.onFailure, reason: '', error };
    if (!matches) return { decision: 'noOpinion', reason: '' };
    const key = JSON.stringify(spec);
    let status = this.#keptFor(key);
    if (!status) {
      try {
        status = await this.#ask(spec);
      } catch (failure) {
        if (!(failure instanceof WebhookCallError)) throw failure;
        return { decision: this.#options.onFailure, reason: '', error: failure.message };
      }
      if (lengthOf(attributes) < maxKeptLength) this.#keep(key, status);
    }
    return decisionOf(status);
  }

  rulesFor(): UserRules {
    return { rules: [], incomplete: true, errors: ['webhook authorizer does not support user rule resolution'] };
  }

  #matches(spec: ReviewSpec): ReturnType<typeof evaluateConditions> {
    const { conditions, metrics, clock, name } = this.#options;
    if (conditions.length === 0) return { matches: true };
    const beganMs = clock.monotonicMs();
    const outcome = evaluateConditions(conditions, spec);
    metrics.matched(name, (clock.monotonicMs() - beganMs) / 1000, outcome);
    return outcome;
  }

  async #ask(spec: ReviewSpec): Promise<ReviewStatus> {
    const { client, version, metrics, name, clock, random, onFailure } = this.#options;
    const review = reviewObject(spec, version);
    let outcome: 'success' | 'timeout' | 'error' = 'error';
    const call = async (): Promise<ReviewStatus> => {
      const beganMs = clock.monotonicMs();
      try {
        const status = statusOf(await client.post(review), version);
        outcome = 'success';
        return status;
      } catch (error) {
        outcome = error instanceof WebhookCallError && error.kind === 'timeout' ? 'timeout' : 'error';
        throw error;
      } finally {
        metrics.called(name, outcome, (clock.monotonicMs() - beganMs) / 1000);
      }
    };
    try {
      return await withRetries({ clock, random }, call);
    } catch (error) {
      if (onFailure === 'noOpinion') metrics.failedOpen(name, outcome);
      throw error;
    }
  }

  #keptFor(key: string): ReviewStatus | undefined {
    const found = this.#kept.get(key);
    if (found && found.untilMs > this.#options.clock.monotonicMs()) return found.status;
    this.#kept.delete(key);
    return undefined;
  }

  #keep(key: string, status: ReviewStatus): void {
    const { authorizedTtlMs, unauthorizedTtlMs, clock } = this.#options;
    const ttlMs = status.allowed ? authorizedTtlMs : unauthorizedTtlMs;
    if (ttlMs <= 0) return;
    this.#kept.set(key, { status, untilMs: clock.monotonicMs() + ttlMs });
  }

  [Symbol.dispose](): void {
    this.#options.client[Symbol.dispose]();
  }
}

function decisionOf({ allowed, denied, reason }: ReviewStatus): Decision {
  if (allowed && denied) {
    const error = 'webhook subject access review returned both allow and deny response';
    return { decision: 'deny', reason, error };
  }
  return { decision: denied ? 'deny' : allowed ? 'allow' : 'noOpinion', reason };
}

function lengthOf(attributes: AuthorizationAttributes): number {
  const { namespace, verb, group, version, resource, subresource, name, path } = attributes;
  return [namespace, verb, group, version, resource, subresource, name, path].join('').length;
}

/** Reads the answer's status. Throws a WebhookCallError unless it is one of the kind that was asked for. */
function statusOf(answer: unknown, version: string): ReviewStatus {
  const status = answeredStatus(answer, `authorization.k8s.io/${version}`, 'SubjectAccessReview');
  const { allowed = false, denied = false, reason = '' } = status;
  if (typeof allowed !== 'boolean' || typeof denied !== 'boolean' || typeof reason !== 'string') {
    throw new WebhookCallError('the status of the answer has fields of other types than a SubjectAccessReview has');
  }
  return { allowed, denied, reason };
}
