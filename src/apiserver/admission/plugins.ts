/** The admission plugins in the order in which they are asked. Upstream: pkg/kubeapiserver/options/plugins.go. */
import type { Random } from '#base';
import type { Authorizer } from '../authorization/authorizer.ts';
import { rbacEscalation } from '../authorization/escalation.ts';
import type { Rbac } from '../authorization/rbac.ts';
import { certificateApproval, certificateSigning } from './certificates.ts';
import type { AdmissionPlugin } from './chain.ts';
import type { Lookup } from './lookup.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultTolerationSeconds, priority, taintNodesByCondition } from './pod-defaults.ts';
import { serviceAccount } from './service-account.ts';
import { defaultIngressClass, defaultStorageClass, storageObjectInUseProtection } from './storage.ts';

export interface AdmissionDeps {
  readonly lookup: Lookup;
  readonly random: Random;
  readonly authorizer: Authorizer;
  readonly rbac: Rbac;
}

export function admissionPlugins({ lookup, random, authorizer, rbac }: AdmissionDeps): readonly AdmissionPlugin[] {
  return [
    namespaceLifecycle(lookup),
    serviceAccount(lookup, random),
    taintNodesByCondition,
    priority(lookup),
    defaultTolerationSeconds,
    defaultStorageClass(lookup),
    storageObjectInUseProtection,
    certificateApproval(authorizer),
    certificateSigning(authorizer),
    defaultIngressClass(lookup),
    rbacEscalation(rbac, authorizer),
  ];
}
