/** Schemas of custom resources: the face `#apimachinery/schema`, loaded when the first CRD is. */
export { type CoerceOptions, type CoerceResult, coerceMetadata, validateEmbedded } from './embedded-meta.ts';
export { type FoundPath, findFieldPath } from './field-path.ts';
export { formatCheck, isKnownFormat } from './formats.ts';
export { internalRule, internalSchema } from './internal-schema.ts';
export {
  compileStructural,
  type JsonSchema,
  memberSchema,
  type Structural,
  schemasWithin,
  type ValidationRule,
} from './json-schema.ts';
export { validateListTypes } from './list-types.ts';
export { applyDefaults, type PruneResult, pruneNulls, pruneUnknown } from './prune.ts';
export { withPrunedDefaults } from './prune-defaults.ts';
export { compileRegex, type Regex, regexFault } from './regex.ts';
export { type CostChecks, ruleChecker } from './rules/check.ts';
export { type AskOptions, RuleValidator } from './rules/validate.ts';
export {
  type RuleChecker,
  type SchemaCheckOptions,
  type SchemaLeniency,
  validateOpenAPIV3Schema,
} from './schema-check.ts';
export { hasDefaults, hasExtensions, leniencyOf, unrecognizedFormats } from './schema-traits.ts';
export { validateStructural } from './structural-check.ts';
export { resourceNode } from './to-type-node.ts';
export { SchemaValidator, type ValidateValueOptions } from './validate-value.ts';
