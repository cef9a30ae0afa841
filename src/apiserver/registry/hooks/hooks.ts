/** The kinds that need more than rules, in one list. */
import type { ApiServerConfig } from '../../config.ts';
import { definitionHook } from '../../custom/definitions.ts';
import type { Scheme } from '../../scheme/scheme.ts';
import type { RegistryHook } from '../registry.ts';
import { type CertificateHookDeps, certificateDurationHook } from './certificate-durations.ts';
import { namespaceHook } from './namespace.ts';
import { type ClaimHookDeps, claimHook } from './resource-claim.ts';
import { type ServiceHookDeps, serviceHook } from './service.ts';

/** By `group/resource` of the stored kind. */
export function registryHooks(
  deps: Pick<ServiceHookDeps, 'store' | 'clock' | 'random'> & ClaimHookDeps & CertificateHookDeps,
  config: ApiServerConfig,
  scheme: Scheme,
): ReadonlyMap<string, RegistryHook> {
  const ipAddresses = scheme.find('networking.k8s.io', 'v1', 'ipaddresses')!;
  const { serviceCidrs, nodePortRange, keyPrefix, eventTtlSeconds } = config;
  const service = serviceHook({ ...deps, serviceCidrs, nodePortRange, keyPrefix, ipAddresses });
  const claim = claimHook(deps);
  return new Map<string, RegistryHook>([
    ['/namespaces', namespaceHook],
    ['/services', service],
    ['apiextensions.k8s.io/customresourcedefinitions', definitionHook],
    ['resource.k8s.io/resourceclaims', claim],
    ['resource.k8s.io/resourceclaimtemplates', claim],
    ['certificates.k8s.io/certificatesigningrequests', certificateDurationHook(deps)],
    ['/events', { prepare: () => undefined, ttlSeconds: eventTtlSeconds }],
  ]);
}
