/**
 * The conditions of a namespace that is being emptied: five questions, each answered True or False.
 * Upstream: pkg/controller/namespace/deletion/status_condition_utils.go.
 */
import type { Namespace } from '#api/types';
import { formatTime } from '#apimachinery';

/** What deleting a namespace's content came to. */
export interface ContentReport {
  /** As `pods.` or `deployments.apps`, with how many are left. */
  readonly remaining: Array<{ readonly resource: string; readonly count: number }>;
  /** Finalizers of what is left, one entry an object. */
  readonly finalizers: string[];
  readonly failures: string[];
  readonly discoveryFailures: readonly string[];
  /** The longest grace period of what is left. */
  graceSeconds: number;
}

interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** The five conditions in upstream's order. */
function conditionsOf(report: ContentReport): Condition[] {
  const { remaining, finalizers, failures, discoveryFailures } = report;
  const say = (
    type: string,
    bad: boolean,
    badReason: string,
    badText: string,
    goodReason: string,
    goodText: string,
  ) => ({
    type,
    status: bad ? ('True' as const) : ('False' as const),
    reason: bad ? badReason : goodReason,
    message: bad ? badText : goodText,
  });
  const left = remaining.map(({ resource, count }) => `${resource} has ${count} resource instances`).sort();
  const byFinalizer = new Map<string, number>();
  for (const each of finalizers) byFinalizer.set(each, (byFinalizer.get(each) ?? 0) + 1);
  const held = [...byFinalizer].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  return [
    say(
      'NamespaceDeletionDiscoveryFailure',
      discoveryFailures.length > 0,
      'DiscoveryFailed',
      `Discovery failed for some groups, ${discoveryFailures.length} failing: ${discoveryFailures.join(', ')}`,
      'ResourcesDiscovered',
      'All resources successfully discovered',
    ),
    say(
      'NamespaceDeletionGroupVersionParsingFailure',
      false,
      'GroupVersionParsingFailed',
      '',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ),
    say(
      'NamespaceDeletionContentFailure',
      failures.length > 0,
      'ContentDeletionFailed',
      `Failed to delete all resource types, ${failures.length} remaining: ${[...failures].sort().join(', ')}`,
      'ContentDeleted',
      'All content successfully deleted, may be waiting on finalization',
    ),
    say(
      'NamespaceContentRemaining',
      left.length > 0,
      'SomeResourcesRemain',
      `Some resources are remaining: ${left.join(', ')}`,
      'ContentRemoved',
      'All content successfully removed',
    ),
    say(
      'NamespaceFinalizersRemaining',
      held.length > 0,
      'SomeFinalizersRemain',
      `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
      'ContentHasNoFinalizers',
      'All content-preserving finalizers finished',
    ),
  ];
}

/** The status to write; undefined when nothing changed. A condition's time changes only with its status. */
export function namespaceConditions(namespace: Namespace, report: ContentReport, nowMs: number): Namespace['status'] {
  const before = namespace.status?.conditions ?? [];
  let changed = false;
  const ours = conditionsOf(report).map(condition => {
    const old = before.find(each => each.type === condition.type);
    if (
      old &&
      old.status === condition.status &&
      old.reason === condition.reason &&
      old.message === condition.message
    ) {
      return old;
    }
    changed = true;
    const lastTransitionTime = old?.status === condition.status ? old.lastTransitionTime : formatTime(nowMs);
    return { ...condition, lastTransitionTime };
  });
  if (!changed) return undefined;
  const others = before.filter(each => !ours.some(condition => condition.type === each.type));
  return { ...namespace.status, conditions: [...others, ...ours] } as Namespace['status'];
}
