/** StatefulSets. Upstream: pkg/apis/apps/{v1/defaults.go,validation}, pkg/registry/apps/statefulset/strategy.go. */
import {
  append,
  type Draft,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  nameIsDNSLabel,
  required,
  validateAnnotations,
  validateLabels,
} from '#apimachinery';
import { podSpecDefaults } from '../../../core/v1/pod/defaults.ts';
import { dropDisabledPodFields } from '../../../core/v1/pod/prepare.ts';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { dropStatus, keepStatus } from '../../../strategies.ts';
import type { PodSpec, PodTemplateSpec, StatefulSet, StatefulSetSpec } from '../../../types.ts';
import { checkDNSLabel, checkNonnegative, checkSupported, type Errors } from '../../../validation/common.ts';
import { internalEqual, invalidInternal, shownSelector } from '../../../validation/internal-value.ts';
import { checkClaimSpec } from '../../../validation/persistent-volume-claims.ts';
import { checkPodAnnotations } from '../../../validation/pod-templates.ts';
import {
  checkAtMostAll,
  checkIntOrPercent,
  checkRequiredSelector,
  checkRunsForever,
  checkSelectorMatches,
  checkTemplate,
  collisionCountFalls,
  intOrPercentValue,
  parseSelector,
  statusBounds,
  statusCounts,
} from '../../../validation/workloads.ts';

const path = FieldPath.of('spec');

function checkStrategy(errors: Errors, at: FieldPath, own: StatefulSetSpec): void {
  const strategy = own.updateStrategy ?? {};
  const rolling = strategy.rollingUpdate;
  const rollingPath = at.child('rollingUpdate');
  if (!strategy.type) errors.push(required(at));
  else if (strategy.type === 'OnDelete') {
    const text = "only allowed for updateStrategy 'RollingUpdate'";
    if (rolling) errors.push(invalidInternal(rollingPath, 'apps.RollingUpdateStatefulSetStrategy', rolling, text));
  } else if (strategy.type === 'RollingUpdate') {
    if (!rolling) return;
    checkNonnegative(errors, rollingPath.child('partition'), rolling.partition);
    const most = rolling.maxUnavailable;
    if (most === undefined) return;
    const mostPath = rollingPath.child('maxUnavailable');
    checkIntOrPercent(errors, mostPath, most);
    if (intOrPercentValue(most) === 0) errors.push(invalidValue(mostPath, most, 'cannot be 0'));
    checkAtMostAll(errors, mostPath, most);
  } else {
    errors.push(
      invalidInternal(at, 'apps.StatefulSetUpdateStrategy', strategy, "must be 'RollingUpdate' or 'OnDelete'"),
    );
  }
}

