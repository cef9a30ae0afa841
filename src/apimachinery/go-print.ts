/** JSON values as Go's `%v` prints them: `map[a:1 b:[x y]]`, `<nil>`. Upstream's messages hold such texts. */
export function goPrint(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (typeof value === 'number') return goNumber(value);
  if (typeof value !== 'object') return String(value);
  if (Array.isArray(value)) return `[${value.map(goPrint).join(' ')}]`;
  const object = value as Readonly<Record<string, unknown>>;
  const keys = Object.keys(object).sort();
  return `map[${keys.map(key => `${key}:${goPrint(object[key])}`).join(' ')}]`;
}

/** A double as `%v` prints it: integers plain, exponents of two digits from 1e+21 on. */
function goNumber(value: number): string {
  const text = String(value);
  return text.replace(/e([+-])([0-9])$/, 'e$10$2');
}
