/**
 * Metrics of authorization. Upstream: apiserver pkg/authorization/{metrics,cel}/metrics.go,
 * plugin/pkg/authorizer/webhook/metrics, pkg/server/options/authorizationconfig/metrics.
 */
import { createHash } from 'node:crypto';
import type { Clock, Counter, Histogram, MetricsRegistry } from '#base';
import type { Authorizer, Decision } from './authorizer.ts';
import type { MatchOutcome } from './webhook/match-conditions.ts';

const conditionBuckets = [0.001, 0.005, 0.01, 0.025, 0.1, 0.2, 0.25];
const defaultBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface WebhookMetrics {
  matched(name: string, seconds: number, outcome: MatchOutcome): void;
  called(name: string, result: string, seconds: number): void;
  failedOpen(name: string, result: string): void;
}

/** Registered once a server. */
export class AuthorizationMetrics implements WebhookMetrics {
  readonly #decisions: Counter;
  readonly #conditionErrors: Counter;
  readonly #conditionExclusions: Counter;
  readonly #conditionSeconds: Histogram;
  readonly #evaluations: Counter;
  readonly #callSeconds: Histogram;
  readonly #failedOpen: Counter;

  constructor(metrics: MetricsRegistry) {
    const counter = (name: string, help: string): Counter => metrics.counter(`apiserver_authorization_${name}`, help);
    this.#decisions = counter(
      'decisions_total',
      '[ALPHA] Total number of terminal decisions made by an authorizer split by authorizer type, name, and decision.',
    );
    this.#conditionErrors = counter(
      'match_condition_evaluation_errors_total',
      '[ALPHA] Total number of errors when an authorization webhook encounters a match condition error split by authorizer type and name.',
    );
    this.#conditionExclusions = counter(
      'match_condition_exclusions_total',
      '[ALPHA] Total number of exclusions when an authorization webhook is skipped because match conditions exclude it.',
    );
    this.#conditionSeconds = metrics.histogram(
      'apiserver_authorization_match_condition_evaluation_seconds',
      '[ALPHA] Authorization match condition evaluation time in seconds, split by authorizer type and name.',
      conditionBuckets,
    );
    this.#evaluations = counter('webhook_evaluations_total', '[ALPHA] Round-trips to authorization webhooks.');
    this.#callSeconds = metrics.histogram(
      'apiserver_authorization_webhook_duration_seconds',
      '[ALPHA] Request latency in seconds.',
      defaultBuckets,
    );
    this.#failedOpen = counter(
      'webhook_evaluations_fail_open_total',
      '[ALPHA] NoOpinion results due to webhook timeout or error.',
    );
  }

  /** The same authorizer, its terminal decisions counted. */
  counted(type: string, name: string, authorizer: Authorizer): Authorizer {
    const labels = {
      allow: Object.freeze({ type, name, decision: 'allowed' }),
      deny: Object.freeze({ type, name, decision: 'denied' }),
    };
    const count = (decided: Decision): Decision => {
      if (decided.decision !== 'noOpinion') this.#decisions.inc(labels[decided.decision]);
      return decided;
    };
    return {
      authorize(attributes) {
        const answer = authorizer.authorize(attributes);
        return answer instanceof Promise ? answer.then(count) : count(answer);
      },
    };
  }

  matched(name: string, seconds: number, { matches, error }: MatchOutcome): void {
    const labels = { type: 'Webhook', name };
    this.#conditionSeconds.observe(seconds, labels);
    if (error !== undefined) this.#conditionErrors.inc(labels);
    else if (!matches) this.#conditionExclusions.inc(labels);
  }

  called(name: string, result: string, seconds: number): void {
    this.#evaluations.inc({ name, result });
    this.#callSeconds.observe(seconds, { name, result });
  }

  failedOpen(name: string, result: string): void {
    this.#failedOpen.inc({ name, result });
  }
}

/** How often the configuration file was read again, and which one holds. */
export class ReloadMetrics {
  readonly #reloads: Counter;
  readonly #times: ReturnType<MetricsRegistry['gauge']>;
  readonly #info: ReturnType<MetricsRegistry['gauge']>;
  readonly #clock: Clock;
  readonly #serverHash: string;
  #shown: string | undefined;

  constructor(metrics: MetricsRegistry, clock: Clock, serverId: string) {
    const prefix = 'apiserver_authorization_config_controller_';
    this.#reloads = metrics.counter(
      `${prefix}automatic_reloads_total`,
      '[BETA] Total number of automatic reloads of authorization configuration split by status and apiserver identity.',
    );
    this.#times = metrics.gauge(
      `${prefix}automatic_reload_last_timestamp_seconds`,
      '[BETA] Timestamp of the last automatic reload of authorization configuration split by status and apiserver identity.',
    );
    this.#info = metrics.gauge(
      `${prefix}last_config_info`,
      '[ALPHA] Information about the last applied authorization configuration with hash as label, split by apiserver identity.',
    );
    this.#clock = clock;
    this.#serverHash = sha256(serverId);
  }

  applied(text: string): void {
    const labels = (hash: string) => ({ apiserver_id_hash: this.#serverHash, hash });
    const hash = sha256(text);
    if (this.#shown !== undefined) this.#info.remove(labels(this.#shown));
    this.#shown = hash;
    this.#info.set(1, labels(hash));
  }

  reloaded(status: 'success' | 'failure'): void {
    const labels = { status, apiserver_id_hash: this.#serverHash };
    this.#reloads.inc(labels);
    this.#times.set(this.#clock.now() / 1000, labels);
  }
}

const sha256 = (text: string): string =>
  text === '' ? '' : `sha256:${createHash('sha256').update(text).digest('hex')}`;
