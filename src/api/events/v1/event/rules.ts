/** Events of events.k8s.io: another face of the core ones. Upstream: pkg/apis/events/v1/conversion.go. */
import type { KubeObject } from '#apimachinery';
import { eventRules } from '../../../core/v1/event/rules.ts';
import type { KindRules } from '../../../kind.ts';
import type { Event, EventsV1Event } from '../../../types.ts';

/** Names of events.k8s.io and what core calls the same fields. */
const names: ReadonlyArray<readonly [string, string]> = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
];

function rename(object: object, from: 0 | 1, apiVersion: string): Record<string, unknown> {
  const out: Record<string, unknown> = { ...object, apiVersion };
  for (const pair of names) {
    const name = pair[from];
    const value = out[name];
    delete out[name];
    if (value !== undefined) out[pair[from === 0 ? 1 : 0]] = value;
  }
  return out;
}

/** What events.k8s.io calls a selectable field of the core kind. */
function ownName(core: string): string {
  return core.replace(/^involvedObject/, 'regarding').replace(/^reportingComponent$/, 'reportingController');
}

const coreFields = eventRules.selectableFields!;

export const eventsEventRules: KindRules<EventsV1Event> = {
  validateName: () => [],
  toHub: event => rename(event, 0, 'v1') as unknown as KubeObject,
  fromHub: hub => rename(hub, 1, 'events.k8s.io/v1') as unknown as EventsV1Event,
  selectableFields: {
    names: coreFields.names.filter(name => name !== 'source').map(ownName),
    renamed: Object.fromEntries(coreFields.names.map(name => [ownName(name), name])),
    read: event => coreFields.read(rename(event, 0, 'v1') as unknown as Event),
  },
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
