/** The row of an Event of the core group. Upstream: printEvent in printers.go. */
import type { Event } from '../types.ts';
import { age, type Row, row } from './cells.ts';

/** When, what, about whom, why; source and counts when wide. */
export function eventRow(event: Event, nowMs: number): Row {
  const { involvedObject, series, source } = event;
  const first = age(event.firstTimestamp ?? event.eventTime, nowMs);
  const last = series
    ? age(series.lastObservedTime, nowMs)
    : event.lastTimestamp
      ? age(event.lastTimestamp, nowMs)
      : first;
  const kind = (involvedObject?.kind ?? '').toLowerCase();
  const component = source?.component || event.reportingComponent || '';
  const instance = source?.host || event.reportingInstance || '';
  return row(
    last,
    event.type ?? '',
    event.reason ?? '',
    involvedObject?.name ? `${kind}/${involvedObject.name}` : kind,
    involvedObject?.fieldPath ?? '',
    instance ? `${component}, ${instance}` : component,
    (event.message ?? '').trim(),
    first,
    series ? (series.count ?? 0) : event.count || 1,
    event.metadata.name ?? '',
  );
}
