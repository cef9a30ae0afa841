/**
 * `--feature-gates`: which features are on. Upstream: component-base featuregate/feature_gate.go.
 * Deviation: of the gates that are not locked, only those that are listed here as switchable can be set to other than
 * their default; the rest is refused, for what they switch is not built in, or is always on.
 */
import { type MetricsRegistry, UserError } from '#base';
import { gates } from './gates.ts';

/** What a server can do or leave. */
const switchable: ReadonlySet<string> = new Set([
  'APIResponseCompression',
  'APIServerIdentity',
  'ClusterTrustBundle',
  'ClusterTrustBundleProjection',
  'ComponentFlagz',
  'ComponentStatusz',
]);
/** What a feature needs of others, among those that can be switched. */
const dependencies: Readonly<Record<string, readonly string[]>> = {
  ClusterTrustBundleProjection: ['ClusterTrustBundle'],
};

/** By name, what was said about each. */
export type FeatureSettings = Readonly<Record<string, boolean>>;

export class FeatureGates {
  readonly #settings: FeatureSettings;

  constructor(settings: FeatureSettings = {}) {
    this.#settings = settings;
  }

  enabled(name: string): boolean {
    return this.#settings[name] ?? gates.get(name)?.byDefault ?? false;
  }

  /** `kubernetes_feature_enabled`, one a gate. */
  register(metrics: MetricsRegistry): void {
    const gauge = metrics.gauge(
      'kubernetes_feature_enabled',
      '[BETA] This metric records the data about the stage and enablement of a k8s feature.',
    );
    for (const [name, { stage }] of gates) gauge.set(this.enabled(name) ? 1 : 0, { name, stage });
  }
}

/** Throws a UserError for what upstream refuses, in its words, and for what this server cannot do. */
export function checkFeatures(settings: FeatureSettings): FeatureSettings {
  const problems: string[] = [];
  for (const [name, value] of Object.entries(settings)) {
    const gate = gates.get(name);
    if (!gate) throw new UserError(`unrecognized feature gate: ${name}`);
    if (value === gate.byDefault || switchable.has(name)) continue;
    problems.push(
      gate.isLocked
        ? `cannot set feature gate ${name} to ${value}, feature is locked to ${gate.byDefault}`
        : `cannot set feature gate ${name} to ${value}: this server has it as ${gate.byDefault} only (docs/security.md, Feature gates)`,
    );
  }
  if (problems.length === 0) problems.push(...missing(new FeatureGates(settings)));
  if (problems.length > 0) throw new UserError(problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`);
  return settings;
}

function missing(features: FeatureGates): string[] {
  return Object.entries(dependencies).flatMap(([name, needs]) => {
    const off = needs.filter(need => !features.enabled(need));
    if (off.length === 0 || !features.enabled(name)) return [];
    return [`${name} is enabled, but depends on features that are disabled: [${off.join(' ')}]`];
  });
}
