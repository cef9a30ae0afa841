/**
 * Refusals of CEL rules when a CRD is written: those that do not compile, cost too much, or compare with what cannot be
 * told. Upstream: apiextensions-apiserver pkg/apis/apiextensions/validation/{cel_validation,validation}.go.
 */
import { type DeclType, declTypeOf, type Environment, newBaseEnvironment } from '../../cel/index.ts';
import {
  append,
  type FieldError,
  type FieldPath,
  forbiddenField,
  internalFieldError,
  invalidValue,
} from '../../field.ts';
import { internalRule } from '../internal-schema.ts';
import type { JsonSchema } from '../json-schema.ts';
import type { RuleChecker } from '../schema-check.ts';
import { type CompiledRule, compileRules } from './compile.ts';

/** Of one expression, with all the values that it can be asked for. */
const expressionCostLimit = 10_000_000;
const definitionCostLimit = 100_000_000;
/** Costs end here, as Go's unsigned integers do. */
const endOfCosts = 2 ** 64;

export interface CostChecks {
  /** The schema stands as it was: what its expressions cost was accepted. */
  readonly expressionsAccepted: boolean;
}

interface Shared {
  readonly base: Environment;
  readonly checks: CostChecks;
  total: number;
  dearest: { readonly path: FieldPath; readonly cost: number }[];
}

/** The checker of a whole schema. */
export function ruleChecker(schema: JsonSchema, checks: CostChecks): RuleChecker {
  const shared: Shared = { base: newBaseEnvironment(), checks, total: 0, dearest: [] };
  return new SchemaRules(schema, true, 1, shared);
}

class SchemaRules implements RuleChecker {
  readonly #schema: JsonSchema;
  readonly #root: boolean;
  /** How often the value can stand in an object; undefined when nothing bounds it. */
  readonly #cardinality: number | undefined;
  readonly #shared: Shared;

  constructor(schema: JsonSchema, root: boolean, cardinality: number | undefined, shared: Shared) {
    this.#schema = schema;
    this.#root = root;
    this.#cardinality = cardinality;
    this.#shared = shared;
  }

  property(_name: string, schema: JsonSchema): RuleChecker {
    return this.#child(schema);
  }

  items(schema: JsonSchema): RuleChecker {
    return this.#child(schema);
  }

  additional(schema: JsonSchema): RuleChecker {
    return this.#child(schema);
  }

  #child(schema: JsonSchema): SchemaRules {
    const factor = elementsOf(this.#schema);
    const bounded = this.#cardinality !== undefined && factor !== undefined;
    return new SchemaRules(schema, false, bounded ? product(this.#cardinality!, factor) : undefined, this.#shared);
  }

  check(schema: JsonSchema, path: FieldPath, uncorrelated: FieldPath | undefined): FieldError[] {
    const at = path.child('x-kubernetes-validations');
    const declared = this.#declared(schema);
    if (!declared) {
      const why = 'unable to convert structural schema to CEL declarations';
      const text = `internal error: failed to construct type information for x-kubernetes-validations rules: ${why}`;
      return [internalFieldError(at, text)];
    }
    return compileRules(schema, declared, this.#shared.base).flatMap((compiled, i) =>
      this.#checkRule(compiled, at.index(i), uncorrelated),
    );
  }

  #declared(schema: JsonSchema): DeclType | undefined {
    return declTypeOf(schema, this.#root || (schema['x-kubernetes-embedded-resource'] ?? false), 'selfType');
  }

  #checkRule(compiled: CompiledRule, at: FieldPath, uncorrelated: FieldPath | undefined): FieldError[] {
    const errors: FieldError[] = [];
    const { rule } = compiled;
    const rulePath = at.child('rule');
    const messagePath = at.child('messageExpression');
    const cost = product(compiled.maxCost, this.#cardinality ?? compiled.maxCardinality);
    append(errors, this.#observe(rulePath, cost, 'estimated rule cost'));
    if (compiled.fault !== undefined) errors.push(invalidValue(rulePath, internalRule(rule), compiled.fault));
    if (compiled.messageFault !== undefined) {
      errors.push(invalidValue(messagePath, internalRule(rule), compiled.messageFault));
    } else if (compiled.message) {
      append(errors, this.#observe(messagePath, compiled.messageMaxCost, 'estimated messageExpression cost'));
    }
    if (compiled.usesOldSelf) {
      if (uncorrelated) {
        const text = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${uncorrelated}`;
        errors.push(invalidValue(rulePath, rule.rule, text));
      }
    } else if (rule.optionalOldSelf !== undefined && rule.optionalOldSelf !== null) {
      const text = 'may not be set if oldSelf is not used in rule';
      errors.push(invalidValue(at.child('optionalOldSelf'), rule.optionalOldSelf, text));
    }
    return errors;
  }

  #observe(path: FieldPath, cost: number, name: string): FieldError[] {
    const shared = this.#shared;
    shared.total = Math.min(shared.total + cost, endOfCosts);
    if (cost >= definitionCostLimit / 100) {
      shared.dearest = [...shared.dearest, { path, cost }].sort((a, b) => b.cost - a.cost).slice(0, 4);
    }
    if (shared.checks.expressionsAccepted || cost <= expressionCostLimit) return [];
    return [forbiddenField(path, costText(name, cost, expressionCostLimit))];
  }

  total(path: FieldPath): FieldError[] {
    const { total, dearest } = this.#shared;
    if (total <= definitionCostLimit) return [];
    const part = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const name = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    return [
      ...dearest.map(each => forbiddenField(each.path, part)),
      forbiddenField(path, costText(name, total, definitionCostLimit)),
    ];
  }
}

function product(cost: number, times: number): number {
  return Math.min(cost * times, endOfCosts);
}

/** By how much a schema multiplies what is below it; undefined without a bound. */
function elementsOf(schema: JsonSchema): number | undefined {
  const { additionalProperties: additional, maxProperties, maxItems } = schema;
  if (schema.type === 'array') return maxItems === undefined ? undefined : Math.max(0, maxItems);
  if (schema.type !== 'object' || additional === undefined || additional === null) return 1;
  return maxProperties === undefined ? undefined : Math.max(0, maxProperties);
}

function costText(name: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const shown = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  const hint =
    'try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared';
  return `${name} exceeds budget by factor of ${shown} (${hint})`;
}
