/**
 * Paths to values as cel-go keeps them: slices that grow in place where there is room, so that a path that is prolonged
 * twice shows what came last. `x.b` is sized as `x.a` when `x.a` is met between the two looks at it: estimates are held
 * to those of the original, this one included. Upstream: cel-go checker/cost.go (getPath, addPath), Go's append.
 */

interface Backing {
  readonly names: string[];
  readonly room: number;
}

export class SharedPath {
  static readonly empty: SharedPath = new SharedPath({ names: [], room: 0 }, 0);
  readonly #backing: Backing;
  readonly length: number;

  private constructor(backing: Backing, length: number) {
    this.#backing = backing;
    this.length = length;
  }

  /** The path of a variable. */
  static of(name: string): SharedPath {
    return SharedPath.empty.append(name);
  }

  /** What it says now. */
  get names(): readonly string[] {
    return this.#backing.names.slice(0, this.length);
  }

  append(name: string): SharedPath {
    const { names, room } = this.#backing;
    if (this.length < room) {
      names[this.length] = name;
      return new SharedPath(this.#backing, this.length + 1);
    }
    const grown = { names: [...this.names, name], room: Math.max(this.length + 1, 2 * room) };
    return new SharedPath(grown, this.length + 1);
  }
}
