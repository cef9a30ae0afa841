/**
 * Reads JSON against a type in one pass, as Go's decoder does; read.ts says what the value and the errors are.
 * Upstream: sigs.k8s.io/json internal/golang/encoding/json/{decode,kubernetes_patch}.go, the UnmarshalJSON methods of
 * meta/v1 and api/resource.
 */
import { canonicalDuration } from '../duration.ts';
import { InputError } from '../input-error.ts';
import { canonicalQuantity } from '../quantity.ts';
import type { AnyNode, ScalarType, StructNode, TypeNode } from '../schema/type-node.ts';
import { canonicalMicroTime, canonicalTime } from '../time.ts';
import { AnyReader } from './any-reader.ts';
import { canonicalBase64 } from './bytes.ts';
import { goTypeName } from './go-type.ts';
import type { JsonScanner } from './scanner.ts';
import { setOwn } from './set-own.ts';
import { isCollection, isOmitted, isZeroScalar, zeroElement } from './zero-values.ts';

/** A plain object that is being built. */
type Building = Record<string, unknown>;
type Union = NonNullable<AnyNode['union']>;

export class TypedReader extends AnyReader {
  #mismatch: string | undefined;
  #refusal: string | undefined;

  throwSaved(): void {
    const message = this.#refusal ?? this.#mismatch;
    if (message !== undefined) throw new InputError('json', message);
  }

  /** Reads the next value; undefined for null. `into` is what a duplicate field held before. */
  value(node: TypeNode, into: unknown): unknown {
    const code = this.peek();
    if (code === 110) {
      this.literal('null');
      return undefined;
    }
    switch (node.kind) {
      case 'scalar':
        return this.#scalar(node.type, node, code);
      case 'struct':
        return code === 123 ? this.#struct(node, into) : this.#wrong(node, code);
      case 'map':
        return code === 123 ? this.#map(node.element, into) : this.#wrong(node, code);
      case 'list':
        return code === 91 ? this.#list(node.element, into) : this.#wrong(node, code);
      case 'any':
        return node.union === undefined ? this.any(code, true) : this.#union(node.union, code);
    }
  }

