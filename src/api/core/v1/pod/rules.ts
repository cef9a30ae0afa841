/** Pods. Upstream: pkg/registry/core/pod/strategy.go, pkg/apis/core/validation. */
import { type Draft, formatTime, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { Pod } from '../../../types.ts';
import { validatePodCreate, validatePodUpdate } from '../../../validation/pods.ts';
import { qosClass } from '../../helpers.ts';
import { applyAppArmorAnnotations } from './app-armor.ts';
import { podDefaults } from './defaults.ts';
import { containersOf, dropDisabledPodFields, mergeMatchLabelKeys } from './prepare.ts';
import { validatePodStatus } from './status.ts';

function keep<K extends 'spec' | 'status'>(draft: Draft<Pod>, old: Pod, field: K): void {
  if (old[field] === undefined) delete draft[field];
  else draft[field] = structuredClone(old[field]) as never;
}

export const podRules: KindRules<Pod> = {
  defaults: podDefaults,
  prepareCreate(draft, context) {
    draft.status = { phase: 'Pending', qosClass: qosClass(draft.spec as Pod['spec']) };
    dropDisabledPodFields(draft.spec, undefined);
    if (draft.spec.schedulingGates?.length) {
      draft.status.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
          lastTransitionTime: formatTime(context.nowMs),
        },
      ];
    }
    mergeMatchLabelKeys(draft);
    applyAppArmorAnnotations(draft, containersOf(draft.spec), context.warn ?? (() => {}));
  },
  prepareUpdate(draft, old) {
    keep(draft, old, 'status');
    dropDisabledPodFields(draft.spec, old.spec);
  },
  prepareStatus(draft, old) {
    keep(draft, old, 'spec');
    // The class is decided at creation.
    draft.status ??= {};
    if (!draft.status.qosClass && old.status?.qosClass) draft.status.qosClass = old.status.qosClass;
    if (!draft.status.observedGeneration && old.status?.observedGeneration) {
      draft.status.observedGeneration = old.status.observedGeneration;
    }
    if (old.metadata.ownerReferences)
      draft.metadata.ownerReferences = structuredClone(old.metadata.ownerReferences) as never;
    else delete draft.metadata.ownerReferences;
  },
  validate: (pod, old, context) => (old ? validatePodUpdate(pod, old, context) : validatePodCreate(pod, context)),
  validateStatus: validatePodStatus,
  generation: { changed: (pod, old) => !semanticEqual(pod.spec, old.spec) },
  selectableFields: {
    names: [
      'spec.nodeName',
      'spec.restartPolicy',
      'spec.schedulerName',
      'spec.serviceAccountName',
      'spec.hostNetwork',
      'status.phase',
      'status.podIP',
      'status.podIPs',
      'status.nominatedNodeName',
      'spec.host',
    ],
    renamed: { 'spec.host': 'spec.nodeName' },
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
    if (!pod.spec.nodeName) return 0;
    if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return 0;
    const seconds = pod.spec.terminationGracePeriodSeconds ?? 0;
    return seconds < 0 ? 1 : seconds;
  },
};
