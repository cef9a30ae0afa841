/** Settings of an API server, with upstream's defaults. Upstream: cmd/kube-apiserver/app/options. */

import type { AdmissionControl } from './admission/config/admission-control.ts';
import { type AggregationConfig, defaultAggregation } from './aggregation/config.ts';
import type { AuditOptions } from './audit/options.ts';
import type { AuthenticationOptions } from './authentication/options.ts';
import { type AuthorizationSettings, modesAsConfiguration } from './authorization/config/configuration.ts';
import type { EndpointReconcilerType } from './bootstrap/endpoint-members.ts';
import type { RuntimeConfig } from './features/api-enablement.ts';
import type { FeatureSettings } from './features/feature-gates.ts';
import { defaultFlowControl, type FlowControlSettings } from './flow-control/settings.ts';
import type { StorageMediaType } from './serialization/stored-values.ts';
import { defaultShutdown, type ShutdownSettings } from './shutdown/settings.ts';

export interface ApiServerConfig {
  /** How other API servers are reached. */
  readonly aggregation: AggregationConfig;
  /** `--service-cluster-ip-range`. */
  readonly serviceCidrs: readonly string[];
  /** `--service-node-port-range`, both ends included. */
  readonly nodePortRange: readonly [number, number];
  /** Before every key in the store; several clusters may share one. */
  readonly keyPrefix: string;
  /** `--authorization-mode`, `--authorization-config` and the like. */
  readonly authorization: AuthorizationSettings;
  /** `--enable-admission-plugins`: besides those that are on by default. */
  readonly enableAdmissionPlugins: readonly string[];
  /** `--disable-admission-plugins`. */
  readonly disableAdmissionPlugins: readonly string[];
  /** What `--admission-control-config-file` says. */
  readonly admissionControl: AdmissionControl;
  /** `--allow-privileged`. */
  readonly allowPrivileged: boolean;
  /** How callers are recognised, beyond what follows here. */
  readonly authentication: AuthenticationOptions;
  /** `--anonymous-auth`. */
  readonly anonymousAuth: boolean;
  /** `--service-account-issuer`: in tokens and the OIDC documents. */
  readonly serviceAccountIssuer: string;
  /** `--api-audiences`; default the issuer. */
  readonly apiAudiences: readonly string[];
  /** `--enable-bootstrap-token-auth`. */
  readonly bootstrapTokenAuth: boolean;
  /** How much is done at once. */
  readonly flowControl: FlowControlSettings;
  /** `--request-timeout`: of all but long-running requests. */
  readonly requestTimeoutMs: number;
  /** `--min-request-timeout`: of watches without an end of their own. */
  readonly minRequestTimeoutMs: number;
  /** `--livez-grace-period`: how long unfinished steps of the start do not count against liveness. */
  readonly livezGraceMs: number;
  /** How the server ends. */
  readonly shutdown: ShutdownSettings;
  /** `--audit-*`. */
  readonly audit: AuditOptions | undefined;
  /** `--storage-media-type`: how built-in kinds are stored. */
  readonly storageMediaType: StorageMediaType;
  /** `--etcd-compaction-interval`: history is kept for so long; 0: for ever. */
  readonly compactionIntervalMs: number;
  /** `--etcd-healthcheck-timeout`. */
  readonly storeHealthTimeoutMs: number;
  /** `--etcd-readycheck-timeout`. */
  readonly storeReadyTimeoutMs: number;
  /** `--encryption-provider-config`: path of an EncryptionConfiguration. */
  readonly encryptionProviderConfig: string | undefined;
  /** `--encryption-provider-config-automatic-reload`. */
  readonly encryptionProviderConfigAutomaticReload: boolean;
  /**
   * Whether the authorities of a listener's clients are told to API servers behind this one, though no flag names any:
   * in a cluster they are its own. Without, as upstream, only `--client-ca-file` and `--requestheader-*` are told.
   */
  readonly publishListenerAuthorities: boolean;
  /** `--feature-gates`. */
  readonly featureGates: FeatureSettings;
  /** `--runtime-config`. */
  readonly runtimeConfig: RuntimeConfig;
  /** `--external-hostname`: in documents that lead back to this server; absent: the host that was asked for. */
  readonly externalHostname: string | undefined;
  /** `--cors-allowed-origins`: expressions. */
  readonly corsAllowedOrigins: readonly string[];
  /** `--strict-transport-security-directives`. */
  readonly hstsDirectives: readonly string[];
  /** `--enable-garbage-collector`: whether deletion sets finalizers for those who look after dependents. */
  readonly enableGarbageCollector: boolean;
  /** What was given on the command line, and what counts where nothing was, for /flagz; absent: there was none. */
  readonly flags: Readonly<Record<string, string>> | undefined;
  /** Changes `-v` while the server runs, for /debug/flags/v; absent: it cannot be changed. */
  readonly setVerbosity: ((level: number) => void) | undefined;
  /** `--profiling`. */
  readonly profiling: boolean;
  /** `--event-ttl`. */
  readonly eventTtlSeconds: number;
  /** `--default-not-ready-toleration-seconds`, `--default-unreachable-toleration-seconds`. */
  readonly tolerationSeconds: { readonly notReady: number; readonly unreachable: number };
  /** `--kubelet-preferred-address-types`, the address before names that only some resolvers know. */
  readonly kubeletPreferredAddressTypes: readonly string[];
  /** `--kubelet-port`: where a Node does not say. */
  readonly kubeletPort: number;
  /** `--endpoint-reconciler-type`: how servers of one store agree on where the `kubernetes` Service leads. */
  readonly endpointReconcilerType: EndpointReconcilerType;
  /** `--apiserver-count`: how many there are, for `master-count`. */
  readonly apiServerCount: number;
  /** `--kubernetes-service-node-port`: of the `kubernetes` Service; 0: it has none. */
  readonly kubernetesServiceNodePort: number;
  /** Host and port that clients reach this server by: discovery and the kubernetes Service. */
  readonly externalAddress: { readonly host: string; readonly port: number } | undefined;
}

