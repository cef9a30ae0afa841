/**
 * OpenAPI v2 of several servers as one document: of another's, the paths of its group version and what they use;
 * definitions and parameters that differ under one name get a number. Upstream: kube-openapi pkg/aggregator.
 */
import { semanticEqual } from '#apimachinery';

export type Node = { [key: string]: unknown };

export interface Spec {
  paths: Node;
  definitions: Node;
  parameters: Node;
}

const gvkKey = 'x-kubernetes-group-version-kind';
const prefixes = { definitions: '#/definitions/', parameters: '#/parameters/' } as const;
type Section = keyof typeof prefixes;

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys that would reach an object's prototype are no names of anything. */
function sectionOf(value: unknown): Node {
  if (value === undefined) return {};
  if (!isNode(value)) throw new Error('the OpenAPI document has a section that is no object');
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== '__proto__'));
}

/** Throws for what is no OpenAPI v2. */
export function readSpec(bytes: Uint8Array): Spec {
  const document = JSON.parse(Buffer.from(bytes).toString()) as unknown;
  if (!isNode(document)) throw new Error('the OpenAPI document is no object');
  const { paths, definitions, parameters } = document;
  return { paths: sectionOf(paths), definitions: sectionOf(definitions), parameters: sectionOf(parameters) };
}

function walk(value: unknown, visit: (node: Node, ref: string) => void): void {
  if (Array.isArray(value)) for (const each of value) walk(each, visit);
  else if (isNode(value)) {
    if (typeof value['$ref'] === 'string') visit(value, value['$ref']);
    for (const each of Object.values(value)) walk(each, visit);
  }
}

function usedDefinitions(spec: Spec): Set<string> {
  const used = new Set<string>();
  walk([spec.paths, spec.definitions, spec.parameters], (_node, ref) => {
    if (ref.startsWith(prefixes.definitions)) used.add(ref.slice(prefixes.definitions.length));
  });
  return used;
}

/** The paths that `keeps` wants, without the definitions that only others used. */
export function filterSpec(spec: Spec, keeps: (path: string) => boolean): Spec {
  const before = usedDefinitions(spec);
  const paths = Object.fromEntries(Object.entries(spec.paths).filter(([path]) => keeps(path)));
  const after = usedDefinitions({ ...spec, paths });
  const definitions = Object.fromEntries(
    Object.entries(spec.definitions).filter(([name]) => after.has(name) || !before.has(name)),
  );
  return { ...spec, paths, definitions };
}

/** Merges `source` into `target`, which changes; `source` does not. Paths of `target` win. */
export function mergeSpec(target: Spec, source: Spec): void {
  const fresh = Object.keys(source.paths).filter(path => !Object.hasOwn(target.paths, path));
  if (fresh.length === 0) return;
  const kept = new Set(fresh);
  let own = kept.size < Object.keys(source.paths).length ? filterSpec(source, path => kept.has(path)) : source;
  own = renamed(own, 'definitions', renames(target.definitions, own.definitions, equalModuloKinds));
  own = renamed(own, 'parameters', renames(target.parameters, own.parameters, semanticEqual));
  for (const [name, definition] of Object.entries(own.definitions)) {
    const existing = target.definitions[name];
    target.definitions[name] = Object.hasOwn(target.definitions, name) ? withKinds(existing, definition) : definition;
  }
  for (const [name, parameter] of Object.entries(own.parameters)) {
    if (!Object.hasOwn(target.parameters, name)) target.parameters[name] = parameter;
  }
  for (const path of fresh) target.paths[path] = own.paths[path];
}

/** New names for what is something else in `target` under the old one. */
function renames(target: Node, source: Node, equal: (a: unknown, b: unknown) => boolean): Map<string, string> {
  const found = new Map<string, string>();
  const taken = new Set(Object.keys(target));
  for (const [name, value] of Object.entries(source)) {
    if (!Object.hasOwn(target, name) || equal(target[name], value)) continue;
    let number = 2;
    while (Object.hasOwn(target, `${name}_v${number}`) && !equal(target[`${name}_v${number}`], value)) number++;
    if (!Object.hasOwn(target, `${name}_v${number}`)) {
      while (taken.has(`${name}_v${number}`) || Object.hasOwn(source, `${name}_v${number}`)) number++;
      taken.add(`${name}_v${number}`);
    }
    found.set(name, `${name}_v${number}`);
  }
  return found;
}

function renamed(spec: Spec, section: Section, names: ReadonlyMap<string, string>): Spec {
  if (names.size === 0) return spec;
  const copy = structuredClone(spec);
  const prefix = prefixes[section];
  walk([copy.paths, copy.definitions, copy.parameters], (node, ref) => {
    const name = ref.startsWith(prefix) ? names.get(ref.slice(prefix.length)) : undefined;
    if (name !== undefined) node['$ref'] = `${prefix}${name}`;
  });
  copy[section] = Object.fromEntries(
    Object.entries(copy[section]).map(([name, each]) => [names.get(name) ?? name, each]),
  );
  return copy;
}

function equalModuloKinds(a: unknown, b: unknown): boolean {
  if (!isNode(a) || !isNode(b)) return semanticEqual(a, b);
  const { [gvkKey]: _a, ...x } = a;
  const { [gvkKey]: _b, ...y } = b;
  return semanticEqual(x, y);
}

interface Kind {
  readonly group?: string;
  readonly version?: string;
  readonly kind?: string;
}

/** The definition with the kinds of both. */
function withKinds(a: unknown, b: unknown): unknown {
  if (!isNode(a) || !isNode(b)) return a;
  const [mine, theirs] = [a[gvkKey], b[gvkKey]] as [Kind[] | undefined, Kind[] | undefined];
  if (!Array.isArray(theirs)) return a;
  if (!Array.isArray(mine)) return { ...a, [gvkKey]: theirs };
  const text = ({ group = '', version = '', kind = '' }: Kind): string => `${group}/${version}.${kind}`;
  const known = new Set(mine.map(text));
  const more = theirs.filter(each => !known.has(text(each)));
  if (more.length === 0) return a;
  return { ...a, [gvkKey]: [...mine, ...more].sort((x, y) => (text(x) < text(y) ? -1 : 1)) };
}
