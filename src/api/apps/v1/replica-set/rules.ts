/** ReplicaSets. Upstream: pkg/apis/apps/{v1/defaults.go,validation}, pkg/registry/apps/replicaset/strategy.go. */
import { type FieldError, FieldPath } from '#apimachinery';
import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import { dropDisabledPodFields } from '../../../core/v1/pod/prepare.ts';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { keepStatus } from '../../../strategies.ts';
import type { ReplicaSet } from '../../../types.ts';
import { checkImmutable, checkNonnegative, type Errors } from '../../../validation/common.ts';
import { shownSelector } from '../../../validation/internal-value.ts';
import { checkReplicaStatus, checkReplicated } from '../../../validation/workloads.ts';

const spec = FieldPath.of('spec');

function validate(set: ReplicaSet, old: ReplicaSet | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  const own = set.spec;
  checkNonnegative(errors, spec.child('replicas'), own.replicas);
  checkNonnegative(errors, spec.child('minReadySeconds'), own.minReadySeconds);
  checkReplicated(errors, spec, own, { old: old?.spec.template, context });
  if (old)
    checkImmutable(errors, spec.child('selector'), shownSelector(own.selector), shownSelector(old.spec.selector));
  return errors;
}

export const replicaSetRules: KindRules<ReplicaSet> = {
  defaults({ spec }) {
    spec.replicas ??= 1;
    if (spec.template?.spec) podSpecDefaults(spec.template.spec);
  },
  prepareCreate(draft, context) {
    draft.status = { replicas: 0 };
    dropDisabledPodFields(draft.spec.template?.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabledPodFields(draft.spec.template?.spec, old.spec.template?.spec, context);
  },
  validate,
  validateStatus: ({ status }) => checkReplicaStatus(status),
  generation: true,
  allowUnconditionalUpdate: true,
};