export const defaultConfig: ApiServerConfig = Object.freeze({
  aggregation: defaultAggregation,
  serviceCidrs: ['10.96.0.0/16'],
  nodePortRange: [30000, 32767],
  keyPrefix: '/registry',
  authorization: modesAsConfiguration(['Node', 'RBAC']),
  enableAdmissionPlugins: ['NodeRestriction'],
  disableAdmissionPlugins: [],
  admissionControl: {},
  allowPrivileged: true,
  authentication: {},
  anonymousAuth: true,
  serviceAccountIssuer: 'https://kubernetes.default.svc.cluster.local',
  apiAudiences: ['https://kubernetes.default.svc.cluster.local'],
  bootstrapTokenAuth: true,
  flowControl: defaultFlowControl,
  requestTimeoutMs: 60_000,
  minRequestTimeoutMs: 1_800_000,
  livezGraceMs: 0,
  shutdown: defaultShutdown,
  audit: undefined,
  storageMediaType: 'application/json',
  compactionIntervalMs: 5 * 60_000,
  storeHealthTimeoutMs: 2000,
  storeReadyTimeoutMs: 2000,
  encryptionProviderConfig: undefined,
  encryptionProviderConfigAutomaticReload: false,
  publishListenerAuthorities: true,
  featureGates: {},
  runtimeConfig: {},
  externalHostname: undefined,
  corsAllowedOrigins: [],
  hstsDirectives: [],
  flags: undefined,
  setVerbosity: undefined,
  profiling: true,
  enableGarbageCollector: true,
  eventTtlSeconds: 3600,
  tolerationSeconds: { notReady: 300, unreachable: 300 },
  kubeletPreferredAddressTypes: ['InternalIP', 'Hostname', 'InternalDNS', 'ExternalDNS', 'ExternalIP'],
  kubeletPort: 10250,
  endpointReconcilerType: 'lease',
  apiServerCount: 1,
  kubernetesServiceNodePort: 0,
  externalAddress: undefined,
} satisfies ApiServerConfig);
