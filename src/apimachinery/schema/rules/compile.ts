/**
 * The rules of one schema, compiled. Upstream: apiextensions-apiserver pkg/apiserver/schema/cel/compilation.go.
 */
import { type DeclType, type Environment, maxCardinality, optionalOf, type Program, sizesOf } from '../../cel/index.ts';
import { findFieldPath } from '../field-path.ts';
import { compileStructural, type JsonSchema, type ValidationRule } from '../json-schema.ts';

export interface CompiledRule {
  readonly rule: ValidationRule;
  /** Absent when the rule is blank or at fault. */
  readonly program?: Program;
  readonly fault?: string;
  readonly message?: Program;
  readonly messageFault?: string;
  readonly usesOldSelf: boolean;
  /** The place that a failure is told of, below that of the rule; empty for the rule's own. */
  readonly fieldPath: string;
  readonly maxCost: number;
  readonly messageMaxCost: number;
  /** How often, at most, the value can stand in one object. */
  readonly maxCardinality: number;
}

/** Compiles the rules of `schema`, whose values are of type `declared`. */
export function compileRules(schema: JsonSchema, declared: DeclType, base: Environment): CompiledRule[] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  if (rules.length === 0) return [];
  const plain = base.extend({ self: declared, oldSelf: declared });
  const optional = rules.some(rule => rule.optionalOldSelf)
    ? base.extend({ self: declared, oldSelf: { ...declared, type: optionalOf(declared.type) } })
    : plain;
  const sizes = sizesOf(declared);
  const cardinality = maxCardinality(declared.minSerializedSize);
  return rules.map(rule => {
    const environment = rule.optionalOldSelf ? optional : plain;
    const made = compileRule(rule, environment, sizes);
    return {
      rule,
      usesOldSelf: false,
      maxCost: 0,
      messageMaxCost: 0,
      ...made,
      fieldPath: rule.fieldPath && made.program ? normalized(rule.fieldPath, schema) : '',
      maxCardinality: made.program ? cardinality : 0,
    };
  });
}

type Made = Partial<Omit<CompiledRule, 'rule' | 'fieldPath' | 'maxCardinality'>>;

function compileRule(rule: ValidationRule, environment: Environment, sizes: ReturnType<typeof sizesOf>): Made {
  if ((rule.rule ?? '').trim() === '') return {};
  const compiled = environment.compile(rule.rule);
  if (compiled.failed === 'compilation') return { fault: compiled.fault };
  if (compiled.resultType.kind !== 'bool') return { fault: 'cel expression must evaluate to a bool' };
  if (compiled.failed) return { fault: compiled.fault };
  const { program } = compiled;
  const made: Made = {
    program,
    usesOldSelf: program.variables.has('oldSelf'),
    maxCost: program.staticCost(sizes).max,
  };
  if (!rule.messageExpression) return made;
  const message = environment.compile(rule.messageExpression);
  const unusable = (why: string): Made => ({ ...made, messageFault: `messageExpression ${why}` });
  if (message.failed === 'compilation') return unusable(`compilation failed: ${message.issues}`);
  if (message.resultType.kind !== 'string') return unusable('must evaluate to a string');
  if (message.failed) return unusable(`instantiation failed: ${message.issues}`);
  return { ...made, message: message.program, messageMaxCost: message.program.staticCost(sizes).max };
}

function normalized(text: string, schema: JsonSchema): string {
  try {
    return String(findFieldPath(text, compileStructural(schema), { brackets: true }).path);
  } catch (error) {
    if (error instanceof RangeError) return '';
    throw error;
  }
}
