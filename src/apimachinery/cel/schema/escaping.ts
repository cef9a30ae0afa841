/**
 * Names of fields as CEL can write them: `a-b` is `a__dash__b`, `namespace` is `__namespace__`. Upstream:
 * k8s.io/apiserver pkg/cel/escaping.go.
 */

export const reservedSymbols: ReadonlySet<string> = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return var ' +
    'void while'
  ).split(' '),
);

const escapes: ReadonlyMap<string, string> = new Map([
  ['__', '__underscores__'],
  ['.', '__dot__'],
  ['-', '__dash__'],
  ['/', '__slash__'],
]);

const unescapes: ReadonlyMap<string, string> = new Map([...escapes].map(([plain, escaped]) => [escaped, plain]));

/** The name as an identifier; undefined when it cannot be one. */
export function escapeName(name: string): string | undefined {
  if (name === '' || /^[0-9]/.test(name) || /[^a-zA-Z0-9_./-]/.test(name)) return undefined;
  if (reservedSymbols.has(name)) return `__${name}__`;
  return name.replace(/__|[-./]/g, part => escapes.get(part) as string);
}

/** The name that an identifier stands for; undefined when its escapes are not valid. */
export function unescapeName(identifier: string): string | undefined {
  if (!identifier.includes('__')) return identifier;
  let valid = true;
  const name = identifier.replace(/__[^_]+__/g, sequence => {
    const plain = unescapes.get(sequence);
    if (plain !== undefined) return plain;
    const word = sequence.slice(2, -2);
    if (!reservedSymbols.has(word) || sequence !== identifier) valid = false;
    return word;
  });
  return valid ? name : undefined;
}
