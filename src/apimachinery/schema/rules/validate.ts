/**
 * CEL rules of a schema asked of values: in upstream's order, within a budget, with what stood there before where that
 * can be told, and ratcheting: a rule that fails on what did not change is told of as a warning.
 * Upstream: apiextensions-apiserver pkg/apiserver/schema/cel/validation.go.
 * Deviation: where upstream walks a Go map, in no order, members come here in the order of the object.
 */
import {
  type DeclType,
  declTypeOf,
  type Environment,
  newBaseEnvironment,
  Optional,
  type Program,
  schemaValue,
  type Value,
  withMeta,
} from '../../cel/index.ts';
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  goQuote,
  invalidValue,
  omittedValue,
  required,
} from '../../field.ts';
import type { JsonSchema, ValidationRule } from '../json-schema.ts';
import { type CompiledRule, compileRules } from './compile.ts';
import { Correlated, findByKeys } from './correlated.ts';

/** What all rules of one object may cost together. */
const runtimeBudget = 10_000_000;
const maxMessageBytes = 5 * 1024;

type JsonMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is JsonMap =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

interface Node {
  readonly schema: JsonSchema;
  /** With type and object meta where it is a resource's. */
  readonly shown: JsonSchema;
  readonly rules: readonly CompiledRule[];
  readonly properties: ReadonlyMap<string, Node>;
  readonly items: Node | undefined;
  readonly additional: Node | undefined;
}

export interface AskOptions {
  /** Where the value stands; the root when absent. */
  readonly path?: FieldPath;
  /** Whether what did not change is let pass with a warning. */
  readonly ratchet?: boolean;
  readonly warn?: (text: string) => void;
}

/** The compiled rules of a schema and all below it. Immutable; made once a version of a CRD. */
export class RuleValidator {
  readonly #root: Node;

  private constructor(root: Node) {
    this.#root = root;
  }

  /** Undefined when the schema has no rules. `isRoot`: it is that of a whole resource. */
  static of(schema: JsonSchema, isRoot: boolean): RuleValidator | undefined {
    const node = hasRules(schema) ? compile(schema, isRoot, undefined, newBaseEnvironment()) : undefined;
    return node && new RuleValidator(node);
  }

  /** What rules refuse in a value; `old` is undefined or null when there was none. */
  validate(value: unknown, old: unknown, { path = FieldPath.root, ratchet, warn }: AskOptions = {}): FieldError[] {
    const run = new Run(warn ?? (() => {}));
    const now = ratchet && isMap(old) ? new Correlated(value, old, this.#root.schema) : undefined;
    run.validate(this.#root, path, value, old ?? undefined, { now, parent: undefined, root: now !== undefined });
    return run.errors;
  }
}

const isSchema = (value: unknown): value is JsonSchema => isMap(value);

function hasRules(schema: JsonSchema): boolean {
  const { items, additionalProperties: additional, properties = {} } = schema;
  return (
    Boolean(schema['x-kubernetes-validations']?.length) ||
    (isSchema(items) && hasRules(items)) ||
    (isSchema(additional) && hasRules(additional)) ||
    Object.values(properties).some(hasRules)
  );
}

function compile(
  schema: JsonSchema,
  isRoot: boolean,
  known: DeclType | undefined,
  base: Environment,
): Node | undefined {
  if (!hasRules(schema)) return undefined;
  const declared = known ?? declTypeOf(schema, isRoot, 'selfType');
  const below = (part: unknown): Node | undefined =>
    isSchema(part) ? compile(part, part['x-kubernetes-embedded-resource'] ?? false, undefined, base) : undefined;
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const node = below(property);
    return node ? [[name, node] as const] : [];
  });
  return {
    schema,
    shown: isRoot ? withMeta(schema) : schema,
    rules: declared ? compileRules(schema, declared, base) : [],
    properties: new Map(properties),
    items: below(schema.items),
    additional: below(schema.additionalProperties),
  };
}

/** What stood at a place before, for ratcheting: of the place itself, or of the nearest one that can be told. */
interface Before {
  readonly now: Correlated | undefined;
  readonly parent: Correlated | undefined;
  readonly root: boolean;
}

function isUnchanged({ now, parent }: Before): boolean {
  return (now ?? parent)?.isSame ?? false;
}

function beforeMember(before: Before, name: string): Before {
  const { now, root } = before;
  if (!now) return before;
  // The type cannot change: both sides are shown in the same version.
  if (root && (name === 'apiVersion' || name === 'kind')) return { now: undefined, parent: undefined, root: false };
  return { now: now.key(name), parent: now, root: false };
}

function beforeItem(before: Before, at: number): Before {
  return before.now ? { now: before.now.index(at), parent: before.now, root: false } : before;
}

class Run {
  readonly errors: FieldError[] = [];
  readonly #warn: (text: string) => void;
  /** Negative when it has run out. */
  #budget = runtimeBudget;

  constructor(warn: (text: string) => void) {
    this.#warn = warn;
  }

