/** The admission plugins in the order in which they are asked. Upstream: pkg/kubeapiserver/options/plugins.go. */
import type { Random } from '#base';
import type { AdmissionPlugin } from './chain.ts';
import type { Lookup } from './lookup.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { defaultTolerationSeconds, priority, taintNodesByCondition } from './pod-defaults.ts';
import { serviceAccount } from './service-account.ts';
import { defaultIngressClass, defaultStorageClass, storageObjectInUseProtection } from './storage.ts';

export interface AdmissionDeps {
  readonly lookup: Lookup;
  readonly random: Random;
}

export function admissionPlugins({ lookup, random }: AdmissionDeps): readonly AdmissionPlugin[] {
  return [
    namespaceLifecycle(lookup),
    serviceAccount(lookup, random),
    taintNodesByCondition,
    priority(lookup),
    defaultTolerationSeconds,
    defaultStorageClass(lookup),
    storageObjectInUseProtection,
    defaultIngressClass(lookup),
  ];
}
