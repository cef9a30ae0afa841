/** What a refused apply is told. Upstream: apimachinery pkg/util/managedfields/internal/conflict.go. */
import { goQuote } from '../field.ts';
import { StatusError } from '../status.ts';
import type { Manager } from './managers.ts';
import { pathText } from './path-element.ts';
import type { FieldConflict } from './updater.ts';

/** How messages name a manager. */
function managerText({ name, subresource, operation, apiVersion }: Manager): string {
  const where = subresource === '' ? goQuote(name) : `${goQuote(name)} with subresource ${goQuote(subresource)}`;
  return operation === 'Update' ? `${where} using ${apiVersion}` : where;
}

/** 409 with a cause for each conflict. */
export function conflictError(conflicts: readonly FieldConflict[]): StatusError {
  const causes = conflicts.map(({ manager, path }) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${managerText(manager)}`,
    field: pathText(path),
  }));
  return new StatusError({ code: 409, reason: 'Conflict', message: conflictText(conflicts), details: { causes } });
}

function conflictText(conflicts: readonly FieldConflict[]): string {
  const [first] = conflicts;
  if (conflicts.length === 1) {
    return `Apply failed with 1 conflict: conflict with ${managerText(first!.manager)}: ${pathText(first!.path)}`;
  }
  const lines: string[] = [];
  let current: Manager | undefined;
  for (const { manager, path } of conflicts) {
    if (manager !== current) lines.push(`conflicts with ${managerText(manager)}:`);
    current = manager;
    lines.push(`- ${pathText(path)}`);
  }
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`;
}
