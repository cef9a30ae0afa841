/**
 * Which kind a body says that it is. Upstream: apimachinery pkg/runtime/serializer/json/meta.go.
 */
import { InputError } from '../input-error.ts';
import type { FieldNode, StructNode } from '../schema/type-node.ts';
import { readJson } from './read.ts';

const field = (name: string): [string, FieldNode] => [
  name,
  { name, node: { kind: 'scalar', type: 'string' }, number: 0, nullable: false, omitEmpty: true, required: false },
];
const typeMeta: StructNode = { kind: 'struct', name: '', fields: new Map([field('apiVersion'), field('kind')]) };

/** Go's name of the nameless struct that upstream reads these two into. */
const goStruct =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

/**
 * Reads `apiVersion` and `kind` of a JSON body, empty where absent, and checks the syntax of all of it. Throws
 * InputError `json` with upstream's text.
 */
export function readTypeMeta(text: string | Uint8Array): { readonly apiVersion: string; readonly kind: string } {
  try {
    const { apiVersion = '', kind = '' } = readJson(text, typeMeta).value as { apiVersion?: string; kind?: string };
    return { apiVersion, kind };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const message = error.message.endsWith(' ') ? error.message + goStruct : error.message;
    throw new InputError('json', `couldn't get version/kind; json parse error: ${message}`);
  }
}
