/** Jobs. Upstream: pkg/apis/batch/{v1/defaults.go,validation}, pkg/registry/batch/job/strategy.go. */
import {
  append,
  type Draft,
  type FieldError,
  FieldPath,
  invalidValue,
  isDNS1123Label,
  required,
  selectorHasInvalidLabelValue,
  validateLabelSelector,
} from '#apimachinery';
import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import { dropDisabledPodFields } from '../../../core/v1/pod/prepare.ts';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { dropStatus, keepStatus } from '../../../strategies.ts';
import type { Container, Job, JobSpec, PodTemplateSpec } from '../../../types.ts';
import { checkImmutable, type Errors, maxInt32 } from '../../../validation/common.ts';
import { internalEqual, internalValue, shownSelector } from '../../../validation/internal-value.ts';
import { checkJobSpec } from '../../../validation/jobs.ts';
import { checkSelectorMatches, parseSelector } from '../../../validation/workloads.ts';
import { validateJobStatus } from './status.ts';

const path = FieldPath.of('spec');
const uidLabels = ['controller-uid', 'batch.kubernetes.io/controller-uid'] as const;
const nameLabels = ['job-name', 'batch.kubernetes.io/job-name'] as const;

export function jobSpecDefaults(spec: Draft<JobSpec>): void {
  for (const rule of spec.podFailurePolicy?.rules ?? []) {
    for (const pattern of rule.onPodConditions ?? []) if (!pattern.status) pattern.status = 'True';
  }
  if (spec.template?.spec) podSpecDefaults(spec.template.spec);
}

function defaults(draft: Draft<Job>): void {
  const { spec } = draft;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32;
  labelsOfTemplate(draft);
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  jobSpecDefaults(spec);
}

/**
 * By default, and once more with the labels that {@link generateSelector} adds: upstream defaults what it has stored, and
 * a new job has one map in both places.
 */
