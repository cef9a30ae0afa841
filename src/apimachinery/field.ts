/**
 * Field paths and field errors with upstream's texts.
 * Upstream: apimachinery pkg/util/validation/field/{path,errors}.go.
 *
 * Deviation: of more than 1,000 refusals of one object, or more than 4 MiB of them, the first are told and how many more
 * there are; upstream tells all, be they hundreds of megabytes.
 */

export type FieldErrorType =
  | 'FieldValueNotFound'
  | 'FieldValueRequired'
  | 'FieldValueDuplicate'
  | 'FieldValueInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueTooFew'
  | 'InternalError'
  | 'FieldValueTypeInvalid'
  | 'FieldValueTooShort';

/** One refusal. `body` is the message without the field; a Status joins them as `field: body`. */
export interface FieldError {
  readonly type: FieldErrorType;
  readonly field: string;
  readonly body: string;
}

const maxTold = 1000;
const maxToldLength = 4 * 1024 * 1024;

/** The refusals that an answer tells: all, but for a body of nothing but mistakes; the first always. */
export function toldErrors(errors: readonly FieldError[]): readonly FieldError[] {
  if (errors.length <= 1) return errors;
  let length = 0;
  const end = errors.slice(0, maxTold + 1).findIndex(({ body }, at) => {
    length += body.length;
    return at > 0 && (at === maxTold || length > maxToldLength);
  });
  return end < 0 ? errors : errors.slice(0, end);
}

/** Upstream's aggregate of field errors as one text, each once. */
export function aggregateText(errors: readonly FieldError[]): string {
  const told = toldErrors(errors);
  const texts = [...new Set(told.map(({ field, body }) => `${field}: ${body}`))];
  if (told.length < errors.length) texts.push(`and ${errors.length - told.length} more`);
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
}

/** Adds to a list what may be too much for the arguments of one call: errors of a body of nothing but mistakes. */
export function append<T>(list: T[], more: Iterable<T>): void {
  for (const each of more) list.push(each);
}

/** An immutable path such as `spec.containers[0].ports[1].hostPort`; the empty path prints as `<nil>`. */
export class FieldPath {
  static readonly root: FieldPath = new FieldPath('');
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** `of('spec', 'template')` is `spec.template`. */
  static of(...names: string[]): FieldPath {
    return FieldPath.root.child(...names);
  }

