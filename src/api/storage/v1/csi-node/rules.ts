/** CSINodes. Upstream: pkg/apis/storage/validation, pkg/registry/storage/csinode/strategy.go. */
import { byteLength, duplicate, type FieldError, FieldPath, invalidValue, required } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { CSINode, CSINodeDriver } from '../../../types.ts';
import { checkImmutable, checkNonnegative, checkQualifiedName, type Errors } from '../../../validation/common.ts';
import { internalValue } from '../../../validation/internal-value.ts';
import { checkCSIDriverName } from '../../../validation/volume-sources.ts';

const path = FieldPath.of('spec', 'drivers');

function checkDriver(errors: Errors, at: FieldPath, driver: CSINodeDriver, names: Set<string>): void {
  const { name = '', nodeID = '', allocatable, topologyKeys = [] } = driver;
  checkCSIDriverName(errors, at.child('name'), name);
  if (!nodeID) errors.push(required(at.child('nodeID')));
  if (byteLength(nodeID) > 256) errors.push(invalidValue(at.child('nodeID'), nodeID, 'must be 256 characters or less'));
  checkNonnegative(errors, at.child('allocatable', 'count'), allocatable?.count);
  if (names.has(name)) errors.push(duplicate(at.child('name'), name));
  names.add(name);
  topologyKeys.forEach((key, i) => {
    if (!key) errors.push(required(at));
    if (topologyKeys.indexOf(key) < i) errors.push(duplicate(at, key));
    checkQualifiedName(errors, at, key);
  });
}

function shown(driver: CSINodeDriver): unknown {
  const { allocatable: _, ...rest } = driver;
  return internalValue('storage.CSINodeDriver', rest);
}

function validate(node: CSINode, old: CSINode | null): FieldError[] {
  const errors: Errors = [];
  const names = new Set<string>();
  const drivers = node.spec?.drivers ?? [];
  drivers.forEach((driver, i) => {
    checkDriver(errors, path.index(i), driver, names);
  });
  for (const before of old?.spec?.drivers ?? []) {
    const now = drivers.find(driver => driver.name === before.name);
    if (now) checkImmutable(errors, path, shown(now), shown(before));
  }
  return errors;
}

export const csiNodeRules: KindRules<CSINode> = { validate, allowUnconditionalUpdate: false };
