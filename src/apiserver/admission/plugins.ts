/** The admission plugins in the order in which they are asked. Upstream: pkg/kubeapiserver/options/plugins.go. */
import type { Clock, Random } from '#base';
import type { Authorizer } from '../authorization/authorizer.ts';
import { rbacEscalation } from '../authorization/escalation.ts';
import type { Rbac } from '../authorization/rbac.ts';
import type { Caches } from '../registry/caches.ts';
import type { FieldManagers } from '../registry/field-managers.ts';
import type { Scheme } from '../scheme/scheme.ts';
import { certificateApproval, certificateSigning } from './certificates.ts';
import type { AdmissionPlugin } from './chain.ts';
import { limitRanger } from './limit-ranger.ts';
import type { Lookup } from './lookup.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultTolerationSeconds, priority, taintNodesByCondition } from './pod-defaults.ts';
import { podSecurity } from './pod-security/pod-security.ts';
import { resourceQuota } from './resource-quota.ts';
import { serviceAccount } from './service-account.ts';
import { defaultIngressClass, defaultStorageClass, storageObjectInUseProtection } from './storage.ts';

export interface AdmissionDeps {
  readonly clock: Clock;
  readonly scheme: Scheme;
  readonly caches: Caches;
  readonly fieldManagers: FieldManagers;
  readonly lookup: Lookup;
  readonly random: Random;
  readonly authorizer: Authorizer;
  readonly rbac: Rbac;
}

export function admissionPlugins(deps: AdmissionDeps): readonly AdmissionPlugin[] {
  const { lookup, random, authorizer, rbac } = deps;
  return [
    namespaceLifecycle(lookup),
    limitRanger(lookup),
    serviceAccount(lookup, random),
    taintNodesByCondition,
    podSecurity(lookup, deps.clock),
    priority(lookup),
    defaultTolerationSeconds,
    defaultStorageClass(lookup),
    storageObjectInUseProtection,
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    defaultIngressClass(lookup),
    rbacEscalation(rbac, authorizer),
    resourceQuota(deps),
  ];
}
