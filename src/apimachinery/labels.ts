/**
 * Label selectors: parsing, matching, printing. Upstream: apimachinery pkg/labels/{labels,selector}.go, and
 * LabelSelectorAsSelector of pkg/apis/meta/v1/helpers.go.
 *
 * Worked example: `env in (prod,qa),tier!=web,!legacy` is three requirements, sorted by key: env In [prod qa],
 * legacy DoesNotExist, tier NotEquals [web]; a label set matches when it meets all of them.
 */
import { aggregateText, type FieldError, FieldPath, goQuote, invalidValue, notSupported } from './field.ts';
import { InputError } from './input-error.ts';
import { LabelLexer } from './labels-lexer.ts';
import { isLabelKey, isLabelValue } from './validation/names.ts';

/** Labels of an object; absent means none. */
export type LabelSet = Readonly<Record<string, string>>;

/** How a requirement relates a label to its values. `gt` and `lt` compare as 64-bit integers. */
export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

const operators: readonly LabelOperator[] = ['in', 'notin', '=', '==', '!=', 'gt', 'lt', 'exists', '!'];

/** One condition on one label. `values` is in the order given. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

/** The API object LabelSelector of meta/v1. */
export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly LabelSelectorRequirement[];
}

export interface LabelSelectorRequirement {
  readonly key: string;
  /** In, NotIn, Exists or DoesNotExist. */
  readonly operator: string;
  readonly values?: readonly string[];
}

/** A parsed selector: the conjunction of its requirements, or nothing at all. Immutable. */
export class LabelsSelector {
  /** Matches every label set. */
  static readonly everything: LabelsSelector = new LabelsSelector([]);
  /** Matches none; what an absent LabelSelector object means. */
  static readonly nothing: LabelsSelector = new LabelsSelector([], true);

  readonly requirements: readonly LabelRequirement[];
  readonly isNothing: boolean;

  constructor(requirements: readonly LabelRequirement[], isNothing = false) {
    this.requirements = requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    this.isNothing = isNothing;
  }

  /** True when nothing is asked, so everything matches. */
  get isEmpty(): boolean {
    return !this.isNothing && this.requirements.length === 0;
  }

  matches(labels: LabelSet | undefined): boolean {
    if (this.isNothing) return false;
    for (const requirement of this.requirements) if (!meets(requirement, labels)) return false;
    return true;
  }

  /** The one value that `key` must have, when the selector says so. */
  requiredValue(key: string): string | undefined {
    const found = this.requirements.find(requirement => requirement.key === key);
    if (found === undefined || found.values.length !== 1) return undefined;
    return found.operator === '=' || found.operator === '==' || found.operator === 'in' ? found.values[0] : undefined;
  }

  /** A selector that asks for these too. Nothing stays nothing. */
  and(...more: LabelRequirement[]): LabelsSelector {
    return this.isNothing ? this : new LabelsSelector([...this.requirements, ...more]);
  }

  toString(): string {
    return this.requirements.map(requirementText).join(',');
  }
}

function meets({ key, operator, values }: LabelRequirement, labels: LabelSet | undefined): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case '=':
    case '==':
    case 'in':
      return value !== undefined && values.includes(value);
    case '!=':
    case 'notin':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case '!':
      return value === undefined;
    default: {
      const have = value === undefined ? undefined : parseInt64(value);
      const bound = values.length === 1 ? parseInt64(values[0]!) : undefined;
      if (have === undefined || bound === undefined) return false;
      return operator === 'gt' ? have > bound : have < bound;
    }
  }
}

