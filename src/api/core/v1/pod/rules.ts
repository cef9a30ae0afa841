/** Pods. Upstream: pkg/registry/core/pod/strategy.go, pkg/apis/core/validation. */
import type { KindRules } from '../../../kind.ts';
import type { Pod } from '../../../types.ts';
import { podDefaults } from './defaults.ts';
import { qosClass } from './qos.ts';

export const podRules: KindRules<Pod> = {
  defaults: podDefaults,
  prepareCreate(draft) {
    draft.status = { phase: 'Pending', qosClass: qosClass(draft.spec as Pod['spec']) };
  },
  prepareUpdate(draft, old) {
    if (old.status) draft.status = structuredClone(old.status) as typeof draft.status;
    else delete draft.status;
  },
  prepareStatus(draft, old) {
    draft.spec = structuredClone(old.spec) as typeof draft.spec;
    // The class is decided at creation.
    if (draft.status && old.status?.qosClass) draft.status.qosClass = old.status.qosClass;
    if (old.metadata.ownerReferences)
      draft.metadata.ownerReferences = structuredClone(old.metadata.ownerReferences) as never;
    else delete draft.metadata.ownerReferences;
  },
  generation: true,
  selectableFields: {
    names: [
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.schedulerName',
      'spec.serviceAccountName',
      'spec.hostNetwork',
      'status.phase',
      'status.podIP',
      'status.nominatedNodeName',
    ],
    read: pod => ({
      'spec.nodeName': pod.spec.nodeName ?? '',
      'spec.restartPolicy': pod.spec.restartPolicy ?? '',
      'spec.schedulerName': pod.spec.schedulerName ?? '',
      'spec.serviceAccountName': pod.spec.serviceAccountName ?? '',
      'spec.hostNetwork': String(pod.spec.hostNetwork ?? false),
      'status.phase': pod.status?.phase ?? '',
      'status.podIP': pod.status?.podIPs?.[0]?.ip ?? '',
      'status.nominatedNodeName': pod.status?.nominatedNodeName ?? '',
    }),
  },
  allowUnconditionalUpdate: true,
  gracePeriodSeconds(pod) {
    if (pod.spec.nodeName === undefined || pod.spec.nodeName === '') return 0;
    if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 0;
    return pod.spec.terminationGracePeriodSeconds ?? 30;
  },
};
