/** What an API server is started with, and what every stage of the start is given. */
import type { Activity, Clock, FaultPlan, Logger, MetricsRegistry, Random } from '#base';
import type { Transport } from '#client';
import type { TokenKeys } from '#pki';
import type { Store } from '#storage';
import type { TokenAuthenticator } from '../authentication/authenticator.ts';
import type { ApiServerConfig } from '../config.ts';
import type { FeatureGates } from '../features/feature-gates.ts';
import type { ComponentProbes } from '../handlers/component-statuses.ts';
import type { KubeletClient } from '../handlers/kubelet-tunnel.ts';
import type { OpenapiDocuments } from '../openapi/openapi.ts';
import type { StartHooks } from './start-hooks.ts';

export interface ApiServerDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly faults: FaultPlan;
  readonly activity: Activity;
  /** Signs and checks ServiceAccount tokens; absent: there are none. */
  readonly tokenKeys?: TokenKeys | undefined;
  /** As whom to reach kubelets for logs, exec and the like. */
  readonly kubeletClient?: KubeletClient;
  /** How components of this process are; those that are not named are asked on upstream's ports. */
  readonly components?: ComponentProbes;
  /** The built-in OpenAPI documents, when several servers share them. */
  readonly openapi?: OpenapiDocuments;
  /** Further ways to recognise a bearer token, asked first. */
  readonly tokenAuthenticators?: readonly TokenAuthenticator[];
}

export interface Start {
  readonly deps: ApiServerDeps;
  readonly config: ApiServerConfig;
  readonly hooks: StartHooks;
  readonly features: FeatureGates;
  /** On the monotonic clock. */
  readonly begunMs: number;
  /** Aborts when the server stops. */
  readonly signal: AbortSignal;
  /** A way into the server itself as an administrator; there when it answers. */
  readonly loopback: () => Transport;
}
