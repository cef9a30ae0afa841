/** Events, of the core group and of events.k8s.io. Upstream: pkg/apis/core/validation/events.go, pkg/registry/core/event. */
import {
  append,
  byteLength,
  type FieldError,
  FieldPath,
  invalidValue,
  isDNS1123Subdomain,
  nameIsDNSSubdomain,
  required,
  semanticEqual,
  validateKubeFinalizers,
  validateObjectMeta,
  validateObjectMetaUpdate,
} from '#apimachinery';
import type { KindRules, RuleContext } from '../../../kind.ts';
import type { Event } from '../../../types.ts';
import { checkImmutable, checkQualifiedName, type Errors, refuseEach } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';

const at = (...names: string[]): FieldPath => FieldPath.of(...names);

function checkText(errors: Errors, path: FieldPath, text: string, most: number): void {
  if (!text) errors.push(required(path));
  if (byteLength(text) > most) errors.push(invalidValue(path, '', `can have at most ${most} characters`));
}

/** What both groups ask. */
function checkEvent(errors: Errors, event: Event, isCore: boolean): void {
  const about = event.involvedObject?.namespace ?? '';
  const own = event.metadata.namespace ?? '';
  const mismatch = invalidValue(at('involvedObject', 'namespace'), about, 'does not match event.namespace');
  if (!event.eventTime) {
    const fits = about === '' ? own === '' || own === 'default' : about === own;
    if (!fits) errors.push(mismatch);
  } else {
    if (about === '' && own !== 'default' && own !== 'kube-system') errors.push(mismatch);
    const controllerPath = at(isCore ? 'reportingComponent' : 'reportingController');
    const controller = event.reportingComponent ?? '';
    if (!controller) errors.push(required(controllerPath));
    checkQualifiedName(errors, controllerPath, controller);
    checkText(errors, at('reportingInstance'), event.reportingInstance ?? '', 128);
    checkText(errors, at('action'), event.action ?? '', 128);
    checkText(errors, at('reason'), event.reason ?? '', 128);
    const { message = '' } = event;
    if (byteLength(message) > 1024) errors.push(invalidValue(at('message'), '', 'can have at most 1024 characters'));
  }
  refuseEach(errors, at('namespace'), own, isDNS1123Subdomain(own));
}

function checkSeries(errors: Errors, event: Event): void {
  if (!event.series) return;
  if ((event.series.count ?? 0) < 2) errors.push(invalidValue(at('series.count'), '', 'should be at least 2'));
  if (!event.series.lastObservedTime) errors.push(required(at('series.lastObservedTime')));
}

function checkNew(errors: Errors, event: Event): void {
  checkSeries(errors, event);
  if (!event.eventTime) errors.push(required(at('eventTime')));
  const { type = '' } = event;
  if (type !== 'Normal' && type !== 'Warning') {
    errors.push(invalidValue(at('type'), '', `has invalid value: ${type}`));
  }
  for (const name of ['firstTimestamp', 'lastTimestamp', 'count'] as const) {
    if (event[name]) errors.push(invalidValue(at(name), '', 'needs to be unset'));
  }
  if (event.source?.component || event.source?.host) {
    errors.push(invalidValue(at('source'), '', 'needs to be unset'));
  }
}

/** In upstream's order; `reason` comes twice. */
function checkUnchanged(errors: Errors, event: Event, old: Event): void {
  const shown = (type: string, value: unknown): unknown => internalValue(type, value ?? {});
  const structs = { involvedObject: 'core.ObjectReference', source: 'core.EventSource' } as const;
  const names = [
    ...(['involvedObject', 'reason', 'message', 'source', 'firstTimestamp', 'lastTimestamp', 'count'] as const),
    ...(['reason', 'type', 'eventTime', 'action', 'related', 'reportingComponent', 'reportingInstance'] as const),
  ];
  const zero: Readonly<Record<string, unknown>> = {
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    related: null,
    count: 0,
  };
  for (const name of names) {
    const path = at(name === 'reportingComponent' ? 'reportingController' : name);
    if (name === 'involvedObject' || name === 'source') {
      checkImmutable(errors, path, shown(structs[name], event[name]), shown(structs[name], old[name]));
    } else if (name === 'related') {
      const type = 'core.ObjectReference';
      checkImmutable(errors, path, internalValue(type, event.related), internalValue(type, old.related));
    } else {
      const empty = Object.hasOwn(zero, name) ? zero[name] : '';
      checkImmutable(errors, path, event[name] ?? empty, old[name] ?? empty);
    }
  }
}

function validate(event: Event, old: Event | null, context: RuleContext): FieldError[] {
  const errors: Errors = [];
  const isCore = (context.groupVersion ?? 'v1') === 'v1';
  checkEvent(errors, event, isCore);
  if (isCore) return errors;
  const metadata = at('metadata');
  if (!old) {
    append(errors, validateObjectMeta(event.metadata, true, nameIsDNSSubdomain, metadata));
    append(errors, validateKubeFinalizers(event.metadata.finalizers, metadata.child('finalizers')));
    checkNew(errors, event);
  } else {
    append(errors, validateObjectMetaUpdate(event.metadata, old.metadata, metadata));
    append(errors, validateKubeFinalizers(event.metadata.finalizers, metadata.child('finalizers')));
    if (!semanticEqual(event.series, old.series)) checkSeries(errors, event);
    checkUnchanged(errors, event, old);
  }
  return errors;
}

export const eventRules: KindRules<Event> = {
  validateName: () => [],
  validate,
  selectableFields: {
    names: [
      'involvedObject.kind',
      'involvedObject.namespace',
      'involvedObject.name',
      'involvedObject.uid',
      'involvedObject.apiVersion',
      'involvedObject.resourceVersion',
      'involvedObject.fieldPath',
      'reason',
      'reportingComponent',
      'source',
      'type',
    ],
    read: ({ involvedObject: about = {}, ...event }) => ({
      'involvedObject.kind': about.kind ?? '',
      'involvedObject.namespace': about.namespace ?? '',
      'involvedObject.name': about.name ?? '',
      'involvedObject.uid': about.uid ?? '',
      'involvedObject.apiVersion': about.apiVersion ?? '',
      'involvedObject.resourceVersion': about.resourceVersion ?? '',
      'involvedObject.fieldPath': about.fieldPath ?? '',
      reason: event.reason ?? '',
      reportingComponent: event.reportingComponent ?? '',
      source: event.source?.component || (event.reportingComponent ?? ''),
      type: event.type ?? '',
    }),
  },
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
