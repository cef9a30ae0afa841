/** Deployments. Upstream: pkg/apis/apps/v1/defaults.go, pkg/registry/apps/deployment/strategy.go. */

import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import type { KindRules } from '../../../kind.ts';
import type { Deployment } from '../../../types.ts';

export const deploymentRules: KindRules<Deployment> = {
  defaults({ spec }) {
    spec.replicas ??= 1;
    spec.strategy ??= {};
    if (!spec.strategy.type) spec.strategy.type = 'RollingUpdate';
    if (spec.strategy.type === 'RollingUpdate') {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
      spec.strategy.rollingUpdate.maxSurge ??= '25%';
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    podSpecDefaults(spec.template.spec!);
  },
  prepareCreate: draft => void (draft.status = {}),
  generation: true,
  allowUnconditionalUpdate: true,
};
