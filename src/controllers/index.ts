/**
 * The controllers, one folder each, in the order in which they start. Each acts as its own ServiceAccount in
 * kube-system; all share their informers. Upstream: cmd/kube-controller-manager/app/controllermanager.go.
 */
import type { Activity, Clock, Logger, Random } from '#base';
import { type Client, createEventRecorder, createInformerFactory, type WorkQueueMetrics } from '#client';
import type { Authority, TrustBundle } from '#pki';
import { bootstrapSigner } from './bootstrap-tokens/bootstrap-signer.ts';
import { tokenCleaner } from './bootstrap-tokens/token-cleaner.ts';
import { certificateApprover } from './certificates/approver.ts';
import { certificateCleaner } from './certificates/cleaner.ts';
import { certificateSigner } from './certificates/signer.ts';
import { clusterRoleAggregation } from './cluster-role-aggregation/cluster-role-aggregation.ts';
import { clusterTrustBundlePublisher } from './cluster-trust-bundle-publisher/cluster-trust-bundle-publisher.ts';
import type { ControllerDefinition } from './context.ts';
import { cronJobController } from './cron-job/cron-job.ts';
import { daemonSetController } from './daemon-set/daemon-set.ts';
import { deploymentController } from './deployment/deployment.ts';
import { disruptionController } from './disruption/disruption.ts';
import { endpointSliceController } from './endpoint-slice/endpoint-slice.ts';
import { endpointsController } from './endpoints/endpoints.ts';
import { garbageCollector } from './garbage-collector/garbage-collector.ts';
import { jobController } from './job/job.ts';
import { namespaceController } from './namespace/namespace.ts';
import { nodeLifecycleController } from './node-lifecycle/node-lifecycle.ts';
import { podGarbageCollector } from './pod-gc/pod-gc.ts';
import { replicaSetController, replicationController } from './replica-set/replica-set.ts';
import { resourceQuotaController } from './resource-quota/resource-quota.ts';
import { rootCaPublisher } from './root-ca-publisher/root-ca-publisher.ts';
import { serviceAccountController } from './service-account/service-account.ts';
import { legacyTokenCleaner } from './service-account-tokens/legacy-token-cleaner.ts';
import { serviceAccountTokenController } from './service-account-tokens/tokens.ts';
import { statefulSetController } from './stateful-set/stateful-set.ts';
import { ttlAfterFinished } from './ttl-after-finished/ttl-after-finished.ts';
import { validatingAdmissionPolicyStatus } from './validating-admission-policy-status/validating-admission-policy-status.ts';

export type { ControllerContext, ControllerDefinition, StartableController } from './context.ts';

export {
  bootstrapSigner,
  clusterTrustBundlePublisher,
  legacyTokenCleaner,
  resourceQuotaController,
  serviceAccountTokenController,
  tokenCleaner,
  validatingAdmissionPolicyStatus,
};

/** Those that an API server needs to be one: what upstream's tests of the API alone run. */
export const apiControllers: readonly ControllerDefinition[] = [
  namespaceController,
  serviceAccountController,
  rootCaPublisher,
];

/** All of them. */
export const controllers: readonly ControllerDefinition[] = [
  ...apiControllers,
  garbageCollector,
  deploymentController,
  replicaSetController,
  daemonSetController,
  statefulSetController,
  jobController,
  cronJobController,
  replicationController,
  endpointSliceController,
  endpointsController,
  nodeLifecycleController,
  podGarbageCollector,
  ttlAfterFinished,
  disruptionController,
  clusterRoleAggregation,
  resourceQuotaController,
  certificateApprover,
  certificateSigner,
  certificateCleaner,
  serviceAccountTokenController,
  legacyTokenCleaner,
  bootstrapSigner,
  tokenCleaner,
  validatingAdmissionPolicyStatus,
];

export interface ControllersDeps {
  /** A client that acts as this user; one a controller, and one for the shared informers. */
  readonly clientFor: (user: string) => Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly workQueues?: WorkQueueMetrics;
  readonly rootCa: TrustBundle;
  /** Certifies approved requests; absent: they stay without certificates. */
  readonly signer?: Pick<Authority, 'sign'>;
  /** Signs tokens of ServiceAccounts; absent: Secrets stay without them. */
  readonly signToken?: (claims: object) => string;
  /** `--cluster-signing-duration`. */
  readonly signingDurationMs?: number;
  readonly legacyTokenPeriodMs?: number;
}

const managerUser = 'system:kube-controller-manager';

/** Starts `definitions`; resolves when their informers are synced and their workers run. */
export async function startControllers(
  deps: ControllersDeps,
  definitions: readonly ControllerDefinition[],
  signal: AbortSignal,
): Promise<AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const informers = stack.use(createInformerFactory(deps, deps.clientFor(managerUser)));
  const set = definitions.map(definition => {
    const account = `system:serviceaccount:kube-system:${definition.serviceAccount}`;
    const client = deps.clientFor(definition.user ?? account);
    const logger = deps.logger.with({ controller: definition.name });
    const events = createEventRecorder(
      { ...deps, client, logger },
      { component: definition.eventSource ?? definition.name },
    );
    return definition.setUp({ ...deps, client, informers, events, logger });
  });
  for (const controller of set) stack.use(controller);
  await informers.start(signal);
  for (const controller of set) controller.start(signal);
  return stack;
}
