/**
 * How long admission and each of its plugins take. Upstream: apiserver pkg/admission/metrics/metrics.go.
 * Deviation: there is no apiserver_admission_step_admission_duration_seconds_summary; the histogram of the same name has
 * what it says.
 */
import type { Clock, Counter, Histogram, Labels, MetricsRegistry } from '#base';
import type { AdmissionAttributes, AdmissionOperation } from './chain.ts';

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

export type AdmissionStep = 'admit' | 'validate';

export class AdmissionMetrics {
  readonly #clock: Clock;
  readonly #steps: Histogram;
  readonly #plugins: Histogram;
  readonly #labels = new Map<string, Labels>();

  constructor(registry: MetricsRegistry, clock: Clock) {
    this.#clock = clock;
    const each = 'broken out for each operation and API resource and';
    this.#steps = registry.histogram(
      'apiserver_admission_step_admission_duration_seconds',
      `[STABLE] Admission sub-step latency histogram in seconds, ${each} step type (validate or admit).`,
      buckets,
    );
    this.#plugins = registry.histogram(
      'apiserver_admission_controller_admission_duration_seconds',
      `[STABLE] Admission controller latency histogram in seconds, identified by name and ${each} type (validate or admit).`,
      buckets,
    );
  }

  now(): number {
    return this.#clock.monotonicMs();
  }

  step(type: AdmissionStep, operation: AdmissionOperation, rejected: boolean, begunMs: number): void {
    this.#steps.observe(this.#since(begunMs), this.#labelsOf('', type, operation, rejected));
  }

  plugin(name: string, type: AdmissionStep, operation: AdmissionOperation, rejected: boolean, begunMs: number): void {
    this.#plugins.observe(this.#since(begunMs), this.#labelsOf(name, type, operation, rejected));
  }

  #since(begunMs: number): number {
    return (this.#clock.monotonicMs() - begunMs) / 1000;
  }

  #labelsOf(name: string, type: AdmissionStep, operation: AdmissionOperation, rejected: boolean): Labels {
    const key = `${name}/${type}/${operation}/${rejected}`;
    let labels = this.#labels.get(key);
    if (!labels) {
      labels = Object.freeze({ ...(name && { name }), operation, rejected: String(rejected), type });
      this.#labels.set(key, labels);
    }
    return labels;
  }
}

/** What a policy did with a request, and how long its expression took. */
export type PolicyAction = 'deny' | 'warn' | 'audit';

const checkBuckets = [5e-7, 0.001, 0.01, 0.1, 1];

/** Validating admission policies. Upstream: apiserver pkg/admission/plugin/policy/validating/metrics/metrics.go. */
export class PolicyMetrics {
  readonly #checks: Counter;
  readonly #durations: Histogram;

  constructor(registry: MetricsRegistry) {
    const name = 'apiserver_validating_admission_policy_check';
    this.#checks = registry.counter(
      `${name}_total`,
      '[BETA] Validation admission policy check total, labeled by policy and further identified by binding and enforcement action taken.',
    );
    this.#durations = registry.histogram(
      `${name}_duration_seconds`,
      '[BETA] Validation admission latency for individual validation expressions in seconds, labeled by policy and further including binding and enforcement action taken.',
      checkBuckets,
    );
  }

  objected(policy: string, binding: string, action: PolicyAction, seconds: number): void {
    const labels: Labels = { enforcement_action: action, error_type: 'invalid_error', policy, policy_binding: binding };
    this.#checks.inc(labels);
    this.#durations.observe(seconds, labels);
  }
}

type PodSecurityAbout = Pick<AdmissionAttributes, 'operation' | 'resource' | 'subresource'>;

/** Pod security. Upstream: pod-security-admission metrics/metrics.go. */
export class PodSecurityMetrics {
  readonly #evaluations: Counter;
  readonly #exemptions: Counter;

  constructor(registry: MetricsRegistry) {
    this.#evaluations = registry.counter(
      'pod_security_evaluations_total',
      '[ALPHA] Number of policy evaluations that occurred, not counting ignored or exempt requests.',
    );
    this.#exemptions = registry.counter(
      'pod_security_exemptions_total',
      '[ALPHA] Number of exempt requests, not counting ignored or out of scope requests.',
    );
  }

  evaluated(
    about: PodSecurityAbout,
    mode: 'enforce' | 'audit' | 'warn',
    { level, version }: { readonly level: string; readonly version: string },
    decision: 'allow' | 'deny',
  ): void {
    this.#evaluations.inc({
      decision,
      mode,
      policy_level: level,
      policy_version: level === 'privileged' ? 'latest' : version,
      ...requestLabels(about),
    });
  }

  exempt(about: PodSecurityAbout): void {
    this.#exemptions.inc(requestLabels(about));
  }
}

function requestLabels({ operation, resource, subresource }: PodSecurityAbout): Labels {
  const isPod = resource.group === '' && resource.resource === 'pods';
  return { request_operation: operation.toLowerCase(), resource: isPod ? 'pod' : 'controller', subresource };
}
