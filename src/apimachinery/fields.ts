/**
 * Field selectors: `metadata.name=a,status.phase!=Running`, with `\`, `,` and `=` escaped in values.
 * Upstream: apimachinery pkg/fields/selector.go.
 */
import { InputError } from './input-error.ts';

/** One condition: the field's value, as a string, is or is not `value`. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/**
 * Renames a field or its value while a selector is parsed; both empty drops the condition. Throws to refuse a field
 * that the resource cannot select by.
 */
export type FieldTransform = (field: string, value: string) => { readonly field: string; readonly value: string };

/** A parsed field selector: the conjunction of its requirements. Immutable. */
export class FieldsSelector {
  /** Matches everything. */
  static readonly everything: FieldsSelector = new FieldsSelector([]);

  readonly requirements: readonly FieldRequirement[];

  constructor(requirements: readonly FieldRequirement[]) {
    this.requirements = requirements;
  }

  get isEmpty(): boolean {
    return this.requirements.length === 0;
  }

  /** `fields` holds what can be selected; an absent one counts as the empty string. */
  matches(fields: Readonly<Record<string, string>>): boolean {
    for (const { field, operator, value } of this.requirements) {
      const have = Object.hasOwn(fields, field) ? fields[field] : '';
      if ((have === value) !== (operator === '=')) return false;
    }
    return true;
  }

  /** The one value that `field` must have, when the selector says so. */
  requiredValue(field: string): string | undefined {
    return this.requirements.find(r => r.field === field && r.operator === '=')?.value;
  }

  toString(): string {
    return this.requirements.map(r => r.field + r.operator + escapeFieldValue(r.value)).join(',');
  }
}

/** Escapes a value for use in a field selector. */
export function escapeFieldValue(value: string): string {
  return value.replace(/[\\,=]/g, char => `\\${char}`);
}

/** The inverse of {@link escapeFieldValue}. Throws InputError `selector` for a wrong or missing escape. */
function unescapeFieldValue(text: string): string {
  let out = '';
  let escaped = false;
  for (const char of text) {
    if (escaped) {
      if (char !== '\\' && char !== ',' && char !== '=') {
        throw new InputError('selector', `invalid field selector: invalid escape sequence: \\${char}`);
      }
      out += char;
      escaped = false;
    } else if (char === '\\') {
      escaped = true;
    } else if (char === ',' || char === '=') {
      // Upstream prints the code point, not the character.
      throw new InputError('selector', `invalid field selector: unescaped character in value: ${char.codePointAt(0)}`);
    } else {
      out += char;
    }
  }
  if (escaped) throw new InputError('selector', 'invalid field selector: invalid escape sequence: \\');
  return out;
}

function splitTerms(text: string): string[] {
  if (text === '') return [];
  const terms: string[] = [];
  let begin = 0;
  let escaped = false;
  for (let i = 0; i < text.length; i++) {
    if (escaped) escaped = false;
    else if (text[i] === '\\') escaped = true;
    else if (text[i] === ',') {
      terms.push(text.slice(begin, i));
      begin = i + 1;
    }
  }
  terms.push(text.slice(begin));
  return terms;
}

/** Parses the text form of a `fieldSelector` parameter, terms sorted. Throws InputError `selector`. */
export function parseFieldSelector(text: string, transform?: FieldTransform): FieldsSelector {
  const requirements: FieldRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue;
    const split = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (split === null) {
      throw new InputError('selector', `invalid selector: '${text}'; can't understand '${term}'`);
    }
    const operator = split[2] === '!=' ? '!=' : '=';
    const plain = { field: split[1]!, value: unescapeFieldValue(split[3]!) };
    requirements.push({ ...plain, operator });
  }
  const out: FieldRequirement[] = [];
  for (const requirement of requirements) {
    const renamed = transform?.(requirement.field, requirement.value) ?? requirement;
    if (renamed.field === '' && renamed.value === '') continue;
    out.push({ field: renamed.field, operator: requirement.operator, value: renamed.value });
  }
  return new FieldsSelector(out);
}
