/**
 * What a version of a custom kind shows of the stored objects, and what is stored of its own: read with the schema of
 * the version that they were stored in (pruned, defaulted), converted, pruned again. Upstream: apiextensions-apiserver
 * pkg/apiserver/customresource_handler.go, crdConversionRESTOptionsGetter.
 *
 * Between the two stand the store and the watch cache, which hold stored bytes. What a cached state shows is made once
 * and kept with it; where a webhook converts, the states of a page or of a batch of events go to it together.
 */
import { type Draft, deepFreeze, type KubeObject, parseApiVersion, StatusError, type StructNode } from '#apimachinery';
import type { ObjectItem } from '../registry/caches.ts';
import { StoredObject } from '../registry/stored-object.ts';
import { encodeObject } from '../serialization/encode.ts';
import type { CustomCodec } from './codec.ts';
import type { Converter } from './conversion.ts';

export interface StoredFormDeps {
  /** Different for whatever may show an object differently: definition, generation and version. */
  readonly id: string;
  readonly apiVersion: string;
  readonly storedApiVersion: string;
  /** Of a version that the definition has, by name. */
  readonly codecOf: (version: string) => CustomCodec | undefined;
  readonly converter: Converter;
  /** The type of any version that the definition has, by name. */
  readonly structOf: (version: string) => StructNode | undefined;
  readonly struct: () => StructNode;
  /** Fields that selectors may name, with their values in an object of this version. */
  readonly selectable?: ((object: KubeObject) => Readonly<Record<string, string>>) | undefined;
}

export class StoredForm {
  readonly #deps: StoredFormDeps;
  /** What a webhook made of cached states. */
  readonly #converted = new WeakMap<object, KubeObject>();

  constructor(deps: StoredFormDeps) {
    this.#deps = deps;
  }

  /** A stored object as this version shows it. Throws 500 when it cannot be converted. */
  async read(stored: StoredObject): Promise<StoredObject> {
    const object = stored.decoded();
    const [shown] = await this.#show([object]);
    if (shown === object) return stored;
    return new StoredObject(
      stored.key,
      encodeObject(shown!, this.#deps.struct(), stored.revision === 0),
      stored.revision,
      stored.createRevision,
    );
  }

  /** What is stored of an object of this version. */
  async write(object: Draft<KubeObject>): Promise<KubeObject> {
    const { storedApiVersion, apiVersion, converter } = this.#deps;
    if (storedApiVersion === apiVersion) return object as KubeObject;
    const [converted] = await converter.convert([object as KubeObject], storedApiVersion);
    return this.#codec(storedApiVersion).clean(converted!, { defaults: false });
  }

  /** Objects of any versions of the kind in this one, with its defaults: what admission shows of a request elsewhere. */
  async convert(objects: readonly KubeObject[]): Promise<Draft<KubeObject>[]> {
    const { apiVersion, converter } = this.#deps;
    const converted = structuredClone(await converter.convert(objects, apiVersion)) as Draft<KubeObject>[];
    for (const draft of converted) this.#codec(apiVersion).defaults(draft);
    return converted;
  }

  /** Whether versions differ by their names alone. */
  get immediate(): boolean {
    return this.#deps.converter.immediate;
  }

  /** The type of a version of the definition, served or not; undefined for any other. */
  structOf(apiVersion: string): StructNode | undefined {
    const own = parseApiVersion(this.#deps.apiVersion).group;
    const { group, version } = parseApiVersion(apiVersion);
    return group === own ? this.#deps.structOf(version) : undefined;
  }

  /** An object of any version in another one, as it is converted. Throws 500 when it cannot be. */
  async into(object: KubeObject, apiVersion: string): Promise<KubeObject> {
    const [converted] = await this.#deps.converter.convert([object], apiVersion);
    return converted!;
  }

  /** Whether labels and fields that selectors see may be others than those of the stored object. */
  get changesSelection(): boolean {
    return this.#deps.selectable !== undefined || !this.#deps.converter.immediate;
  }

  /** To be awaited before {@link show} for the same states. */
  async prepare(items: Iterable<ObjectItem>): Promise<void> {
    if (this.#deps.converter.immediate) return;
    const waiting = [...new Set(items)].filter(item => !this.#converted.has(item));
    if (waiting.length === 0) return;
    const shown = await this.#show(waiting.map(item => item.object));
    waiting.forEach((item, at) => this.#converted.set(item, deepFreeze(shown[at]!)));
  }

  /** A cached state as this version shows it; the same one when nothing differs. */
  show(item: ObjectItem): ObjectItem {
    const { id, selectable } = this.#deps;
    return item.form(`shown:${id}`, () => {
      const object = this.#converted.get(item) ?? this.#now(item.object);
      return object === item.object && !selectable ? item : new ShownItem(item, object, this.#deps);
    });
  }

  #codec(apiVersion: string): CustomCodec {
    const codec = this.#deps.codecOf(parseApiVersion(apiVersion).version);
    if (codec) return codec;
    const message = `request to convert CR from an invalid group/version: ${apiVersion}`;
    throw new StatusError({ code: 500, message });
  }

  #cleaned(object: KubeObject): KubeObject {
    return this.#codec(object.apiVersion).clean(object, { defaults: true });
  }

  #now(object: KubeObject): KubeObject {
    const { apiVersion, converter } = this.#deps;
    const cleaned = this.#cleaned(object);
    if (cleaned.apiVersion === apiVersion) return cleaned;
    return this.#codec(apiVersion).clean(converter.now(cleaned, apiVersion), { defaults: false });
  }

  async #show(objects: readonly KubeObject[]): Promise<KubeObject[]> {
    const { apiVersion, converter } = this.#deps;
    if (converter.immediate) return objects.map(object => this.#now(object));
    const cleaned = objects.map(object => this.#cleaned(object));
    const converted = await converter.convert(cleaned, apiVersion);
    return converted.map((object, at) =>
      object === cleaned[at] ? object : this.#codec(apiVersion).clean(object, { defaults: false }),
    );
  }
}

/** A cached state in another form. */
class ShownItem implements ObjectItem {
  readonly key: string;
  readonly modRevision: number;
  readonly createRevision: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly owners: readonly string[] | undefined;
  readonly object: KubeObject;
  readonly #item: ObjectItem;
  readonly #deps: StoredFormDeps;
  #fields: Readonly<Record<string, string>> | undefined;
  #bytes: Buffer | undefined;

  constructor(item: ObjectItem, object: KubeObject, deps: StoredFormDeps) {
    this.#item = item;
    this.#deps = deps;
    this.key = item.key;
    this.modRevision = item.modRevision;
    this.createRevision = item.createRevision;
    this.owners = item.owners;
    this.object = deepFreeze(object);
    this.labels = object.metadata.labels ?? {};
  }

  get fields(): Readonly<Record<string, string>> {
    return (this.#fields ??= { ...this.#item.fields, ...this.#deps.selectable?.(this.object) });
  }

  get passing(): KubeObject {
    return this.object;
  }

  get bytes(): Uint8Array {
    if (this.object === this.#item.object) return this.#item.bytes;
    return (this.#bytes ??= encodeObject(this.object, this.#deps.struct()));
  }

  form<F>(name: string, make: () => F): F {
    return this.#item.form(`${this.#deps.id}:${name}`, make);
  }
}
