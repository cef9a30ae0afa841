/**
 * The type tables of every built-in kind of Kubernetes v1.36, served or not, and the facts of the served resources.
 * Definitions are read from their generated text when first asked for; what was read is kept for the process and is
 * immutable, so that all clusters share it. Data: tables/*.gen.ts, resources.gen.ts (hack/update-api).
 */
import type { GroupVersionKind, StructNode, TypeRegistry } from '#apimachinery';
import type { ResourceFacts } from './kind.ts';
import { groups, resources } from './resources.gen.ts';
import { type DefinitionText, parseDefinition, splitTable } from './tables/format.ts';
import { aliases, tables } from './tables/index.gen.ts';

export type { GroupFacts, ResourceFacts, SubresourceFacts } from './kind.ts';
export { type OptionalFacts, optionalResources, type ServedFacts, servedByDefault, servedFacts } from './served.ts';
export { groups, resources };

/** Short prefixes that do not simply continue with `io.k8s.api.`; the generator has the same list. */
const prefixes: readonly (readonly [string, string])[] = [
  ['meta.', 'io.k8s.apimachinery.pkg.apis.meta.'],
  ['runtime.', 'io.k8s.apimachinery.pkg.runtime.'],
  ['version.', 'io.k8s.apimachinery.pkg.version.'],
  ['apiextensions.', 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.'],
  ['apiregistration.', 'io.k8s.kube-aggregator.pkg.apis.apiregistration.'],
  ['audit.', 'io.k8s.apiserver.pkg.apis.audit.'],
  ['', 'io.k8s.api.'],
];

/** `core.v1.Pod` to `io.k8s.api.core.v1.Pod`. */
function longName(short: string): string {
  const [from, to] = prefixes.find(([prefix]) => short.startsWith(prefix))!;
  return to + short.slice(from.length);
}

/** `core.v1.Pod` of `io.k8s.api.core.v1.Pod`; undefined for names of another origin. */
export function shortDefinitionName(long: string): string | undefined {
  const found = prefixes.find(([, prefix]) => long.startsWith(prefix));
  return found && found[0] + long.slice(found[1].length);
}

class BuiltinTypes implements TypeRegistry {
  readonly #texts = new Map<string, Map<string, DefinitionText>>();
  readonly #structs = new Map<string, StructNode>();

  struct(name: string): StructNode {
    const known = this.#structs.get(name);
    if (known) return known;
    const short = shortDefinitionName(name);
    const struct = short === undefined ? undefined : this.#find(short);
    if (!struct) throw new RangeError(`unknown definition: ${name}`);
    this.#structs.set(name, struct);
    return struct;
  }

  /** Whether there is such a definition. */
  has(name: string): boolean {
    const short = shortDefinitionName(name);
    return short !== undefined && this.#text(short) !== undefined;
  }

  /** All names, in the order of the tables. */
  names(): string[] {
    return Object.keys(tables).flatMap(file => [...this.#table(file).keys()].map(longName));
  }

  #find(short: string): StructNode | undefined {
    const text = this.#text(short);
    return text && parseDefinition(text, longName(text.name), each => this.struct(longName(each)));
  }

  #text(short: string): DefinitionText | undefined {
    const name = aliases[short] ?? short;
    const file = name.slice(0, name.indexOf('.'));
    return Object.hasOwn(tables, file) ? this.#table(file).get(name) : undefined;
  }

  #table(file: string): Map<string, DefinitionText> {
    let texts = this.#texts.get(file);
    if (!texts) {
      texts = new Map(splitTable(tables[file]!).map(text => [text.name, text]));
      this.#texts.set(file, texts);
    }
    return texts;
  }
}

/** The registry of the built-in definitions, by names as `io.k8s.api.core.v1.Pod`. */
export const builtinTypes: TypeRegistry & {
  /** Whether there is a definition of this name. */
  has(name: string): boolean;
  /** The names of all definitions. */
  names(): string[];
} = new BuiltinTypes();

const packages: Readonly<Record<string, string>> = {
  '': 'core',
  'internal.apiserver.k8s.io': 'apiserverinternal',
};

/**
 * The definition name of a built-in kind, served or not, its list kinds included; undefined when there is none. The
 * kinds of meta/v1 (Status, WatchEvent, DeleteOptions, PartialObjectMetadata, APIGroup …) are found under any group
 * and version, because each registers them.
 */
export function typeNameOf({ group, version, kind }: GroupVersionKind): string | undefined {
  const own = longName(`${packages[group] ?? group.split('.')[0]}.${version}.${kind}`);
  if (builtinTypes.has(own)) return own;
  const meta = longName(`meta.v1.${kind}`);
  return builtinTypes.has(meta) ? meta : undefined;
}

const byPath: ReadonlyMap<string, ResourceFacts> = new Map(
  resources.map(facts => [`${facts.group}/${facts.version}/${facts.resource}`, facts]),
);

/** The facts of a served resource. */
export function findResource(group: string, version: string, resource: string): ResourceFacts | undefined {
  return byPath.get(`${group}/${version}/${resource}`);
}
