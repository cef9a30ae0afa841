/**
 * How objects of a custom kind are read: free JSON, whose object metas become what the built-in type holds and from
 * which fields that the schema does not know are taken. Upstream: apiextensions-apiserver
 * pkg/apiserver/customresource_handler.go (schemaCoercingDecoder, unstructuredSchemaCoercer, unstructuredDefaulter).
 */
import { builtinTypes } from '#api/tables';
import {
  anyNode,
  type Draft,
  InputError,
  type KubeObject,
  parseApiVersion,
  readJson,
  readTypeMeta,
} from '#apimachinery';
import {
  applyDefaults,
  coerceMetadata,
  pruneNulls,
  pruneUnknown,
  type Structural,
  schemasWithin,
} from '#apimachinery/schema';

export interface CustomCodec {
  /**
   * Reads a body, or any text of the kind, that is JSON. `strictErrors` holds duplicates and unknown fields. Throws
   * InputError.
   */
  read(text: string | Uint8Array): { object: Draft<KubeObject>; strictErrors: string[] };
  /** The same for a value at hand. `nulls`: those that the schema does not allow stay, and are refused later. */
  accept(
    value: unknown,
    options?: { readonly nulls?: boolean },
  ): { object: Draft<KubeObject>; unknown: readonly string[] };
  defaults(draft: Draft<KubeObject>): void;
  /**
   * An object of this version that was stored, or made by a conversion, as this version shows it. The same object when
   * there is nothing to change; nothing is changed in place.
   */
  clean(object: KubeObject, options: { readonly defaults: boolean }): KubeObject;
}

export interface CodecFacts {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly schema: Structural | undefined;
  /** Of another version of the definition; undefined: there is none such. */
  schemaOf(version: string): Structural | undefined;
  /** The definition keeps what its schema does not know. */
  readonly preserve: boolean;
}

const objectMeta = () => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

export function customCodec(facts: CodecFacts): CustomCodec {
  const { schema, preserve } = facts;
  const embeds = schema !== undefined && schemasWithin(schema).some(part => part.embeddedResource);
  const accept = (
    value: unknown,
    options: { readonly nulls?: boolean } = {},
  ): { object: Draft<KubeObject>; unknown: readonly string[] } => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new InputError('json', 'json: cannot unmarshal into Go value of type map[string]interface {}');
    }
    const own = schemaFor(value as KubeObject, facts);
    const coerced = coerceMetadata(value, own === 'other' ? emptySchema : own, {
      objectMeta: objectMeta(),
      root: true,
    });
    if (coerced.error) {
      throw new InputError('json', coerced.rootFault ?? `${coerced.error.field}: ${coerced.error.body}`);
    }
    if (preserve || own === 'other') return { object: plain(coerced.value), unknown: coerced.unknownPaths };
    const pruned = pruneUnknown(coerced.value, own, true);
    const full = options.nulls ? pruned.value : pruneNulls(pruned.value, own);
    // Upstream tells of the object's own metadata, of what it prunes, then of the metadata of embedded objects.
    const isOwn = (path: string): boolean => path.startsWith('metadata.');
    const [mine = [], embedded = []] = [
      coerced.unknownPaths.filter(isOwn),
      coerced.unknownPaths.filter(path => !isOwn(path)),
    ];
    return { object: plain(full), unknown: [...mine, ...pruned.unknownPaths, ...embedded] };
  };
  return {
    accept,
    read(text) {
      const source = typeof text === 'string' ? text : Buffer.from(text).toString();
      const { value, strictErrors } = readJson(source, anyNode);
      checkClaims(value, source);
      const { object, unknown } = accept(value);
      return {
        object,
        strictErrors: [...strictErrors, ...unknown.map(path => `unknown field ${JSON.stringify(path)}`)],
      };
    },
    defaults(draft) {
      if (!schema || schemaFor(draft as KubeObject, facts) !== schema) return;
      const filled = applyDefaults(draft, schema) as Record<string, unknown>;
      for (const key of Object.keys(draft)) if (!Object.hasOwn(filled, key)) delete draft[key];
      Object.assign(draft, filled);
    },
    clean(object, { defaults }) {
      let value: unknown = object;
      if (!preserve) value = pruneNulls(pruneUnknown(value, schema, true).value, schema);
      if (embeds) {
        const options = { objectMeta: objectMeta(), root: false, dropInvalid: true };
        value = coerceMetadata(value, schema, options).value;
      }
      if (defaults && schema) value = applyDefaults(value, schema);
      const shown = value as KubeObject;
      return shown.metadata.generation === undefined
        ? { ...shown, metadata: { ...shown.metadata, generation: 1 } }
        : shown;
    },
  };
}

/** Throws for what does not say what it is. `text`: the whole as JSON. */
function checkClaims(value: unknown, text: string): void {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
  const { apiVersion = '', kind = '' } = value as Readonly<Record<string, unknown>>;
  if ((typeof apiVersion !== 'string' && apiVersion !== null) || (typeof kind !== 'string' && kind !== null)) {
    readTypeMeta(text);
  }
  try {
    parseApiVersion((apiVersion ?? '') as string);
  } catch (error) {
    throw new InputError('json', (error as Error).message);
  }
  if (!kind) throw new InputError('json', `Object 'Kind' is missing in '${text}'`);
  if (apiVersion === null) {
    throw new InputError('json', '.apiVersion accessor error: <nil> is of the type <nil>, expected string');
  }
}

/** A schema that says nothing. */
const emptySchema: Structural = {
  raw: {},
  type: '',
  nullable: false,
  default: undefined,
  properties: new Map(),
  items: undefined,
  additional: undefined,
  preserveUnknown: false,
  embeddedResource: false,
  intOrString: false,
  listType: undefined,
  listMapKeys: [],
  mapType: undefined,
};

/** The schema that an object is held against: none for what is of this kind in a version that is not this one's. */
function schemaFor(object: KubeObject, facts: CodecFacts): Structural | undefined | 'other' {
  const { apiVersion = '', kind = '' } = object;
  const { group, version } = parseApiVersion(typeof apiVersion === 'string' ? apiVersion : '');
  if (group !== facts.group || kind !== facts.kind) return 'other';
  if (version !== facts.version) return facts.schemaOf(version) ?? emptySchema;
  return facts.schema ?? emptySchema;
}

/** A copy that nobody shares, with a metadata. */
function plain(value: unknown): Draft<KubeObject> {
  const object = structuredClone(value) as Draft<KubeObject>;
  object.metadata ??= {};
  return object;
}
