/** The row of a Node. Upstream: printNode in printers.go. */
import type { Node } from '../types.ts';
import { age, type Row, row } from './cells.ts';

const rolePrefix = 'node-role.kubernetes.io/';

function roles(labels: Readonly<Record<string, string>>): string {
  const found = Object.entries(labels).map(([key, value]) => {
    if (key.startsWith(rolePrefix)) return key.slice(rolePrefix.length);
    return key === 'kubernetes.io/role' ? value : '';
  });
  return [...new Set(found.filter(role => role !== ''))].sort().join(',') || '<none>';
}

/** Name, readiness, roles, age, version; addresses and systems when wide. */
export function nodeRow({ metadata, spec, status }: Node, nowMs: number): Row {
  const ready = status?.conditions?.findLast(each => each.type === 'Ready');
  const states = [ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown'];
  if (spec.unschedulable) states.push('SchedulingDisabled');
  const info = status?.nodeInfo;
  const address = (type: string): string => status?.addresses?.find(each => each.type === type)?.address ?? '<none>';
  const kernel = info?.kernelVersion || '<unknown>';
  return row(
    metadata.name ?? '',
    states.join(','),
    roles(metadata.labels ?? {}),
    age(metadata.creationTimestamp, nowMs),
    info?.kubeletVersion ?? '',
    address('InternalIP'),
    address('ExternalIP'),
    info?.osImage || '<unknown>',
    info?.architecture ? `${kernel} (${info.architecture})` : kernel,
    info?.containerRuntimeVersion || '<unknown>',
  );
}
