/**
 * Fills ClusterRoles that have an aggregationRule with the rules of the roles that it selects.
 * Upstream: pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
 */
import type { ClusterRole, PolicyRule } from '#api/types';
import { isStatusError, labelSelectorAsSelector, writeSorted } from '#apimachinery';
import { clusterRoles, createController } from '#client';
import type { ControllerDefinition } from '../context.ts';

/** The rules of all selected roles, by name of role, each once. Undefined when nothing is aggregated. */
export function aggregatedRules(role: ClusterRole, all: Iterable<ClusterRole>): PolicyRule[] | undefined {
  const selectors = role.aggregationRule?.clusterRoleSelectors;
  if (!selectors) return undefined;
  const roles = [...all].sort((a, b) => (a.metadata.name! < b.metadata.name! ? -1 : 1));
  const rules = new Map<string, PolicyRule>();
  for (const object of selectors) {
    const selector = labelSelectorAsSelector(object);
    for (const each of roles) {
      if (each.metadata.name === role.metadata.name || !selector.matches(each.metadata.labels)) continue;
      for (const rule of each.rules ?? []) {
        const text = writeSorted(rule);
        if (!rules.has(text)) rules.set(text, rule);
      }
    }
  }
  return [...rules.values()];
}

export const clusterRoleAggregation: ControllerDefinition = {
  name: 'clusterrole-aggregation-controller',
  serviceAccount: 'clusterrole-aggregation-controller',
  setUp(context) {
    const roles = context.informers.informer(clusterRoles);
    const controller = createController(context, {
      name: 'clusterrole_aggregation',
      async reconcile(name) {
        const role = roles.get(name);
        const rules = role && aggregatedRules(role, roles.list());
        if (!role || !rules || writeSorted(rules) === writeSorted(role.rules ?? [])) return;
        try {
          await context.client.resource(clusterRoles).apply({ metadata: { name }, rules } as Partial<ClusterRole>, {
            fieldManager: 'clusterrole-aggregation-controller',
            force: true,
          });
        } catch (error) {
          if (!isStatusError(error, 'NotFound')) throw error;
        }
      },
    });
    const changed = (): void => {
      for (const role of roles.list()) if (role.aggregationRule) controller.queue.add(role.metadata.name!);
    };
    roles.addHandler({ added: changed, updated: changed, deleted: changed });
    return controller;
  },
};
