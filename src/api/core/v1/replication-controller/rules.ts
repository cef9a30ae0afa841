/** ReplicationControllers. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/replicationcontroller. */
import { type Draft, type FieldError, FieldPath, nameIsLongName, required, selectorFromSet } from '#apimachinery';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { keepSpec, keepStatus } from '../../../strategies.ts';
import type { ReplicationController } from '../../../types.ts';
import { checkNonnegative, type Errors } from '../../../validation/common.ts';
import {
  checkReplicaStatus,
  checkRunsForever,
  checkSelectorMatches,
  checkTemplate,
} from '../../../validation/workloads.ts';
import { podSpecDefaults } from '../pod/defaults.ts';
import { dropDisabledPodFields } from '../pod/prepare.ts';

const path = FieldPath.of('spec');

function validate(
  controller: ReplicationController,
  old: ReplicationController | null,
  context: RuleContext,
): FieldError[] {
  const errors: Errors = [];
  const { spec } = controller;
  checkNonnegative(errors, path.child('minReadySeconds'), spec.minReadySeconds);
  const selector = selectorFromSet(spec.selector);
  if (selector.isEmpty) errors.push(required(path.child('selector')));
  checkNonnegative(errors, path.child('replicas'), spec.replicas);
  const at = path.child('template');
  if (!spec.template) errors.push(required(at));
  else {
    if (!selector.isEmpty) checkSelectorMatches(errors, at, selector, spec.template);
    checkTemplate(errors, at, spec.template, { old: old?.spec.template, context });
    checkRunsForever(errors, at, spec.template, 'ReplicationController');
  }
  return errors;
}

function labelDefaults({ metadata, spec }: Draft<ReplicationController>): void {
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
}

export const replicationControllerRules: KindRules<ReplicationController> = {
  validateName: nameIsLongName,
  defaultPropagation: 'Orphan',
  defaults(draft) {
    const { spec } = draft;
    const labels = spec.template?.metadata?.labels;
    if (labels && Object.keys(spec.selector ?? {}).length === 0) spec.selector = { ...labels };
    labelDefaults(draft);
    spec.replicas ??= 1;
    if (spec.template) podSpecDefaults((spec.template.spec ??= { containers: [] }));
  },
  prepareCreate(draft, context) {
    draft.status = { replicas: 0 };
    dropDisabledPodFields(draft.spec.template?.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabledPodFields(draft.spec.template?.spec, old.spec.template?.spec, context);
  },
  prepareStatus(draft, old) {
    keepSpec(draft, old);
    // The labels were defaulted by the template that was sent; what is written is read back by the one that is kept.
    labelDefaults(draft);
  },
  validate,
  validateStatus: ({ status }) => checkReplicaStatus(status),
  generation: true,
  selectableFields: {
    names: ['status.replicas'],
    read: controller => ({ 'status.replicas': String(controller.status?.replicas ?? 0) }),
  },
  allowUnconditionalUpdate: true,
};
