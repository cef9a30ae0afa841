import { goFloat, goGeneral } from './field.ts';
import { isFloatText, numberText } from './json/number-text.ts';

/** JSON values as Go's `%v` prints them: `map[a:1 b:[x y]]`, `<nil>`. Upstream's messages hold such texts. */
export function goPrint(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'number') return goFloat(value);
  if (typeof value === 'symbol') return goNumberText(numberText(value));
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(goPrint).join(' ')}]`;
  const object = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(object).sort();
  return `map[${keys.map(key => `${key}:${goPrint(object[key])}`).join(' ')}]`;
}

function goNumberText(text: string): string {
  return isFloatText(text) ? goGeneral(Number(text)) : String(BigInt(text));
}
