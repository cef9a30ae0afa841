/**
 * CEL, the expression language of CRD validation rules, admission policies and match conditions.
 *
 * A walk through: make one base environment (`newBaseEnvironment`) and keep it. Extend it with the variables that the
 * expressions of a place see, each a {@link DeclType}: from a structural schema (`declTypeOf`), or `dynType` for
 * objects whose fields are looked up when the expression runs. `environment.compile(text)` gives a program, or the
 * issues exactly as cel-go prints them; `program.staticCost` bounds its cost beforehand, from the sizes that
 * `sizesOf(declType)` reads from a schema. `program.evaluate({ self: schemaValue(json, schema) })` gives a value or
 * an error text, and what it cost. Values are views of the JSON: nothing is copied. Programs are immutable, hold no
 * reference to data and may be shared.
 *
 * ```ts
 * const declared = declTypeOf(schema, true, 'selfType') as DeclType;
 * const { program, issues } = base.extend({ self: declared, oldSelf: declared }).compile('self.a == "x"');
 * const { value, error, cost } = program.evaluate({ self: schemaValue(object, schema) }, { costLimit });
 * ```
 */
export { anyList, anyMap, listOf, mapOf, optionalOf, structType, Type, types } from './check/types.ts';
export type { CostRange, EstimateSize } from './cost/estimate.ts';
export {
  type Compilation,
  Environment,
  type EnvironmentOptions,
  type EvaluateOptions,
  type Evaluation,
  type Program,
  type StructTypes,
} from './environment.ts';
export type { Lookup } from './interpreter/frame.ts';
export { newBaseEnvironment } from './kubernetes.ts';
export {
  authorizerType,
  authorizerValue,
  type CelAuthorizationDecision,
  type CelAuthorizationQuery,
  type CelAuthorizer,
  requestResourceValue,
  resourceCheckType,
} from './library/authorizer.ts';
export { jsonPatchLibrary } from './library/urls.ts';
export {
  type DeclType,
  declTypeOf,
  dynType,
  maxCardinality,
  withMeta,
} from './schema/decl-type.ts';
export { escapeName, unescapeName } from './schema/escaping.ts';
export { sizesOf } from './schema/sizes.ts';
export { dynValue, schemaValue } from './schema/values.ts';
export { equal } from './values/equality.ts';
export { Duration, Timestamp } from './values/time.ts';
export { Uint } from './values/uint.ts';
export {
  ArrayList,
  CelError,
  EntryMap,
  ListValue,
  MapValue,
  ObjectValue,
  Optional,
  typeOfValue,
  type Value,
} from './values/value.ts';
