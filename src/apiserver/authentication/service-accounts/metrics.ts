/** Upstream: pkg/serviceaccount/metrics.go. */
import type { Counter, MetricsRegistry } from '#base';

export class ServiceAccountMetrics {
  readonly legacyTokens: Counter;
  readonly staleTokens: Counter;
  readonly validTokens: Counter;
  readonly manualTokens: Counter;
  readonly autoTokens: Counter;
  readonly invalidatedTokens: Counter;

  constructor(registry: MetricsRegistry) {
    const counter = (name: string, help: string): Counter =>
      registry.counter(`serviceaccount_${name}`, `[ALPHA] ${help}`, true);
    this.legacyTokens = counter('legacy_tokens_total', 'Cumulative legacy service account tokens used');
    this.staleTokens = counter('stale_tokens_total', 'Cumulative stale projected service account tokens used');
    this.validTokens = counter('valid_tokens_total', 'Cumulative valid projected service account tokens used');
    this.manualTokens = counter('legacy_manual_token_uses_total', 'Cumulative manually created legacy tokens used');
    this.autoTokens = counter('legacy_auto_token_uses_total', 'Cumulative auto-generated legacy tokens used');
    this.invalidatedTokens = counter(
      'invalid_legacy_auto_token_uses_total',
      'Cumulative invalid auto-generated legacy tokens used',
    );
  }
}
