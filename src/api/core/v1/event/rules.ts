/** Events of the core group. Upstream: pkg/registry/core/event/strategy.go. */
import type { KindRules } from '../../../kind.ts';
import type { Event } from '../../../types.ts';

export const eventRules: KindRules<Event> = {
  validateName: () => [],
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
