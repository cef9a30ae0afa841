/**
 * Where a reader of typed JSON is in its value, and how errors name the place: Go's decoder by the fields of its structs,
 * strict validation by the whole path. Upstream: sigs.k8s.io/json internal/golang/encoding/json/{decode,kubernetes_patch}.go.
 */
import type { FieldNode, StructNode } from '../schema/type-node.ts';
import { embeddedPath, goStructName } from './go-type.ts';

/** Fields of structs, keys of maps, indexes of lists, outermost first. One object serves a whole reading. */
export class ReadPosition {
  readonly #frames: (FieldNode | string | number)[] = [];
  readonly #owners: (StructNode | undefined)[] = [];
  #depth = 0;

  /** How many steps lie between the root and here. */
  get depth(): number {
    return this.#depth;
  }

  /** Goes to `frame`, the step at `depth`; `owner` is the struct that it is a field of, absent where Go knows no field. */
  enter(depth: number, frame: FieldNode | string | number, owner: StructNode | undefined): void {
    this.#frames[depth] = frame;
    this.#owners[depth] = owner;
    this.#depth = depth + 1;
  }

  /** Goes to an entry of the map or list at `depth`, which belongs to the same struct as that. */
  enterElement(depth: number, frame: string | number): void {
    this.enter(depth, frame, this.#owners[depth - 1]);
  }

  /** Goes back to where `depth` steps lie before. */
  leaveTo(depth: number): void {
    this.#depth = depth;
  }

  /** Go's text for a value that does not fit its type; `what` names the value. */
  typeError(what: string, goType: string): string {
    const names: string[] = [];
    for (let i = 0; i < this.#depth; i++) {
      const frame = this.#frames[i]!;
      if (typeof frame === 'object') names.push(embeddingOf(this.#owners[i]!, frame) + frame.name);
    }
    const owner = this.#depth === 0 ? undefined : this.#owners[this.#depth - 1];
    if (owner === undefined) return `json: cannot unmarshal ${what} into Go value of type ${goType}`;
    const at = `${goStructName(owner.name)}.${names.join('.')}`;
    return `json: cannot unmarshal ${what} into Go struct field ${at} of type ${goType}`;
  }

  /** The path of a member of the value here, as strict errors write it: `spec.containers[0].imagee`. */
  pathOf(key: string): string {
    let path = '';
    for (let i = 0; i < this.#depth; i++) {
      const frame = this.#frames[i]!;
      if (typeof frame === 'number') path += `[${frame}]`;
      else path += (path === '' ? '' : '.') + (typeof frame === 'object' ? frame.name : frame);
    }
    return path === '' ? key : `${path}.${key}`;
  }
}

/** The names of the Go structs embedded in `owner` that have the field, each with a dot; empty when none is. */
function embeddingOf(owner: StructNode, { name, embedded }: FieldNode): string {
  if (embedded) return embeddedPath(owner, name);
  return isTypeMeta(owner, name) ? 'TypeMeta.' : '';
}

/** Whether Go has the field in the TypeMeta that whole objects embed. */
function isTypeMeta({ name, fields }: StructNode, field: string): boolean {
  if (field !== 'kind' && field !== 'apiVersion') return false;
  return fields.has('metadata') || name.endsWith('.DeleteOptions');
}
