/** Deployments. Upstream: pkg/apis/apps/{v1/defaults.go,validation}, pkg/registry/apps/deployment/strategy.go. */
import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
} from '#apimachinery';
import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import { dropDisabledPodFields } from '../../../core/v1/pod/prepare.ts';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { dropStatus, keepField, keepSpec, keepStatus } from '../../../strategies.ts';
import type { Deployment, DeploymentStrategy } from '../../../types.ts';
import { checkImmutable, checkNonnegative, type Errors } from '../../../validation/common.ts';
import { internalValue, shownSelector } from '../../../validation/internal-value.ts';
import {
  checkAtMostAll,
  checkIntOrPercent,
  checkReplicated,
  collisionCountFalls,
  intOrPercentValue,
  statusBounds,
  statusCounts,
} from '../../../validation/workloads.ts';

const spec = FieldPath.of('spec');

function checkStrategy(errors: Errors, path: FieldPath, strategy: DeploymentStrategy): void {
  const rolling = strategy.rollingUpdate;
  const at = path.child('rollingUpdate');
  if (strategy.type === 'Recreate') {
    if (rolling) errors.push(forbiddenField(at, "may not be specified when strategy `type` is 'Recreate'"));
  } else if (strategy.type === 'RollingUpdate') {
    if (!rolling) {
      errors.push(required(at, 'this should be defaulted and never be nil'));
      return;
    }
    const { maxUnavailable = 0, maxSurge = 0 } = rolling;
    checkIntOrPercent(errors, at.child('maxUnavailable'), maxUnavailable);
    checkIntOrPercent(errors, at.child('maxSurge'), maxSurge);
    if (intOrPercentValue(maxUnavailable) === 0 && intOrPercentValue(maxSurge) === 0) {
      const text = 'may not be 0 when `maxSurge` is 0';
      errors.push(invalidValue(at.child('maxUnavailable'), maxUnavailable, text));
    }
    checkAtMostAll(errors, at.child('maxUnavailable'), maxUnavailable);
  } else {
    const shown = internalValue('apps.DeploymentStrategy', strategy);
    errors.push(notSupported(path, shown, ['Recreate', 'RollingUpdate']));
  }
}

function validate(deployment: Deployment, old: Deployment | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  const own = deployment.spec;
  checkNonnegative(errors, spec.child('replicas'), own.replicas);
  checkReplicated(errors, spec, own, { old: old?.spec.template, context });
  checkStrategy(errors, spec.child('strategy'), own.strategy ?? {});
  checkNonnegative(errors, spec.child('minReadySeconds'), own.minReadySeconds);
  checkNonnegative(errors, spec.child('revisionHistoryLimit'), own.revisionHistoryLimit);
  const deadline = own.progressDeadlineSeconds;
  if (deadline !== undefined) {
    const at = spec.child('progressDeadlineSeconds');
    checkNonnegative(errors, at, deadline);
    if (deadline <= (own.minReadySeconds ?? 0)) {
      errors.push(invalidValue(at, deadline, 'must be greater than minReadySeconds'));
    }
  }
  if (old)
    checkImmutable(errors, spec.child('selector'), shownSelector(own.selector), shownSelector(old.spec.selector));
  return errors;
}

const counts = [
  ...['observedGeneration', 'replicas', 'updatedReplicas', 'readyReplicas', 'availableReplicas'],
  ...['unavailableReplicas', 'terminatingReplicas', 'collisionCount'],
];

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
  prepareCreate(draft, context) {
    dropStatus(draft);
    dropDisabledPodFields(draft.spec.template.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabledPodFields(draft.spec.template.spec, old.spec.template.spec, context);
  },
  prepareStatus(draft, old) {
    keepSpec(draft, old);
    keepField(draft.metadata, old.metadata, 'labels');
  },
  validate,
  validateStatus: ({ status }, old) => [
    ...statusCounts(status, counts),
    ...statusBounds(
      status,
      ['updatedReplicas', 'readyReplicas', 'availableReplicas'],
      'replicas',
      'cannot be greater than status.replicas',
    ),
    ...statusBounds(status, ['availableReplicas'], 'readyReplicas', 'cannot be greater than readyReplicas'),
    ...collisionCountFalls(status, old.status),
  ],
  generation: {
    changed: (now, old) =>
      !semanticEqual(now.spec, old.spec) || !semanticEqual(now.metadata.annotations, old.metadata.annotations),
  },
  allowUnconditionalUpdate: true,
};