  child(...names: string[]): FieldPath {
    const tail = names.join('.');
    return new FieldPath(this.#text === '' ? tail : `${this.#text}.${tail}`);
  }

  index(at: number): FieldPath {
    return new FieldPath(`${this.#text}[${at}]`);
  }

  /** A map key: `metadata.annotations[some/key]`. */
  key(key: string): FieldPath {
    return new FieldPath(`${this.#text}[${key}]`);
  }

  toString(): string {
    return this.#text === '' ? '<nil>' : this.#text;
  }
}

const make = (type: FieldErrorType, path: FieldPath, body: string): FieldError => ({
  type,
  field: path.toString(),
  body,
});

/** How Go prints a rejected value inside these messages: strings quoted, the rest as JSON, undefined as `null`. */
export function goValue(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  if (typeof value === 'string') return goQuote(value);
  if (typeof value === 'number') return goFloat(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  return goMarshal(value);
}

/** A number as Go's %v prints it: what fits an int64 as one, all else as a double. */
export function goFloat(value: number): string {
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) return String(BigInt(value));
  return goGeneral(value);
}

/** A double as Go's %v prints it, with an exponent from a million on. */
export function goGeneral(value: number): string {
  const text = value.toExponential();
  const exponent = Number(text.slice(text.indexOf('e') + 1));
  if (exponent >= -4 && exponent < 6) return String(value);
  return text.replace(/e([+-])([0-9])$/, 'e$10$2');
}

/**
 * JSON as Go's encoder prints it: `<`, `>`, `&` and the two line separators escaped, integers beyond 2^53 exact.
 * `indent`: spaces a level.
 */
export function goMarshal(value: unknown, indent = 0): string {
  const exact: bigint[] = [];
  const text = JSON.stringify(
    value,
    (_, member) => (typeof member === 'bigint' ? `\ue000${exact.push(member) - 1}\ue000` : member),
    indent,
  );
  const whole = exact.length === 0 ? text : text.replace(/"\ue000([0-9]+)\ue000"/g, (_, at) => `${exact[Number(at)]}`);
  return whole.replace(/[<>&\u2028\u2029]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Go's %q for the characters that occur in API strings. Upstream: strconv.Quote. */
export function goQuote(text: string): string {
  if (printable.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (char === '"' || char === '\\') out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\t') out += '\\t';
    else if (char === '\r') out += '\\r';
    else if (code === 7) out += '\\a';
    else if (code === 8) out += '\\b';
    else if (code === 11) out += '\\v';
    else if (code === 12) out += '\\f';
    else if (code < 32 || code === 127) out += `\\x${code.toString(16).padStart(2, '0')}`;
    else if (code < 127 || goPrints.test(char)) out += char;
    else if (code < 0x10000) out += `\\u${code.toString(16).padStart(4, '0')}`;
    else out += `\\U${code.toString(16).padStart(8, '0')}`;
  }
  return `${out}"`;
}

/** Nothing to escape. */
const printable = /^[ !#-[\]-~]*$/;
/** Go's unicode.IsPrint beyond ASCII. */
const goPrints = /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u;

/** In place of a value that is not to be shown. */
export const omittedValue: unique symbol = Symbol('omitted');

/** `Invalid value: "x"`, or without the value. */
function withValue(text: string, value: unknown): string {
  return value === omittedValue ? text : `${text}: ${goValue(value)}`;
}

export function required(path: FieldPath, detail = ''): FieldError {
  return make('FieldValueRequired', path, detail ? `Required value: ${detail}` : 'Required value');
}
export function invalidValue(path: FieldPath, value: unknown, detail: string): FieldError {
  const body = withValue('Invalid value', value);
  return make('FieldValueInvalid', path, detail ? `${body}: ${detail}` : body);
}
/** As {@link invalidValue}, where the value says nothing. Upstream: OmitValueType. */
export function invalidOmitted(path: FieldPath, detail: string): FieldError {
  return make('FieldValueInvalid', path, `Invalid value: ${detail}`);
}
export function typeInvalid(path: FieldPath, value: unknown, detail: string): FieldError {
  const body = `Invalid value: ${goValue(value)}`;
  return make('FieldValueTypeInvalid', path, detail ? `${body}: ${detail}` : body);
}
export function duplicate(path: FieldPath, value: unknown): FieldError {
  return make('FieldValueDuplicate', path, withValue('Duplicate value', value));
}
export function notFoundValue(path: FieldPath, value: unknown): FieldError {
  return make('FieldValueNotFound', path, `Not found: ${goValue(value)}`);
}
/** `supported` is printed in the order given; upstream sorts sets before printing. */
export function notSupported(path: FieldPath, value: unknown, supported: readonly string[]): FieldError {
  const list = supported.length > 0 ? `: supported values: ${supported.map(goQuote).join(', ')}` : '';
  return make('FieldValueNotSupported', path, `Unsupported value: ${goValue(value)}${list}`);
}
export function forbiddenField(path: FieldPath, detail: string): FieldError {
  return make('FieldValueForbidden', path, detail ? `Forbidden: ${detail}` : 'Forbidden');
}
export function tooLong(path: FieldPath, maxBytes: number): FieldError {
  if (maxBytes < 0) return make('FieldValueTooLong', path, 'Too long: value is too long');
  const unit = maxBytes === 1 ? 'byte' : 'bytes';
  return make('FieldValueTooLong', path, `Too long: may not be more than ${maxBytes} ${unit}`);
}

/** A negative `actual` is not printed. */
export function tooMany(path: FieldPath, actual: number, max: number): FieldError {
  const shown = actual < 0 ? 'Too many' : `Too many: ${actual}`;
  return make('FieldValueTooMany', path, `${shown}: must have at most ${max} ${max === 1 ? 'item' : 'items'}`);
}
export function internalFieldError(path: FieldPath, detail: string): FieldError {
  return make('InternalError', path, `Internal error: ${detail}`);
}
