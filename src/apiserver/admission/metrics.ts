/**
 * How long admission and each of its plugins take. Upstream: apiserver pkg/admission/metrics/metrics.go.
 * Deviation: there is no apiserver_admission_step_admission_duration_seconds_summary; the histogram of the same name has
 * what it says.
 */
import type { BoundHistogram, Clock, Counter, Histogram, Labels, MetricsRegistry } from '#base';
import type { AdmissionAttributes, AdmissionOperation } from './chain.ts';

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 2.5];

const operations: readonly AdmissionOperation[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'];

export type AdmissionStep = 'admit' | 'validate';

export interface Observed {
  readonly plugin?: string;
  readonly step: AdmissionStep;
  readonly operation: AdmissionOperation;
  readonly rejected: boolean;
}

export class AdmissionMetrics {
  readonly #clock: Clock;
  readonly #steps: Histogram;
  readonly #plugins: Histogram;
  readonly #series = new Map<string, Array<BoundHistogram | undefined>>();

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

  /** What lasted from `begunMs` until now: a plugin by its name, or without one the whole step. Answers now. */
  observe(begunMs: number, { plugin = '', step, operation, rejected }: Observed): number {
    let series = this.#series.get(plugin);
    if (!series) this.#series.set(plugin, (series = []));
    const at = (operations.indexOf(operation) * 2 + (step === 'admit' ? 0 : 1)) * 2 + (rejected ? 1 : 0);
    const labels = (): Labels => ({
      ...(plugin && { name: plugin }),
      operation,
      rejected: String(rejected),
      type: step,
    });
    const nowMs = this.#clock.monotonicMs();
    series[at] ??= (plugin === '' ? this.#steps : this.#plugins).of(labels());
    series[at].observe((nowMs - begunMs) / 1000);
    return nowMs;
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
  readonly #errors: Counter;

  constructor(registry: MetricsRegistry) {
    this.#evaluations = registry.counter(
      'pod_security_evaluations_total',
      '[ALPHA] Number of policy evaluations that occurred, not counting ignored or exempt requests.',
    );
    this.#exemptions = registry.counter(
      'pod_security_exemptions_total',
      '[ALPHA] Number of exempt requests, not counting ignored or out of scope requests.',
    );
    this.#errors = registry.counter(
      'pod_security_errors_total',
      '[ALPHA] Number of errors preventing normal evaluation. Non-fatal errors may result in the latest restricted profile being used for evaluation.',
    );
    this.#begin();
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

  /** `fatal`: the request could not be judged at all. */
  failed(about: PodSecurityAbout, fatal: boolean): void {
    this.#errors.inc({ fatal: String(fatal), ...requestLabels(about) });
  }

  /** Series that upstream has before anything happens. */
  #begin(): void {
    for (const operation of ['create', 'update']) {
      const pod = { request_operation: operation, resource: 'pod', subresource: '' };
      const policy = { mode: 'enforce', policy_level: 'privileged', policy_version: 'latest' };
      this.#evaluations.inc({ decision: 'allow', ...policy, ...pod }, 0);
      this.#exemptions.inc(pod, 0);
      this.#exemptions.inc({ ...pod, resource: 'controller' }, 0);
    }
  }
}

function requestLabels({ operation, resource, subresource }: PodSecurityAbout): Labels {
  const isPod = resource.group === '' && resource.resource === 'pods';
  return { request_operation: operation.toLowerCase(), resource: isPod ? 'pod' : 'controller', subresource };
}
