/** The API server layer's face. */
export { type AdmissionControl, readAdmissionControl } from './admission/config/admission-control.ts';
export { enabledPlugins, pluginNames } from './admission/plugins.ts';
export { type AggregationConfig, defaultAggregation } from './aggregation/config.ts';
export {
  type AuditOptions,
  auditModes,
  defaultLogOptions as defaultAuditLogOptions,
  defaultThrottle as defaultAuditThrottle,
  defaultWebhookOptions as defaultAuditWebhookOptions,
  validateAuditOptions,
} from './audit/options.ts';
export { readAuditPolicyFile } from './audit/read-policy.ts';
export { staticTokens, type TokenAuthenticator } from './authentication/authenticator.ts';
export type { AuthenticationOptions, OidcOptions, TokenWebhookOptions } from './authentication/options.ts';
export { identity, serviceAccountUser, type UserInfo, user } from './authentication/user.ts';
export { loadConfiguration as loadAuthorizationConfiguration } from './authorization/chain.ts';
export {
  type AuthorizationMode,
  type AuthorizationSettings,
  authorizationModes,
  modesAsConfiguration,
} from './authorization/config/configuration.ts';
export { type EndpointReconcilerType, endpointReconcilerTypes } from './bootstrap/endpoint-members.ts';
export { type ApiServerConfig, defaultConfig } from './config.ts';
export { readEncryptionConfig } from './encryption/config.ts';
export { checkRuntimeConfig, leftOut, type RuntimeConfig, servedVersions } from './features/api-enablement.ts';
export { checkFeatures, type FeatureSettings } from './features/feature-gates.ts';
export { defaultFlowControl, type FlowControlSettings } from './flow-control/settings.ts';
export type { ComponentProbe, ComponentProbes } from './handlers/component-statuses.ts';
export type { KubeletClient } from './handlers/kubelet-tunnel.ts';
export { type SniPair, sniNames, type TlsConfig } from './http/certificates.ts';
export type { Listener } from './http/listener.ts';
export { OpenapiDocuments } from './openapi/openapi.ts';
export { type StorageMediaType, storageMediaTypes } from './serialization/stored-values.ts';
export { openDebugSocket } from './server/debug-socket.ts';
export type { PortOptions } from './server/ports.ts';
export { kubernetesVersion } from './server/version.ts';
export { type ApiServer, type ApiServerDeps, createApiServer } from './server.ts';
export { defaultShutdown, type ShutdownSettings } from './shutdown/settings.ts';
