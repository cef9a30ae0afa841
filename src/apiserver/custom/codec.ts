/**
 * How bodies of a custom kind are read: free JSON, whose object metas become what the built-in type holds and from which
 * fields that the schema does not know are taken. Upstream: apiextensions-apiserver
 * pkg/apiserver/customresource_handler.go (schemaCoercingDecoder, unstructuredDefaulter).
 */
import { builtinTypes } from '#api/tables';
import { anyNode, type Draft, InputError, type KubeObject, readJson, readYaml } from '#apimachinery';
import { applyDefaults, coerceMetadata, pruneNulls, pruneUnknown, type Structural } from '#apimachinery/schema';

export interface CustomCodec {
  /** Reads a body, or any text of the kind. `strictErrors` holds duplicates and unknown fields. Throws InputError. */
  read(text: string | Uint8Array, yaml: boolean): { object: Draft<KubeObject>; strictErrors: string[] };
  /** The same for a value at hand. */
  accept(value: unknown): { object: Draft<KubeObject>; unknown: readonly string[] };
  defaults(draft: Draft<KubeObject>): void;
}

const objectMeta = () => builtinTypes.struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta');

/** `preserve`: the CRD keeps what its schema does not know. */
export function customCodec(schema: Structural | undefined, preserve: boolean): CustomCodec {
  const accept = (value: unknown): { object: Draft<KubeObject>; unknown: readonly string[] } => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) {
      throw new InputError('json', 'json: cannot unmarshal into Go value of type map[string]interface {}');
    }
    const coerced = coerceMetadata(value, schema, { objectMeta: objectMeta(), root: true });
    if (coerced.error) throw new InputError('json', `${coerced.error.field}: ${coerced.error.body}`);
    const metaUnknown = coerced.unknownPaths;
    if (preserve || !schema) return { object: plain(coerced.value), unknown: metaUnknown };
    const pruned = pruneUnknown(coerced.value, schema, true);
    return { object: plain(pruned.value), unknown: [...metaUnknown, ...pruned.unknownPaths] };
  };
  return {
    accept,
    read(text, yaml) {
      const source = typeof text === 'string' ? text : Buffer.from(text).toString();
      const { value, strictErrors } = yaml ? readYaml(source, anyNode) : readJson(source, anyNode);
      const { object, unknown } = accept(value);
      return {
        object,
        strictErrors: [...strictErrors, ...unknown.map(path => `unknown field ${JSON.stringify(path)}`)],
      };
    },
    defaults(draft) {
      if (!schema) return;
      const filled = applyDefaults(pruneNulls(draft, schema), schema) as Record<string, unknown>;
      for (const key of Object.keys(draft)) if (!Object.hasOwn(filled, key)) delete draft[key];
      Object.assign(draft, filled);
    },
  };
}

/** A copy that nobody shares, with a metadata. */
function plain(value: unknown): Draft<KubeObject> {
  const object = structuredClone(value) as Draft<KubeObject>;
  object.metadata ??= {};
  return object;
}
