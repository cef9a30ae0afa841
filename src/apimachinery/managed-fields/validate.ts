/**
 * Whether an applied configuration has the shape of its type; and ownership that was written under another schema.
 * Upstream: sigs.k8s.io/structured-merge-diff v6 typed/{validate,reconcile_schema,helpers}.go.
 */
import { goQuote } from '../field.ts';
import { goPrint } from '../go-print.ts';
import { InputError } from '../input-error.ts';
import type { ListNode, ScalarType, TypeNode } from '../schema/type-node.ts';
import { child, emptySet, type FieldSet, insert, isEmptySet, isMember, subtractTree, unionSets } from './field-set.ts';
import { elementText, fieldElement, type PathElement } from './path-element.ts';
import { isMap, itemElement, type JsonMap, memberNode } from './typed.ts';

/** A value that Go has and JSON has not, as Go's %#v shows it. */
export class GoNative {
  readonly syntax: string;

  constructor(syntax: string) {
    this.syntax = syntax;
  }
}

/** What is wrong with a configuration, in upstream's words; empty when it can be applied. */
export function validateTyped(node: TypeNode, value: unknown): string[] {
  const errors: string[] = [];
  validate(node, value, '', errors);
  return errors;
}

/** The errors as one text. */
export function validationText(errors: readonly string[]): string {
  return errors.length === 1 ? errors[0]! : ['errors:', ...errors.map(error => `  ${error}`)].join('\n');
}

const untyped: ReadonlySet<ScalarType> = new Set(['quantity', 'time', 'microtime', 'intOrString']);
const numeric: ReadonlySet<ScalarType> = new Set(['int32', 'int64', 'double']);

function validate(node: TypeNode, value: unknown, path: string, errors: string[]): void {
  const fail = (text: string): unknown => errors.push(path === '' ? text : `${path}: ${text}`);
  if (value === null || value === undefined || node.kind === 'any') return;
  if (node.kind === 'list') {
    if (!Array.isArray(value)) fail(`expected list, got ${goPointer(value)}`);
    else validateList(node, value, path, errors);
  } else if (node.kind !== 'scalar') {
    if (!isMap(value)) fail(`expected map, got ${goPointer(value)}`);
    else validateMap(node, value, path, errors);
  } else validateScalar(node.type, value, fail);
}

function validateScalar(type: ScalarType, value: unknown, fail: (text: string) => unknown): void {
  if (type === 'json' || type === 'rawExtension') return;
  const kind = typeof value === 'bigint' ? 'number' : typeof value;
  if (type === 'fieldsV1') {
    if (!isMap(value)) fail(`expected map, got ${goPointer(value)}`);
  } else if (untyped.has(type)) {
    if (kind === 'object') fail(`expected any scalar, got ${goPointer(value)}`);
  } else if (numeric.has(type)) {
    if (kind !== 'number') fail(`expected numeric (int or float), got ${goTypeOf(value)}`);
  } else if (type === 'boolean') {
    if (kind !== 'boolean') fail(`expected boolean, got ${goPointer(value)}`);
  } else if (kind !== 'string') fail(`expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`);
}

function validateMap(node: TypeNode, value: JsonMap, path: string, errors: string[]): void {
  for (const name of Object.keys(value)) {
    const member = memberNode(node, name);
    const at = path + elementText(fieldElement(name));
    if (member === undefined) {
      errors.push(`${at}: field not declared in schema`);
      return;
    }
    validate(member, value[name], at, errors);
  }
}

function validateList(node: ListNode, value: readonly unknown[], path: string, errors: string[]): void {
  const associative = node.listType === 'map' || node.listType === 'set';
  const seen = new Set<PathElement>();
  for (const [i, item] of value.entries()) {
    let element = `i:${i}`;
    if (associative) {
      try {
        element = itemElement(node, item);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        errors.push(`${path}: element ${i}: ${error.message}`);
        return;
      }
      if (seen.has(element)) errors.push(`${path}: duplicate entries for key ${elementText(element)}`);
      seen.add(element);
    }
    validate(node.element, item, path + elementText(element), errors);
  }
}

/** Go's %v of its wrapper around a value. */
function goPointer(value: unknown): string {
  return `&{${goPrint(value)}}`;
}

function goTypeOf(value: unknown): string {
  if (Array.isArray(value)) return '[]interface {}';
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'string' ? 'string' : 'map[string]interface {}';
}

/** Go's %#v of a value. */
function goSyntax(value: unknown): string {
  if (value === null) return 'interface {}(nil)';
  if (value instanceof GoNative) return value.syntax;
  if (typeof value === 'string') return goQuote(value);
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`;
  if (typeof value !== 'object') return goPrint(value);
  const parts = Object.keys(value as object)
    .sort()
    .map(name => `${goQuote(name)}:${goSyntax((value as JsonMap)[name])}`);
  return `map[string]interface {}{${parts.join(', ')}}`;
}

/**
 * Ownership as it is under the present type: what was owned piece by piece and is atomic now is owned whole. The set
 * itself when nothing changed, which is the rule.
 */
export function reconcileWithType(set: FieldSet, node: TypeNode): FieldSet {
  const whole: FieldSet = {};
  collectAtomic(set, node, [], whole);
  return isEmptySet(whole) ? set : unionSets(subtractTree(set, whole), whole);
}

function collectAtomic(set: FieldSet, node: TypeNode, path: readonly PathElement[], whole: FieldSet): void {
  const atomic =
    (node.kind === 'list' && node.listType !== 'map' && node.listType !== 'set') ||
    ((node.kind === 'struct' || node.kind === 'map') && node.mapType === 'atomic');
  if (atomic) {
    // A leaf is owned whole already; a list that is only passed through is not, nor a map with something below.
    if (!isEmptySet(set) && path.length > 0) insert(whole, path, emptySet);
    return;
  }
  if (node.kind === 'scalar' || node.kind === 'any') return;
  for (const element in set) {
    if (element === '.') continue;
    const below = child(set, element)!;
    if (isEmptySet(below) && isMember(below)) continue;
    const name = element.startsWith('f:') ? element.slice(2) : undefined;
    const next = node.kind === 'list' ? node.element : name === undefined ? undefined : memberNode(node, name);
    if (next !== undefined && next.kind !== 'scalar') collectAtomic(below, next, [...path, element], whole);
  }
}