/** The template as its pods will be: with the volumes of the claims, and names that the controller sets. */
function effectiveTemplate(own: StatefulSetSpec): PodTemplateSpec {
  const { subdomain: _s, hostname: _h, ...spec } = own.template.spec ?? ({} as PodSpec);
  const claims = own.volumeClaimTemplates ?? [];
  const names = new Set(claims.map(claim => claim.metadata?.name ?? ''));
  const volumes = [
    ...[...names].map(name => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...(spec.volumes ?? []).filter(volume => !names.has(volume.name)),
  ];
  return { ...own.template, spec: { ...spec, ...(claims.length > 0 && { volumes }) } };
}

interface SpecOptions {
  readonly old: StatefulSet | null;
  readonly context: RuleContext;
  readonly skipTemplate: boolean;
}

function checkSpec(errors: Errors, own: StatefulSetSpec, { old, context, skipTemplate }: SpecOptions): void {
  const management = own.podManagementPolicy;
  if (!management) errors.push(required(path.child('podManagementPolicy')));
  else if (management !== 'OrderedReady' && management !== 'Parallel') {
    const text = "must be 'OrderedReady' or 'Parallel'";
    errors.push(invalidValue(path.child('podManagementPolicy'), management, text));
  }
  checkStrategy(errors, path.child('updateStrategy'), own);
  const retention = own.persistentVolumeClaimRetentionPolicy;
  for (const when of ['whenDeleted', 'whenScaled'] as const) {
    if (!retention) break;
    const at = path.child('persistentVolumeClaimRetentionPolicy', when);
    checkSupported(errors, at, retention[when], ['Retain', 'Delete']);
  }
  if (!old) {
    own.volumeClaimTemplates?.forEach((claim, i) => {
      checkClaimSpec(errors, path.child('volumeClaimTemplates').index(i).child('spec'), claim.spec ?? {}, {});
    });
  }
  checkNonnegative(errors, path.child('replicas'), own.replicas);
  checkNonnegative(errors, path.child('minReadySeconds'), own.minReadySeconds);
  checkNonnegative(errors, path.child('ordinals.start'), own.ordinals?.start);
  if (!old && own.serviceName) checkDNSLabel(errors, path.child('serviceName'), own.serviceName);
  checkRequiredSelector(errors, path.child('selector'), own.selector, 'statefulset');
  const selector = parseSelector(own.selector);
  const at = path.child('template');
  if (selector) {
    const template = effectiveTemplate(own);
    if (!selector.isEmpty) checkSelectorMatches(errors, at, selector, template);
    if (!skipTemplate) checkTemplate(errors, at, template, { old: old?.spec.template, context });
    // Upstream checks these a second time.
    const annotations = template.metadata?.annotations;
    append(errors, validateLabels(template.metadata?.labels, at.child('labels')));
    append(errors, validateAnnotations(annotations, at.child('annotations')));
    checkPodAnnotations(errors, at.child('annotations'), annotations ?? {}, template.spec!);
  } else errors.push(invalidValue(path.child('selector'), shownSelector(own.selector), ''));
  checkRunsForever(errors, at, own.template, 'StatefulSet');
}

const mutable = [
  ...['replicas', 'template', 'updateStrategy', 'minReadySeconds', 'ordinals', 'revisionHistoryLimit'],
  'persistentVolumeClaimRetentionPolicy',
];
const immutableText =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

const fixedPart = (own: StatefulSetSpec): object =>
  Object.fromEntries(Object.entries(own).filter(([name]) => !mutable.includes(name)));

function validate(set: StatefulSet, old: StatefulSet | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  let skipTemplate = false;
  if (old) {
    const before: Errors = [];
    checkSpec(before, old.spec, { old, context, skipTemplate: false });
    skipTemplate = before.length > 0;
  }
  checkSpec(errors, set.spec, { old, context, skipTemplate });
  if (old && !internalEqual('apps.StatefulSetSpec', fixedPart(set.spec), fixedPart(old.spec)))
    errors.push(forbiddenField(path, immutableText));
  return errors;
}

/** A feature that is off: the largest number of unavailable pods. */
function dropDisabled(draft: Draft<StatefulSet>, old: StatefulSet | undefined): void {
  if (old?.spec.updateStrategy?.rollingUpdate?.maxUnavailable !== undefined) return;
  delete draft.spec.updateStrategy?.rollingUpdate?.maxUnavailable;
}

const replicas = ['replicas', 'readyReplicas', 'currentReplicas', 'updatedReplicas', 'availableReplicas'];

export const statefulSetRules: KindRules<StatefulSet> = {
  defaults({ spec }) {
    if (!spec.podManagementPolicy) spec.podManagementPolicy = 'OrderedReady';
    const strategy = (spec.updateStrategy ??= {});
    if (!strategy.type) {
      strategy.type = 'RollingUpdate';
      strategy.rollingUpdate ??= {};
    }
    if (strategy.type === 'RollingUpdate' && strategy.rollingUpdate) strategy.rollingUpdate.partition ??= 0;
    const retention = (spec.persistentVolumeClaimRetentionPolicy ??= {});
    if (!retention.whenDeleted) retention.whenDeleted = 'Retain';
    if (!retention.whenScaled) retention.whenScaled = 'Retain';
    spec.replicas ??= 1;
    spec.revisionHistoryLimit ??= 10;
    podSpecDefaults(spec.template.spec!);
    for (const claim of spec.volumeClaimTemplates ?? []) {
      claim.apiVersion = 'v1';
      claim.kind = 'PersistentVolumeClaim';
      claim.spec ??= {};
      claim.spec.volumeMode ??= 'Filesystem';
      roundResources(claim.spec.resources?.limits);
      roundResources(claim.spec.resources?.requests);
      claim.status ??= {};
      if (!claim.status.phase) claim.status.phase = 'Pending';
    }
  },
  prepareCreate(draft, context) {
    dropStatus(draft);
    dropDisabled(draft, undefined);
    dropDisabledPodFields(draft.spec.template.spec, undefined, context);
  },
  prepareUpdate(draft, old, context) {
    keepStatus(draft, old);
    dropDisabled(draft, old);
    dropDisabledPodFields(draft.spec.template.spec, old.spec.template.spec, context);
  },
  validate,
  validateStatus: ({ status }, old) => [
    ...statusCounts(status, [...replicas, 'observedGeneration', 'collisionCount']),
    ...statusBounds(status, replicas.slice(1), 'replicas', 'cannot be greater than status.replicas'),
    ...statusBounds(status, ['availableReplicas'], 'readyReplicas', 'cannot be greater than status.readyReplicas'),
    ...collisionCountFalls(status, old.status),
  ],
  validateName: nameIsDNSLabel,
  generation: true,
  allowUnconditionalUpdate: true,
};
