/**
 * Merging a configuration into an object without anybody owning anything, as mutating admission policies do. Upstream:
 * apiserver pkg/admission/plugin/policy/mutating/patch/smd.go.
 */
import { InputError } from '../input-error.ts';
import type { TypeNode } from '../schema/type-node.ts';
import { mergeValues } from './merge.ts';
import { isMap, memberNode, shapeOf } from './typed.ts';
import { validateTyped, validationText } from './validate.ts';

/**
 * The object with the configuration over it; neither is changed. Throws InputError `schema` for a configuration that
 * its type refuses, or that would replace an atomic list, map or struct, in upstream's words.
 */
export function mergeConfiguration(node: TypeNode, object: unknown, configuration: unknown): unknown {
  const errors = validateTyped(node, configuration);
  if (errors.length > 0) {
    throw new InputError('schema', `failed to convert patch object to typed object: ${validationText(errors)}`);
  }
  const atomics = atomicsOf(node, configuration, '');
  if (atomics.length > 0) {
    const list = atomics.join(', ');
    throw new InputError(
      'schema',
      `invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${list}`,
    );
  }
  return mergeValues(node, object, configuration);
}

/** Paths of all lists and maps in `value` that merge as a whole. */
function atomicsOf(node: TypeNode, value: unknown, path: string): string[] {
  if (Array.isArray(value)) {
    const found = shapeOf(node, value) === 'leaf' ? [path] : [];
    if (node.kind !== 'list') return found;
    return [...found, ...value.flatMap((item, at) => atomicsOf(node.element, item, `${path}[${at}]`))];
  }
  if (!isMap(value)) return [];
  const found = shapeOf(node, value) === 'leaf' ? [path] : [];
  if (node.kind !== 'struct') return found;
  const inner = Object.entries(value).flatMap(([name, each]) => {
    const member = memberNode(node, name);
    return member ? atomicsOf(member, each, `${path}.${name}`) : [];
  });
  return [...found, ...inner];
}
