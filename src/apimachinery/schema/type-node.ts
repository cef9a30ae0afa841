/**
 * The one description of types that codecs, patches, apply, structural checks, CEL and OpenAPI share: a tree of nodes,
 * resolved lazily. Built-in kinds come from generated tables (`#api/tables`), custom ones from their schemas.
 *
 * Worked example. Container.ports is a field `{ number: 6, merge: { strategy: 'merge', key: 'containerPort' },
 * node: { kind: 'list', listType: 'map', listKeys: ['containerPort', 'protocol'], element: <struct ContainerPort> } }`:
 * strategic merge goes by `merge`, apply by `listKeys`, protobuf by `number`.
 */

/** How a leaf looks in JSON, and in protobuf. */
export type ScalarType =
  | 'string'
  | 'bytes' // base64 in JSON
  | 'boolean'
  | 'int32'
  | 'int64'
  | 'double'
  | 'quantity' // string in JSON, message { string = 1 }
  | 'time' // RFC 3339 with seconds; message { seconds, nanos }
  | 'microtime' // RFC 3339 with six digits
  | 'duration' // Go duration string in JSON, message { int64 = 1 }
  | 'intOrString' // message { type, intVal, strVal }
  | 'fieldsV1' // any JSON object; message { bytes Raw = 1 }
  | 'rawExtension' // any JSON object; message { bytes raw = 1 }
  | 'json'; // any JSON value; message { bytes raw = 1 } (apiextensions JSON)

export type TypeNode =
  /** `goType`: name of the Go type where it is a named one, as `v1.RestartPolicy`; decoding errors show it. */
  | { readonly kind: 'scalar'; readonly type: ScalarType; readonly goType?: string }
  | StructNode
  | {
      readonly kind: 'map';
      readonly element: TypeNode;
      readonly mapType?: 'atomic' | 'granular';
      readonly goType?: string;
    }
  | ListNode
  | AnyNode;

/** Anything at all: preserve-unknown-fields without more. */
export interface AnyNode {
  readonly kind: 'any';
  /** What protobuf writes for it: the unions of apiextensions' JSONSchemaProps. Absent: protobuf cannot carry it. */
  readonly union?: {
    readonly type: 'schemaOrArray' | 'schemaOrBool' | 'schemaOrStringArray';
    readonly schema: StructNode;
  };
}

export interface StructNode {
  readonly kind: 'struct';
  /** Definition name, as `io.k8s.api.core.v1.Container`; for messages and OpenAPI. Empty for inline custom types. */
  readonly name: string;
  /** By JSON name, in the order in which Go writes them. */
  readonly fields: ReadonlyMap<string, FieldNode>;
  /** `atomic`: apply owns it whole. */
  readonly mapType?: 'atomic' | 'granular';
  /** Custom resources: fields that are not listed are kept, with this type. */
  readonly preserveUnknown?: boolean;
  /**
   * Structs that Go embeds: their fields stand among `fields` (marked `embedded`), as JSON sees them; protobuf writes
   * them as a message of their own. Volume's `hostPath` is field 1 of message VolumeSource, which is field 2 of Volume.
   */
  readonly embedded?: readonly EmbeddedStruct[];
}

/** A struct inside another one that JSON does not show; see {@link StructNode.embedded}. */
export interface EmbeddedStruct {
  /** Protobuf field number in the outer message; 0 where protobuf does not write it. */
  readonly number: number;
  readonly struct: StructNode;
}

export interface ListNode {
  readonly kind: 'list';
  readonly element: TypeNode;
  /** Absent is atomic, as upstream. */
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly listKeys?: readonly string[];
  /** Protobuf wraps the list in a message of its own, `{ repeated items = 1 }`: Verbs, ExtraValue. */
  readonly wrapped?: boolean;
  readonly goType?: string;
}

export interface FieldNode {
  readonly name: string;
  readonly node: TypeNode;
  /** Protobuf field number, in the embedded message if `embedded`; 0 for custom types and what protobuf does not write. */
  readonly number: number;
  /** The Go field is a pointer (or slice, or map): absent when unset. Otherwise protobuf writes it even when zero. */
  readonly nullable: boolean;
  /** JSON leaves it out when it has its zero value. False: Go writes it always. */
  readonly omitEmpty: boolean;
  /** Listed as required in OpenAPI. */
  readonly required: boolean;
  /** Default that OpenAPI declares; apply needs it for list keys. */
  readonly default?: unknown;
  /** Strategic merge: `merge`, `retainKeys`, `merge,retainKeys` or `replace`, and the merge key of lists of objects. */
  readonly merge?: { readonly strategy: string; readonly key?: string };
  /** The field belongs to a struct that Go embeds. */
  readonly embedded?: boolean;
}

/** Finds a definition by name. Throws a RangeError for an unknown one. */
export interface TypeRegistry {
  struct(name: string): StructNode;
}
