/** Pods. Upstream: pkg/registry/core/pod/strategy.go, pkg/apis/core/validation. */
import { formatTime } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepField } from '../../../strategies.ts';
import type { Pod } from '../../../types.ts';
import { internalEqual } from '../../../validation/internal-value.ts';
import { validatePodCreate, validatePodUpdate } from '../../../validation/pods.ts';
import { qosClass } from '../../helpers.ts';
import { applyAppArmorAnnotations } from './app-armor.ts';
import { podDefaults } from './defaults.ts';
import { podEphemeralContainers } from './ephemeral-containers.ts';
import { containersOf, dropDisabledPodFields, mergeMatchLabelKeys } from './prepare.ts';
import { podResize } from './resize.ts';
import { keepServerStatus, validatePodStatus } from './status.ts';

export const podRules: KindRules<Pod> = {
  defaults: podDefaults,
  prepareCreate(draft, context) {
    draft.status = { phase: 'Pending', qosClass: qosClass(draft.spec as Pod['spec']) };
    dropDisabledPodFields(draft.spec, undefined, context);
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
  prepareUpdate(draft, old, context) {
    keepField(draft, old, 'status');
    dropDisabledPodFields(draft.spec, old.spec, context);
  },
  prepareStatus(draft, old) {
    keepField(draft, old, 'spec');
    delete draft.metadata.deletionTimestamp;
    keepField(draft.metadata, old.metadata, 'ownerReferences');
    draft.status ??= {};
    keepServerStatus(draft.status, old.status);
  },
  validate: (pod, old, context) => (old ? validatePodUpdate(pod, old, context) : validatePodCreate(pod, context)),
  validateStatus: validatePodStatus,
  metaOnUpdate: ['change', 'full'],
  subresources: { ephemeralcontainers: podEphemeralContainers, resize: podResize },
  generation: { changed: (pod, old) => !internalEqual('core.PodSpec', pod.spec, old.spec) },
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
