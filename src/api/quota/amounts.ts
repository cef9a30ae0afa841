/** Arithmetic on amounts by resource name. Pure. Upstream: apiserver pkg/quota/v1/resources.go. */
import { parseQuantity, Quantity } from '#apimachinery';

/** Amounts by resource name, parsed. */
export type Amounts = ReadonlyMap<string, Quantity>;

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Map<string, Quantity> {
  return new Map(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));
}

/** As objects carry them, in canonical text. */
export function amountsToJson(amounts: Amounts): Record<string, string> {
  return Object.fromEntries([...amounts].map(([name, amount]) => [name, amount.toString()]));
}

export function addAmounts(a: Amounts, b: Amounts): Map<string, Quantity> {
  const sum = new Map(a);
  for (const [name, amount] of b) sum.set(name, sum.get(name)?.add(amount) ?? amount);
  return sum;
}

/** `a - b`, never below zero; everything named by either is in the result. */
export function subtractToZero(a: Amounts, b: Amounts): Map<string, Quantity> {
  const rest = new Map<string, Quantity>();
  for (const [name, amount] of a) {
    const other = b.get(name);
    const difference = other ? amount.sub(other) : amount;
    rest.set(name, difference.sign > 0 ? difference : Quantity.zero);
  }
  for (const name of b.keys()) if (!rest.has(name)) rest.set(name, Quantity.zero);
  return rest;
}

/** The greater of both, by name. */
export function maxAmounts(...lists: readonly Amounts[]): Map<string, Quantity> {
  const most = new Map<string, Quantity>();
  for (const list of lists) {
    for (const [name, amount] of list) {
      const known = most.get(name);
      if (known === undefined || amount.compare(known) > 0) most.set(name, amount);
    }
  }
  return most;
}

export function maskAmounts(amounts: Amounts, names: Iterable<string>): Map<string, Quantity> {
  const kept = new Set(names);
  return new Map([...amounts].filter(([name]) => kept.has(name)));
}

export function withoutZeros(amounts: Amounts): Map<string, Quantity> {
  return new Map([...amounts].filter(([, amount]) => !amount.isZero));
}

/** Same names with equal values. */
export function equalAmounts(a: Amounts, b: Amounts): boolean {
  return a.size === b.size && [...a].every(([name, amount]) => b.get(name)?.equals(amount) === true);
}

/** Names of `a` whose amount is above that of `limits`; names without a limit do not count. */
export function exceeding(a: Amounts, limits: Amounts): string[] {
  const names: string[] = [];
  for (const [name, amount] of a) {
    const limit = limits.get(name);
    if (limit && amount.compare(limit) > 0) names.push(name);
  }
  return names;
}

/** `cpu=1,memory=2Gi`, by name. */
export function amountsText(amounts: Amounts): string {
  const names = [...amounts.keys()].sort();
  return names.map(name => `${name}=${amounts.get(name)}`).join(',');
}
