/** Nodes. Upstream: pkg/apis/core/v1/defaults.go, pkg/registry/core/node/strategy.go. */
import type { KindRules } from '../../../kind.ts';
import type { Node } from '../../../types.ts';

export const nodeRules: KindRules<Node> = {
  defaults(draft) {
    const { status } = draft;
    if (status?.capacity && !status.allocatable) status.allocatable = structuredClone(status.capacity);
  },
  prepareCreate() {
    // A node brings its status along when it registers.
  },
  selectableFields: {
    names: ['spec.unschedulable'],
    read: node => ({ 'spec.unschedulable': String(node.spec?.unschedulable ?? false) }),
  },
  allowUnconditionalUpdate: true,
};
