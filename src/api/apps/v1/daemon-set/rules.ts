/** DaemonSets. Upstream: pkg/apis/apps/{v1,validation}, pkg/registry/apps/daemonset/strategy.go. */
import {
  append,
  type Draft,
  type FieldError,
  FieldPath,
  invalidValue,
  notSupported,
  required,
  selectorHasInvalidLabelValue,
  semanticEqual,
  validateLabelSelector,
} from '#apimachinery';
import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import { dropDisabledPodFields } from '../../../core/v1/pod/prepare.ts';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { dropStatus, keepSpec, keepStatus } from '../../../strategies.ts';
import type { DaemonSet, DaemonSetUpdateStrategy } from '../../../types.ts';
import { checkImmutable, checkNonnegative, type Errors } from '../../../validation/common.ts';
import { internalValue, shownSelector } from '../../../validation/internal-value.ts';
import {
  checkAtMostAll,
  checkIntOrPercent,
  checkRunsForever,
  checkSelectorMatches,
  checkTemplate,
  collisionCountFalls,
  intOrPercentValue,
  parseSelector,
  statusCounts,
} from '../../../validation/workloads.ts';

const spec = FieldPath.of('spec');
/** Where apps/v1 keeps what the internal type has as a field. */
const generationKey = 'deprecated.daemonset.template.generation';

function checkStrategy(errors: Errors, path: FieldPath, strategy: DaemonSetUpdateStrategy): void {
  if (strategy.type === 'OnDelete') return;
  if (strategy.type !== 'RollingUpdate') {
    const shown = internalValue('apps.DaemonSetUpdateStrategy', strategy);
    errors.push(notSupported(path, shown, ['RollingUpdate', 'OnDelete']));
    return;
  }
  const at = path.child('rollingUpdate');
  if (!strategy.rollingUpdate) {
    errors.push(required(at));
    return;
  }
  const { maxUnavailable = 0, maxSurge = 0 } = strategy.rollingUpdate;
  checkIntOrPercent(errors, at.child('maxUnavailable'), maxUnavailable);
  checkIntOrPercent(errors, at.child('maxSurge'), maxSurge);
  checkAtMostAll(errors, at.child('maxUnavailable'), maxUnavailable);
  checkAtMostAll(errors, at.child('maxSurge'), maxSurge);
  const away = intOrPercentValue(maxUnavailable) !== 0;
  const more = intOrPercentValue(maxSurge) !== 0;
  if (away && more) {
    errors.push(invalidValue(at.child('maxSurge'), maxSurge, 'may not be set when maxUnavailable is non-zero'));
  } else if (!away && !more) errors.push(required(at.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'));
}

function validate(set: DaemonSet, old: DaemonSet | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  const own = set.spec;
  const at = spec.child('selector');
  if (old) checkImmutable(errors, at, shownSelector(own.selector), shownSelector(old.spec.selector));
  const lenient = { allowInvalidLabelValueInSelector: selectorHasInvalidLabelValue(old?.spec.selector) };
  append(errors, validateLabelSelector(own.selector, at, lenient));
  const template = spec.child('template');
  const selector = parseSelector(own.selector);
  if (selector) checkSelectorMatches(errors, template, selector, own.template);
  if (own.selector && selector?.isEmpty) {
    errors.push(invalidValue(at, shownSelector(own.selector), 'empty selector is invalid for daemonset'));
  }
  checkTemplate(errors, template, own.template, { old: old?.spec.template, context });
  checkRunsForever(errors, template, own.template, 'DaemonSet');
  checkNonnegative(errors, spec.child('minReadySeconds'), own.minReadySeconds);
  checkStrategy(errors, spec.child('updateStrategy'), own.updateStrategy ?? {});
  checkNonnegative(errors, spec.child('revisionHistoryLimit'), own.revisionHistoryLimit);
  return errors;
}

function setGeneration(draft: Draft<DaemonSet>, generation: number): void {
  (draft.metadata.annotations ??= {})[generationKey] = String(generation);
}

const generationOf = (set: DaemonSet | Draft<DaemonSet>): number =>
  Number(set.metadata.annotations?.[generationKey] ?? 0) || 0;

const counts = [
  ...['currentNumberScheduled', 'numberMisscheduled', 'desiredNumberScheduled', 'numberReady', 'observedGeneration'],
  ...['updatedNumberScheduled', 'numberAvailable', 'numberUnavailable', 'collisionCount'],
];

export const daemonSetRules: KindRules<DaemonSet> = {
  defaults({ spec, metadata }) {
    // The internal type always has the field, so that whoever writes the set owns the annotation.
    (metadata.annotations ??= {})[generationKey] ??= '0';
    const strategy = (spec.updateStrategy ??= {});
    if (!strategy.type) strategy.type = 'RollingUpdate';
    if (strategy.type === 'RollingUpdate') {
      strategy.rollingUpdate ??= {};
      strategy.rollingUpdate.maxUnavailable ??= 1;
      strategy.rollingUpdate.maxSurge ??= 0;
    } else if (strategy.rollingUpdate) {
      // The internal type has no pointers here, so that what another strategy leaves out comes back as zero.
      strategy.rollingUpdate.maxUnavailable ??= 0;
      strategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
    podSpecDefaults(spec.template.spec!);
  },
  prepareCreate(draft, context) {
    dropStatus(draft);
    setGeneration(draft, Math.max(1, generationOf(draft)));
    dropDisabledPodFields(draft.spec.template.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabledPodFields(draft.spec.template.spec, old.spec.template.spec, context);
    const changed = !semanticEqual(old.spec.template, draft.spec.template);
    setGeneration(draft, generationOf(old) + (changed ? 1 : 0));
  },
  prepareStatus(draft, old) {
    keepSpec(draft, old);
    setGeneration(draft, generationOf(old));
  },
  validate,
  validateStatus: ({ status }, old) => [...statusCounts(status, counts), ...collisionCountFalls(status, old.status)],
  generation: true,
  allowUnconditionalUpdate: true,
};
