/** Flags of aggregation. Upstream: pkg/controlplane/apiserver/options/options.go. */
import { type AggregationConfig, defaultAggregation } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup } from './flag.ts';

const routingFlag = 'enable-aggregator-routing';
const redirectFlag = 'aggregator-reject-forwarding-redirect';
const certFlag = 'proxy-client-cert-file';
const keyFlag = 'proxy-client-key-file';

export const aggregationFlags: FlagGroup = {
  title: 'Aggregation:',
  flags: [
    { name: routingFlag, help: 'reach other API servers and webhooks by endpoints, not by cluster addresses' },
    { name: redirectFlag, help: 'let no redirect of another API server reach the client (default: true)' },
    { name: certFlag, value: 'path', help: 'certificate shown to other API servers', isPath: true },
    { name: keyFlag, value: 'path', help: 'its key', isPath: true },
  ],
  settings(given) {
    const certFile = given.path(certFlag);
    const keyFile = given.path(keyFlag);
    if ((certFile === undefined) !== (keyFile === undefined)) {
      throw new UserError(`--${certFlag} and --${keyFlag} must be given together.`);
    }
    const routing = given.boolean(routingFlag);
    const redirects = given.boolean(redirectFlag);
    if (routing === undefined && redirects === undefined && certFile === undefined) return { apiServer: {} };
    const aggregation: AggregationConfig = {
      enableAggregatorRouting: routing ?? defaultAggregation.enableAggregatorRouting,
      aggregatorRejectForwardingRedirect: redirects ?? defaultAggregation.aggregatorRejectForwardingRedirect,
      proxyClient: certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined,
    };
    return { apiServer: { aggregation } };
  },
};