  /**
   * A schema, or a list of them, or something else: the unions of JSONSchemaProps. They decode their text themselves, so
   * that fields that they do not know are no concern of strict validation. What is of no kind they know is nothing, but
   * where only a boolean may stand beside a schema.
   */
  #union({ type, schema }: Union, code: number): unknown {
    const inner: TypeNode | undefined =
      code === 123
        ? schema
        : code !== 91 || type === 'schemaOrBool'
          ? undefined
          : { kind: 'list', element: type === 'schemaOrArray' ? schema : { kind: 'scalar', type: 'string' } };
    if (inner !== undefined) return this.#apart(inner);
    const text = this.skip();
    if (type !== 'schemaOrBool') return undefined;
    if (text === 'true' || text === 'false') return text === 'true';
    this.#refusal ??= 'boolean or JSON schema expected';
    return undefined;
  }

  /** Reads what a type of Go decodes itself: strict errors are not told, a wrong type ends the decoding at once. */
  #apart(node: TypeNode): unknown {
    const before = this.#mismatch;
    this.#mismatch = undefined;
    this.lenient++;
    const value = this.value(node, undefined);
    this.lenient--;
    this.#refusal ??= this.#mismatch;
    this.#mismatch = before;
    return Array.isArray(value) && value.length === 0 ? undefined : value;
  }

  #struct(node: StructNode, into: unknown): unknown {
    const out = (into as Building | undefined) ?? {};
    this.enter();
    if (this.peek() === 125) {
      this.leave();
      return out;
    }
    const top = this.position.depth;
    const seen: string[] = [];
    do {
      const key = this.key();
      const field = node.fields.get(key);
      if (field === undefined) {
        this.position.leaveTo(top);
        if (node.preserveUnknown) this.#keepUnknown(out, key, top);
        else {
          this.strict('unknown', key);
          this.skip();
        }
      } else {
        const again = seen.includes(key);
        if (again) {
          this.position.leaveTo(top);
          this.strict('duplicate', key);
        } else seen.push(key);
        this.position.enter(top, field, node);
        const value = this.value(field.node, again || into !== undefined ? out[key] : undefined);
        if (isCollection(field, value) || !(isOmitted(field, value) || isZeroScalar(field, value))) {
          if (value !== undefined) out[key] = value;
        } else if (again) delete out[key];
      }
    } while (this.more(125, 'after object key:value pair'));
    this.position.leaveTo(top);
    this.leave();
    return inOrder(node, seen) ? out : ordered(node, out);
  }

  #keepUnknown(out: Building, key: string, top: number): void {
    if (Object.hasOwn(out, key)) this.strict('duplicate', key);
    this.position.enter(top, key, undefined);
    setOwn(out, key, this.any(this.peek(), true));
  }

  #map(element: TypeNode, into: unknown): unknown {
    const out = (into as Building | undefined) ?? {};
    this.enter();
    if (this.peek() === 125) {
      this.leave();
      return out;
    }
    const top = this.position.depth;
    const seen = into === undefined ? undefined : new Set<string>();
    let previous = '';
    let sorted = into === undefined;
    do {
      const key = this.key();
      sorted &&= key > previous;
      previous = key;
      if (seen === undefined ? Object.hasOwn(out, key) : seen.has(key)) this.strict('duplicate', key);
      seen?.add(key);
      this.position.enterElement(top, key);
      const value = this.value(element, undefined);
      setOwn(out, key, value === undefined ? zeroElement(element) : value);
      this.position.leaveTo(top);
    } while (this.more(125, 'after object key:value pair'));
    this.leave();
    return sorted ? out : sortedMap(out);
  }

  #list(element: TypeNode, into: unknown): unknown {
    const before = (into as unknown[] | undefined) ?? [];
    const out: unknown[] = [];
    this.enter();
    if (this.peek() === 93) {
      this.leave();
      return out;
    }
    const top = this.position.depth;
    do {
      this.position.enterElement(top, out.length);
      const value = this.value(element, element.kind === 'struct' ? before[out.length] : undefined);
      out.push(value === undefined ? zeroElement(element) : value);
    } while (this.more(93, 'after array element'));
    this.position.leaveTo(top);
    this.leave();
    return out;
  }

  #scalar(type: ScalarType, node: TypeNode, code: number): unknown {
    switch (type) {
      case 'string':
        return code === 34 ? this.string() : this.#wrong(node, code);
      case 'boolean':
        if (code === 116) {
          this.literal('true');
          return true;
        }
        if (code !== 102) return this.#wrong(node, code);
        this.literal('false');
        return false;
      case 'int32':
      case 'int64':
        return isNumber(code) ? this.#integer(type, goTypeName(node), false) : this.#wrong(node, code);
      case 'double':
        return isNumber(code) ? this.#double(node) : this.#wrong(node, code);
      case 'intOrString':
        if (code === 34) return this.string();
        return isNumber(code) ? this.#integer('int32', 'int32', true) : this.#refuseType(code, 'int32');
      case 'quantity':
        return this.#parse(canonicalQuantity, code === 34 ? this.string().trim() : this.skip());
      case 'time':
        return code === 34 ? this.#parse(canonicalTime, this.string()) : this.#refuseType(code, 'string');
      case 'microtime':
        return code === 34 ? this.#parse(canonicalMicroTime, this.string()) : this.#refuseType(code, 'string');
      case 'duration':
        return code === 34 ? this.#parse(canonicalDuration, this.string()) : this.#refuseType(code, 'string');
      case 'bytes':
        return this.#bytes(node, code);
      default:
        return this.any(code, false);
    }
  }

  #integer(type: 'int32' | 'int64', goType: string, refuse: boolean): unknown {
    const text = this.number();
    const value = Number(text);
    const plain = /^-?[0-9]+$/.test(text);
    if (plain && type === 'int32' && value >= -2147483648 && value <= 2147483647) return value === 0 ? 0 : value;
    if (plain && type === 'int64') {
      if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
      const exact = BigInt(text);
      if (BigInt.asIntN(64, exact) === exact) return exact;
    }
    const message = this.position.typeError(`number ${text}`, goType);
    if (refuse) this.#refusal ??= message;
    else this.#mismatch ??= message;
    return undefined;
  }

  #double(node: TypeNode): unknown {
    const text = this.number();
    const value = Number(text);
    if (Number.isFinite(value)) return value;
    this.#mismatch ??= this.position.typeError(`number ${text}`, goTypeName(node));
    return undefined;
  }

  #bytes(node: TypeNode, code: number): unknown {
    if (code === 91) {
      const numbers = this.#list({ kind: 'scalar', type: 'int32', goType: 'uint8' }, undefined) as number[];
      const bad = numbers.find(value => value < 0 || value > 255);
      if (bad !== undefined) this.#mismatch ??= this.position.typeError(`number ${bad}`, 'uint8');
      return Buffer.from(numbers).toString('base64');
    }
    if (code !== 34) return this.#wrong(node, code);
    const read = canonicalBase64(this.string());
    if ('text' in read) return read.text;
    this.#mismatch ??= read.error;
    return undefined;
  }

  /** Runs a parser whose refusal ends Go's decoding, and so wins over mismatches that were seen before. */
  #parse(parse: (text: string) => string | null, text: string): string | undefined {
    try {
      return parse(text) ?? undefined;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#refusal ??= error.message;
      return undefined;
    }
  }

  #refuseType(code: number, goType: string): undefined {
    this.#refusal ??= this.position.typeError(tokenName(code, this), goType);
    this.skip();
    return undefined;
  }

  #wrong(node: TypeNode, code: number): undefined {
    this.#mismatch ??= this.position.typeError(tokenName(code, this), goTypeName(node));
    this.skip();
    return undefined;
  }
}

const isNumber = (code: number): boolean => code === 45 || (code >= 48 && code <= 57);

/** What Go calls a value in its type errors. Throws the syntax error when there is none. */
function tokenName(code: number, scanner: JsonScanner): string {
  if (code === 34) return 'string';
  if (code === 123) return 'object';
  if (code === 91) return 'array';
  if (code === 116 || code === 102) return 'bool';
  if (!isNumber(code)) scanner.unexpected('looking for beginning of value');
  return 'number';
}

/** Whether fields came in the order of the type, as servers send them. */
function inOrder(node: StructNode, seen: readonly string[]): boolean {
  const names = node.fields.keys();
  for (const name of seen) {
    let next = names.next();
    while (!next.done && next.value !== name) next = names.next();
    if (next.done) return false;
  }
  return true;
}

/** The value with its fields in the order of the type, as Go prints them. */
function ordered(node: StructNode, value: Building): Building {
  const out: Building = {};
  for (const name of node.fields.keys()) if (Object.hasOwn(value, name)) setOwn(out, name, value[name]);
  if (node.preserveUnknown) {
    for (const name of Object.keys(value)) if (!Object.hasOwn(out, name)) setOwn(out, name, value[name]);
  }
  return out;
}

/** The map with its keys sorted, as Go prints them. */
function sortedMap(value: Building): Building {
  const out: Building = {};
  for (const name of Object.keys(value).sort()) setOwn(out, name, value[name]);
  return out;
}
