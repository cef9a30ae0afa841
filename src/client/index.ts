/** The client layer's face, published as `kobune/client`: works unchanged against any Kubernetes. */
export {
  type CallOptions,
  type Client,
  createClient,
  type DeleteOptions,
  type ListOptions,
  type PatchOptions,
  type PatchType,
  type ResourceClient,
  type ResourceName,
  type SubresourceOptions,
  type TypedWatchEvent,
  type WatchOptions,
  type WriteOptions,
} from './client.ts';
export {
  type Controller,
  type ControllerDeps,
  type ControllerOptions,
  createController,
  type ReconcileResult,
  TerminalError,
} from './controller.ts';
export {
  createEventRecorder,
  type EventRecorder,
  type EventRecorderDeps,
  type EventSource,
  type EventType,
} from './events.ts';
export { createHttpsTransport, type HttpsTransportConfig, pathOf, statusErrorOf } from './https-transport.ts';
export {
  createInformer,
  type Informer,
  type InformerDeps,
  type InformerHandler,
  type InformerOptions,
} from './informer.ts';
export { createInformerFactory, type InformerFactory } from './informer-factory.ts';
export {
  type KubeconfigContext,
  kubeconfigPath,
  kubeconfigTransport,
  loadKubeconfig,
  parseKubeconfig,
  readKubeconfig,
} from './kubeconfig.ts';
export type { UserEntry } from './kubeconfig-document.ts';
export { type LeaderElectionOptions, runAsLeader } from './leader-election.ts';
export { type QueueMetrics, RestClientMetrics, WorkQueueMetrics } from './metrics.ts';
export * from './resources.ts';
export type { ApiRequest, ApiResponse, Transport, WatchEvent } from './transport.ts';
export { decodeWatch } from './watch-decoder.ts';
export { createWorkQueue, type WorkQueue, type WorkQueueOptions } from './work-queue.ts';