function labelsOfTemplate({ spec, metadata }: Draft<Job>): void {
  const labels = spec.template?.metadata?.labels;
  if (labels && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = labels;
}

function generateSelector({ spec, metadata }: Draft<Job>): void {
  if (spec.manualSelector) return;
  const meta = (spec.template.metadata ??= {});
  const labels = (meta.labels ??= {});
  for (const key of nameLabels) labels[key] ??= metadata.name ?? '';
  for (const key of uidLabels) labels[key] ??= metadata.uid ?? '';
  spec.selector ??= {};
  spec.selector.matchLabels ??= {};
  spec.selector.matchLabels[uidLabels[1]] ??= metadata.uid ?? '';
}

function checkLabel(errors: Errors, job: Job, key: string, value: string): void {
  const labels = job.spec.template.metadata?.labels;
  const at = path.child('template', 'metadata', 'labels').key(key);
  if (labels?.[key] === undefined) errors.push(required(at, `must be '${value}'`));
  else if (labels[key] !== value) errors.push(invalidValue(at, labels, `must be '${value}'`));
}

/** The labels and the selector that {@link generateSelector} makes. */
function checkGenerated(errors: Errors, job: Job, prefixed: boolean): void {
  const { spec, metadata } = job;
  if (spec.manualSelector || !spec.selector) return;
  const { uid = '', name = '' } = metadata;
  if (!uid) errors.push(required(FieldPath.of('metadata', 'uid')));
  const expected: Record<string, string> = {};
  for (const i of prefixed ? ([0, 1] as const) : ([0] as const)) {
    checkLabel(errors, job, uidLabels[i], uid);
    checkLabel(errors, job, nameLabels[i], name);
    expected[uidLabels[i]] = uid;
    expected[nameLabels[i]] = name;
  }
  const selector = parseSelector(spec.selector);
  if (selector && !selector.matches(expected)) {
    errors.push(invalidValue(path.child('selector'), shownSelector(spec.selector), '`selector` not auto-generated'));
  }
}

function checkSpec(errors: Errors, job: Job, old: Job | null, context: RuleContext): void {
  const { spec } = job;
  checkJobSpec(errors, path, spec, { old: old?.spec.template, context });
  const at = path.child('selector');
  const lenient = { allowInvalidLabelValueInSelector: selectorHasInvalidLabelValue(old?.spec.selector) };
  if (spec.selector) append(errors, validateLabelSelector(spec.selector, at, lenient));
  else errors.push(required(at));
  const selector = parseSelector(spec.selector);
  if (selector) checkSelectorMatches(errors, path.child('template'), selector, spec.template);
}

function checkJob(errors: Errors, job: Job, old: Job | null, context: RuleContext): void {
  const labels = old?.spec.template.metadata?.labels;
  const prefixed = !old || (labels?.[nameLabels[1]] !== undefined && labels[uidLabels[1]] !== undefined);
  checkGenerated(errors, job, prefixed);
  checkSpec(errors, job, old, context);
  const { completions = 0, completionMode } = job.spec;
  if (completionMode !== 'Indexed' || completions <= 0) return;
  const { name = '' } = job.metadata;
  const hostname = `${name}-${completions - 1}`;
  if (isDNS1123Label(hostname).length === 0) return;
  const text = `will not able to create pod with invalid DNS label: ${hostname}`;
  errors.push(invalidValue(FieldPath.of('metadata', 'name'), name, text));
}

/** Before a job runs, its pods may still be told where to. */
function withSchedulingOf(old: PodTemplateSpec, now: PodTemplateSpec): PodTemplateSpec {
  const { metadata: meta = {}, spec = { containers: [] } } = old;
  const { labels, annotations } = now.metadata ?? {};
  const { nodeSelector, tolerations, schedulingGates, affinity } = now.spec ?? { containers: [] };
  const { nodeAffinity: _, ...others } = spec.affinity ?? {};
  const node = affinity?.nodeAffinity;
  const merged = { ...others, ...(node && { nodeAffinity: node }) };
  const keeps = affinity !== undefined || Object.keys(merged).length > 0;
  const rest = Object.fromEntries(
    Object.entries(spec).filter(([k]) => !['nodeSelector', 'tolerations', 'schedulingGates', 'affinity'].includes(k)),
  ) as unknown as typeof spec;
  const { labels: _l, annotations: _a, ...others2 } = meta;
  return {
    ...old,
    metadata: { ...others2, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: {
      ...rest,
      ...(nodeSelector && { nodeSelector }),
      ...(tolerations && { tolerations }),
      ...(schedulingGates && { schedulingGates }),
      ...(keeps && { affinity: merged }),
    },
  };
}

function withResourcesOf(old: PodTemplateSpec, now: PodTemplateSpec): PodTemplateSpec {
  const copy = (before: readonly Container[] = [], after: readonly Container[] = []): Container[] =>
    before.map((container, i) => {
      const other = after[i];
      if (before.length !== after.length || other?.name !== container.name) return container;
      const { resources: _, ...rest } = container;
      return { ...rest, ...(other.resources && { resources: other.resources }) };
    });
  const spec = old.spec ?? { containers: [] };
  const init = spec.initContainers && { initContainers: copy(spec.initContainers, now.spec?.initContainers) };
  return { ...old, spec: { ...spec, containers: copy(spec.containers, now.spec?.containers), ...init } };
}

/** A job that is suspended and has nothing running. */
function isAsleep(job: Job): boolean {
  const { status, spec } = job;
  const suspended = status?.conditions?.some(each => each.type === 'Suspended' && each.status === 'True');
  return spec.suspend === true && (!status?.startTime || suspended === true) && !status?.active;
}

function checkTemplateUpdate(errors: Errors, job: Job, old: Job): void {
  const now = job.spec.template;
  const asleep = isAsleep(old);
  const before = asleep ? withSchedulingOf(old.spec.template, now) : old.spec.template;
  const at = path.child('template');
  if (asleep) {
    const patched = withResourcesOf(before, now);
    if (internalEqual('core.PodSpec', now.spec, patched.spec)) return;
    const shown = internalValue('core.PodSpec', now.spec);
    errors.push(invalidValue(FieldPath.of('spec.template.spec'), shown, 'field is immutable'));
  } else if (!internalEqual('core.PodTemplateSpec', now, before)) {
    errors.push(invalidValue(at, internalValue('core.PodTemplateSpec', now), 'field is immutable'));
  }
}

function checkUpdate(errors: Errors, job: Job, old: Job, context: RuleContext): void {
  const { spec } = job;
  const before = old.spec;
  checkSpec(errors, job, old, context);
  const at = path.child('completions');
  if (spec.completionMode !== 'Indexed') checkImmutable(errors, at, spec.completions, before.completions);
  else if (spec.completions !== before.completions && spec.completions !== undefined) {
    if (spec.completions !== spec.parallelism) {
      errors.push(invalidValue(at, spec.completions, 'can only be modified in tandem with spec.parallelism'));
    }
  }
  checkImmutable(errors, path.child('selector'), shownSelector(spec.selector), shownSelector(before.selector));
  checkTemplateUpdate(errors, job, old);
  checkImmutable(errors, path.child('completionMode'), spec.completionMode, before.completionMode);
  const failure = 'batch.PodFailurePolicy';
  const shown = (type: string, value: unknown): unknown => internalValue(type, value);
  checkImmutable(
    errors,
    path.child('podFailurePolicy'),
    shown(failure, spec.podFailurePolicy),
    shown(failure, before.podFailurePolicy),
  );
  checkImmutable(errors, path.child('backoffLimitPerIndex'), spec.backoffLimitPerIndex, before.backoffLimitPerIndex);
  checkImmutable(errors, path.child('managedBy'), spec.managedBy, before.managedBy);
  const success = 'batch.SuccessPolicy';
  checkImmutable(
    errors,
    path.child('successPolicy'),
    shown(success, spec.successPolicy),
    shown(success, before.successPolicy),
  );
}

function validate(job: Job, old: Job | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  checkJob(errors, job, old, context);
  return errors;
}

function validateChange(job: Job, old: Job, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  checkUpdate(errors, job, old, context);
  return errors;
}

export const jobRules: KindRules<Job> = {
  defaults,
  defaultPropagation: 'Orphan',
  openPropagationWarning:
    'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning',
  prepareCreate(draft, context) {
    generateSelector(draft);
    dropStatus(draft);
    dropDisabledPodFields(draft.spec.template.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabledPodFields(draft.spec.template.spec, old.spec.template.spec, context);
  },
  canonicalize: labelsOfTemplate,
  validate,
  validateChange,
  validateStatus: validateJobStatus,
  generation: true,
  selectableFields: {
    names: ['status.successful'],
    read: job => ({ 'status.successful': String(job.status?.succeeded ?? 0) }),
  },
  allowUnconditionalUpdate: true,
};
