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

export const eventsEventRules: KindRules<EventsV1Event> = {
  validateName: () => [],
  toHub: event => rename(event, 0, 'v1') as unknown as KubeObject,
  fromHub: hub => rename(hub, 1, 'events.k8s.io/v1') as unknown as EventsV1Event,
  ...(eventRules.selectableFields && {
    selectableFields: {
      names: eventRules.selectableFields.names.map(name => name.replace(/^involvedObject/, 'regarding')),
      read(event) {
        const hub = rename(event, 0, 'v1') as unknown as Event;
        const values = Object.entries(eventRules.selectableFields!.read(hub));
        return Object.fromEntries(values.map(([name, value]) => [name.replace(/^involvedObject/, 'regarding'), value]));
      },
    },
  }),
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
