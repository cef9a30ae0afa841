/**
 * Desired contents of nftables sets and maps, and the smallest script that turns one state into the next. One script
 * is one transaction, so no packet ever meets half a Service.
 *
 * Worked example: from `{svc: {'10.96.0.1 . tcp . 443' => 'goto n1'}}` to the same key with `goto n2` gives
 * `delete element ip t svc { 10.96.0.1 . tcp . 443 }` then `add element ip t svc { 10.96.0.1 . tcp . 443 : goto n2 }`.
 */

/** Set or map name → element key → value; `''` for the elements of a plain set. */
export type ElementSets = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** Elements a statement carries at most; keeps single lines readable to the parser. */
const chunkSize = 2000;

/** The script from `before` to `after` in `table` (as `ip kobune0`); empty when nothing differs. */
export function elementChanges(table: string, before: ElementSets, after: ElementSets): string {
  const script: string[] = [];
  const names = new Set([...before.keys(), ...after.keys()]);
  for (const name of names) {
    const old = before.get(name) ?? new Map<string, string>();
    const now = after.get(name) ?? new Map<string, string>();
    const gone = [...old].filter(([key, value]) => now.get(key) !== value).map(([key]) => key);
    script.push(...statements('delete', table, name, gone));
  }
  for (const name of names) {
    const old = before.get(name) ?? new Map<string, string>();
    const fresh = [...(after.get(name) ?? [])].filter(([key, value]) => old.get(key) !== value);
    const elements = fresh.map(([key, value]) => (value === '' ? key : `${key} : ${value}`));
    script.push(...statements('add', table, name, elements));
  }
  return script.length === 0 ? '' : `${script.join('\n')}\n`;
}

function statements(verb: 'add' | 'delete', table: string, name: string, elements: readonly string[]): string[] {
  const out: string[] = [];
  for (let at = 0; at < elements.length; at += chunkSize) {
    out.push(`${verb} element ${table} ${name} { ${elements.slice(at, at + chunkSize).join(', ')} }`);
  }
  return out;
}
