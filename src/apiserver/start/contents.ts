/**
 * The fourth stage of a start: what a server keeps in the store (the objects of a fresh one, its own address and lease)
 * and what it takes from there (custom kinds, other API servers).
 */
import { Aggregator } from '../aggregation/aggregator.ts';
import { publishAuthenticationInfo } from '../aggregation/authentication-info.ts';
import { bootstrap } from '../bootstrap/bootstrap.ts';
import { EndpointReconciler } from '../bootstrap/endpoints.ts';
import { collectIdentityLeases, holdIdentityLease } from '../bootstrap/identity-lease.ts';
import { keepNodePorts } from '../bootstrap/node-ports.ts';
import { CelMetrics } from '../custom/cel-metrics.ts';
import { Definitions } from '../custom/definitions.ts';
import { webhookClient } from '../custom/webhook-client.ts';
import type { Registry } from '../registry/registry.ts';
import { serviceResolver } from '../server/service-resolver.ts';
import type { Access } from './access.ts';
import type { Start } from './start.ts';
import type { Storage } from './storage.ts';

export interface Contents {
  readonly endpoints: EndpointReconciler;
  readonly definitions: Definitions;
  readonly aggregator: Aggregator;
}

const aggregationHooks = [
  'start-kube-aggregator-informers',
  'apiservice-status-local-available-controller',
  'apiservice-status-remote-available-controller',
  'apiservice-registration-controller',
  'apiservice-discovery-controller',
  'apiservice-openapi-controller',
  'apiservice-openapiv3-controller',
];
const definitionHooks = ['start-apiextensions-informers', 'start-apiextensions-controllers', 'crd-informer-synced'];

export async function startContents(
  start: Start,
  storage: Storage,
  access: Access,
  registry: Registry,
): Promise<Contents> {
  const { deps, config, hooks, features, signal } = start;
  const { clock, random, logger, metrics } = deps;
  const { store, scheme, caches } = storage;
  const { lookup, authentication } = access;
  const own = { clock, scheme, registry, config, features };
  const endpoints = new EndpointReconciler({ ...deps, ...own });
  const definitions = new Definitions({
    webhooks: webhookClient({ clock, random, resolve: serviceResolver(lookup, random) }),
    cel: new CelMetrics(metrics, clock),
    clock,
    logger,
    scheme,
    caches,
    registry,
    keyPrefix: config.keyPrefix,
  });
  const parts = { ...deps, scheme, caches, registry, lookup, config: config.aggregation, signal };
  const aggregator = new Aggregator({ ...parts, customGroups: () => definitions.groups });
  const hasIdentity = features.enabled('APIServerIdentity');
  const { clientCaFile, requestHeader } = config.authentication;
  // What does not need another to be done does not wait for it either: most of a start is waiting for the store.
  await Promise.all([
    bootstrap(own, hooks),
    keepNodePorts({ store, scheme, caches, clock, logger }, config.keyPrefix, signal),
    hooks.run('bootstrap-controller', () => endpoints.start(signal)),
    hooks.run('start-kube-apiserver-identity-lease-controller', () =>
      hasIdentity ? holdIdentityLease(own, logger, signal) : undefined,
    ),
    hooks.run('start-kube-apiserver-identity-lease-garbage-collector', () =>
      hasIdentity ? collectIdentityLeases({ ...own, caches }, logger, signal) : undefined,
    ),
    hooks.run(definitionHooks, () => definitions.start(signal)),
    hooks.run('start-cluster-authentication-info-controller', async () => {
      if (!config.publishListenerAuthorities && !clientCaFile && !requestHeader) return;
      await publishAuthenticationInfo({ ...deps, scheme, caches, registry, ...authentication }, signal);
    }),
  ]);
  // The built-in APIServices have been made, and the groups of definitions are known.
  await hooks.run(aggregationHooks, () => aggregator.start());
  return { endpoints, definitions, aggregator };
}
