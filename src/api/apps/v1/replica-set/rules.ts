/** ReplicaSets. Upstream: pkg/apis/apps/v1/defaults.go, pkg/registry/apps/replicaset/strategy.go. */

import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import type { KindRules } from '../../../kind.ts';
import type { ReplicaSet } from '../../../types.ts';

export const replicaSetRules: KindRules<ReplicaSet> = {
  defaults({ spec }) {
    spec.replicas ??= 1;
    if (spec.template?.spec) podSpecDefaults(spec.template.spec);
  },
  prepareCreate: draft => void (draft.status = { replicas: 0 }),
  generation: true,
  selectableFields: {
    names: ['status.replicas'],
    read: set => ({ 'status.replicas': String(set.status?.replicas ?? 0) }),
  },
  allowUnconditionalUpdate: true,
};
