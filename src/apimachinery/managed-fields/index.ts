export { type Comparison, compareValues, fieldSetOf } from './compare.ts';
export { ignoreManagedFieldsTimestamps } from './entries.ts';
export {
  type ApplyOptions,
  FieldManager,
  type FieldManagerOptions,
  type UpdateOptions,
} from './field-manager.ts';
export { emptySet, type FieldSet, hasPath, setOfFields, subtractSet, subtractTree, unionSets } from './field-set.ts';
export { managedFieldsProblem, managerOrUserAgent } from './managers.ts';
export { mergeConfiguration } from './merge-configuration.ts';
export { managersFromScale, managersOfScale, type ReplicasPaths } from './scale.ts';
export { equalValues } from './typed.ts';
export { GoNative, validateTyped } from './validate.ts';