  validate(node: Node, path: FieldPath, value: unknown, old: unknown, before: Before): void {
    if (value === null || value === undefined) return;
    this.#ask(node, path, value, old, before);
    if (this.#budget < 0) return;
    if (Array.isArray(value)) this.#validateList(node, path, value, old, before);
    else if (isMap(value)) this.#validateMap(node, path, value, old, before);
  }

  #validateList(
    { schema, items }: Node,
    path: FieldPath,
    list: readonly unknown[],
    old: unknown,
    before: Before,
  ): void {
    if (!items) return;
    const find = findByKeys(old, schema);
    for (const [i, item] of list.entries()) {
      this.validate(items, path.index(i), item, find?.(item), beforeItem(before, i));
      if (this.#budget < 0) return;
    }
  }

  #validateMap({ properties, additional }: Node, path: FieldPath, map: JsonMap, old: unknown, before: Before): void {
    const was = isMap(old) ? old : {};
    for (const name of additional ? Object.keys(map) : []) {
      const prior = Object.hasOwn(was, name) ? was[name] : undefined;
      this.validate(additional!, path.key(name), map[name], prior, beforeMember(before, name));
      if (this.#budget < 0) return;
    }
    for (const name of properties.size > 0 ? Object.keys(map) : []) {
      const node = properties.get(name);
      if (!node) continue;
      const prior = Object.hasOwn(was, name) ? was[name] : undefined;
      this.validate(node, path.child(name), map[name], prior, beforeMember(before, name));
      if (this.#budget < 0) return;
    }
  }

  #ask({ schema, shown, rules }: Node, path: FieldPath, value: unknown, old: unknown, before: Before): void {
    if (rules.length === 0) return;
    const { type = '' } = schema;
    if (this.#budget <= 0) {
      this.#runOut(path, type);
      return;
    }
    const self = schemaValue(value, shown);
    const oldSelf = old === undefined || old === null ? undefined : schemaValue(old, shown);
    for (const compiled of rules) {
      const { rule, program, usesOldSelf } = compiled;
      if (compiled.fault !== undefined) {
        this.errors.push(invalidValue(path, type, `rule compile error: ${compiled.fault}`));
        continue;
      }
      if (!program || (usesOldSelf && oldSelf === undefined && !rule.optionalOldSelf)) continue;
      const variables: Record<string, Value> = { self };
      if (rule.optionalOldSelf) {
        variables['oldSelf'] = (oldSelf === undefined ? Optional.none : new Optional(oldSelf)) as unknown as Value;
      } else if (oldSelf !== undefined) variables['oldSelf'] = oldSelf;
      if (!this.#evaluate(compiled, program, variables, { path, type, value, before })) return;
    }
  }

  #runOut(path: FieldPath, type: string): void {
    const text = 'validation failed due to running out of cost budget, no further validation rules will be run';
    this.errors.push(invalidValue(path, type, text));
    this.#budget = -1;
  }

  /** Whether further rules may be asked. */
  #evaluate(compiled: CompiledRule, program: Program, variables: Record<string, Value>, place: Place): boolean {
    const { rule } = compiled;
    const { path, type } = place;
    const result = program.evaluate(variables);
    if (result.cost > this.#budget) {
      this.#runOut(path, type);
      return false;
    }
    this.#budget -= result.cost;
    if (result.error === undefined) {
      if (result.value !== true) this.#failed(compiled, variables, place);
      return this.#budget >= 0;
    }
    const { error } = result;
    const about = ruleText(rule);
    if (result.costExceeded) {
      const text = `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${about}`;
      this.errors.push(invalidValue(path, type, text));
      this.#budget = -1;
      return false;
    }
    const text = error.startsWith('no such overload')
      ? `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${about}`
      : `${error} evaluating rule: ${about}`;
    this.errors.push(invalidValue(path, type, text));
    return true;
  }

  #failed(compiled: CompiledRule, variables: Record<string, Value>, { path, type, value, before }: Place): void {
    const { rule, fieldPath, usesOldSelf } = compiled;
    const at = fieldPath === '' ? path : path.child(fieldPath);
    const refuse = (error: FieldError): void => {
      if (usesOldSelf || !isUnchanged(before)) this.errors.push(error);
      else this.#warn(`${error.field}: ${error.body}`);
    };
    const told = compiled.message && this.#message(compiled.message, rule, variables);
    if (told?.fault !== undefined) {
      refuse(invalidValue(at, type, told.fault));
      return;
    }
    const detail = told?.text ?? (rule.message ? rule.message.trim() : `failed rule: ${ruleText(rule)}`);
    const shown = type === 'object' || type === 'array' ? omittedValue : value;
    refuse(refusal(at, shown, detail, rule.reason));
  }

  /** What a message expression makes: a text, a fault that ends all, or nothing, and then the rule's own text is told. */
  #message(
    program: Program,
    rule: ValidationRule,
    variables: Record<string, Value>,
  ): { text?: string; fault?: string } {
    const result = program.evaluate(variables);
    const prefix = 'messageExpression evaluation failed due to running out of cost budget';
    if (result.cost > this.#budget) {
      this.#budget = -1;
      return { fault: `${prefix}, no further validation rules will be run` };
    }
    if (result.error !== undefined && result.costExceeded) {
      this.#budget = -1;
      const about = `messageExpression: ${goQuote(rule.messageExpression!)}`;
      return { fault: `no further validation rules will be run due to call cost exceeds limit for ${about}` };
    }
    this.#budget -= result.cost;
    if (typeof result.value !== 'string') return {};
    const text = result.value.trim();
    if (text === '' || text.includes('\n') || Buffer.byteLength(text) > maxMessageBytes) return {};
    return { text };
  }
}

interface Place {
  readonly path: FieldPath;
  readonly type: string;
  readonly value: unknown;
  readonly before: Before;
}

function ruleText({ rule, message }: ValidationRule): string {
  return (message || rule).trim();
}

function refusal(path: FieldPath, value: unknown, detail: string, reason: string | undefined): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenField(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return duplicate(path, value);
    default:
      return invalidValue(path, value, detail);
  }
}