function requirementText({ key, operator, values }: LabelRequirement): string {
  const joined = values.toSorted().join(',');
  switch (operator) {
    case '!':
      return `!${key}`;
    case 'exists':
      return key;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${joined})`;
    case 'gt':
      return `${key}>${joined}`;
    case 'lt':
      return `${key}<${joined}`;
    default:
      return key + operator + joined;
  }
}

/** Go's ParseInt(text, 10, 64): undefined when it is not one. */
function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,30}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** Checks and makes a requirement. Throws InputError `selector` with all that is wrong. */
export function newRequirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const errors: FieldError[] = [];
  const valuesPath = FieldPath.of('values');
  const keyErrors = isLabelKey(key);
  if (keyErrors.length > 0) errors.push(invalidValue(FieldPath.of('key'), key, keyErrors.join('; ')));
  const refuse = (detail: string): unknown => errors.push(invalidValue(valuesPath, values, detail));
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) refuse("for 'in', 'notin' operators, values set can't be empty");
      break;
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1) refuse('exact-match compatibility requires one single value');
      break;
    case 'exists':
    case '!':
      if (values.length !== 0) refuse('values set must be empty for exists and does not exist');
      break;
    case 'gt':
    case 'lt':
      if (values.length !== 1) refuse("for 'Gt', 'Lt' operators, exactly one value is required");
      values.forEach((value, i) => {
        if (parseInt64(value) !== undefined) return;
        const detail = "for 'Gt', 'Lt' operators, the value must be an integer";
        errors.push(invalidValue(valuesPath.index(i), value, detail));
      });
      break;
    default:
      errors.push(notSupported(FieldPath.of('operator'), operator, operators));
  }
  values.forEach((value, i) => {
    const found = isLabelValue(value);
    if (found.length > 0) errors.push(invalidValue(valuesPath.index(i).key(key), value, found.join('; ')));
  });
  if (errors.length > 0) throw new InputError('selector', aggregateText(errors));
  return { key, operator, values: [...values] };
}

/** A selector that asks for exactly these labels, unchecked. An empty or absent set matches everything. */
export function selectorFromSet(labels: LabelSet | undefined): LabelsSelector {
  const entries = Object.entries(labels ?? {});
  return new LabelsSelector(entries.map(([key, value]) => ({ key, operator: '=', values: [value] })));
}

const objectOperators: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/** Compiles the API object. Absent matches nothing, empty matches everything. Throws InputError `selector`. */
export function labelSelectorAsSelector(object: LabelSelector | null | undefined): LabelsSelector {
  if (object === null || object === undefined) return LabelsSelector.nothing;
  const requirements = Object.entries(object.matchLabels ?? {}).map(([k, v]) => newRequirement(k, '=', [v]));
  for (const { key = '', operator = '', values } of object.matchExpressions ?? []) {
    const compiled = Object.hasOwn(objectOperators, operator) ? objectOperators[operator] : undefined;
    if (compiled === undefined) {
      throw new InputError('selector', `${goQuote(operator)} is not a valid label selector operator`);
    }
    requirements.push(newRequirement(key, compiled, values ?? []));
  }
  return new LabelsSelector(requirements);
}

/** Parses the text form of a `labelSelector` parameter. Throws InputError `selector` with upstream's text. */
export function parseLabelSelector(text: string): LabelsSelector {
  const lexer = new LabelLexer(text);
  const requirements: LabelRequirement[] = [];
  const fail = (message: string): never => {
    throw new InputError('selector', message);
  };
  for (;;) {
    const next = lexer.peek();
    if (next.type === 'end') return new LabelsSelector(requirements);
    if (next.type !== 'identifier' && next.type !== '!') {
      fail(`found '${next.text}', expected: !, identifier, or 'end of string'`);
    }
    requirements.push(parseRequirement(lexer));
    const separator = lexer.next();
    if (separator.type === 'end') return new LabelsSelector(requirements);
    if (separator.type !== ',') fail(`found '${separator.text}', expected: ',' or 'end of string'`);
    const after = lexer.peek();
    if (after.type !== 'identifier' && after.type !== '!') {
      fail(`found '${after.text}', expected: identifier after ','`);
    }
  }
}

function parseRequirement(lexer: LabelLexer): LabelRequirement {
  try {
    let token = lexer.next();
    const negated = token.type === '!';
    if (negated) token = lexer.next();
    if (token.type !== 'identifier') throw new InputError('selector', `found '${token.text}', expected: identifier`);
    const key = token.text;
    const keyErrors = isLabelKey(key);
    if (keyErrors.length > 0) {
      throw new InputError('selector', aggregateText([invalidValue(FieldPath.root, key, keyErrors.join('; '))]));
    }
    // What follows a negated key is the next requirement's, or is refused as no separator.
    if (negated) return newRequirement(key, '!', []);
    const next = lexer.peek();
    if (next.type === 'end' || next.type === ',') return newRequirement(key, 'exists', []);
    const operator = parseOperator(lexer);
    const values = operator === 'in' || operator === 'notin' ? parseValues(lexer) : parseExactValue(lexer);
    return newRequirement(key, operator, [...values].sort());
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw new InputError('selector', `unable to parse requirement: ${error.message}`);
  }
}

const binaryOperators: Readonly<Record<string, LabelOperator>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
};

function parseOperator(lexer: LabelLexer): LabelOperator {
  const token = lexer.nextOperator();
  const operator = Object.hasOwn(binaryOperators, token.type) ? binaryOperators[token.type] : undefined;
  if (operator !== undefined) return operator;
  throw new InputError('selector', `found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`);
}

function parseValues(lexer: LabelLexer): Set<string> {
  const open = lexer.next();
  if (open.type !== '(') throw new InputError('selector', `found '${open.text}' expected: '('`);
  const first = lexer.peek();
  if (first.type === ')') {
    lexer.next();
    return new Set(['']);
  }
  if (first.type !== 'identifier' && first.type !== ',') {
    throw new InputError('selector', `found '${first.text}', expected: ',', ')' or identifier`);
  }
  const values = parseIdentifiers(lexer);
  if (lexer.next().type !== ')') throw new InputError('selector', `found '${first.text}', expected: ')'`);
  return values;
}

/** Identifiers between commas, any of which may be empty: `(a,,b)`, `(,a)`. */
function parseIdentifiers(lexer: LabelLexer): Set<string> {
  const values = new Set<string>();
  for (;;) {
    const token = lexer.next();
    if (token.type === 'identifier') {
      values.add(token.text);
      const after = lexer.peek();
      if (after.type === ')') return values;
      if (after.type !== ',') throw new InputError('selector', `found '${after.text}', expected: ',' or ')'`);
    } else if (token.type === ',') {
      if (values.size === 0) values.add('');
      const after = lexer.peek();
      if (after.type === ')' || after.type === ',') values.add('');
      if (after.type === ')') return values;
    } else {
      throw new InputError('selector', `found '${token.text}', expected: ',', or identifier`);
    }
  }
}

function parseExactValue(lexer: LabelLexer): Set<string> {
  const next = lexer.peek();
  if (next.type === 'end' || next.type === ',') return new Set(['']);
  const token = lexer.next();
  if (token.type === 'identifier') return new Set([token.text]);
  throw new InputError('selector', `found '${token.text}', expected: identifier`);
}
