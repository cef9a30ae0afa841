/** ReplicationControllers. Upstream: pkg/apis/core/v1/defaults.go, pkg/registry/core/replicationcontroller/strategy.go. */
import type { KindRules } from '../../../kind.ts';
import type { ReplicationController } from '../../../types.ts';
import { podSpecDefaults } from '../pod/defaults.ts';

export const replicationControllerRules: KindRules<ReplicationController> = {
  defaults(draft) {
    const { spec, metadata } = draft;
    const labels = spec.template?.metadata?.labels;
    if (labels) {
      if (Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
      if (Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
    }
    spec.replicas ??= 1;
    if (spec.template?.spec) podSpecDefaults(spec.template.spec);
  },
  prepareCreate: draft => void (draft.status = { replicas: 0 }),
  generation: true,
  selectableFields: {
    names: ['status.replicas'],
    read: controller => ({ 'status.replicas': String(controller.status?.replicas ?? 0) }),
  },
  allowUnconditionalUpdate: true,
};
