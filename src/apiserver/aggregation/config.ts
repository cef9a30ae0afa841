/** Settings of aggregation. Upstream: pkg/controlplane/apiserver/options/options.go. */
import type { ClientPairFiles } from './client-pair.ts';

export interface AggregationConfig {
  /** `--enable-aggregator-routing`. */
  readonly enableAggregatorRouting: boolean;
  /** `--aggregator-reject-forwarding-redirect`. */
  readonly aggregatorRejectForwardingRedirect: boolean;
  /** `--proxy-client-cert-file` and `--proxy-client-key-file`: as whom this server calls others. */
  readonly proxyClient: ClientPairFiles | undefined;
}

export const defaultAggregation: AggregationConfig = Object.freeze({
  enableAggregatorRouting: false,
  aggregatorRejectForwardingRedirect: true,
  proxyClient: undefined,
} satisfies AggregationConfig);
