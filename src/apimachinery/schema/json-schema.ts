/**
 * Schemas of custom resources: the JSON that a CRD carries, and the structural form that pruning, defaulting,
 * validation and apply walk. Upstream: apiextensions-apiserver pkg/apis/apiextensions/v1/types_jsonschema.go,
 * pkg/apiserver/schema/{structural,convert}.go.
 */

/** `openAPIV3Schema` of a CRD, as it stands in the object. */
export interface JsonSchema {
  readonly type?: string;
  readonly format?: string;
  readonly title?: string;
  readonly description?: string;
  readonly nullable?: boolean;
  readonly default?: unknown;
  readonly example?: unknown;
  readonly externalDocs?: unknown;
  readonly enum?: readonly unknown[];
  readonly maximum?: number;
  readonly exclusiveMaximum?: boolean;
  readonly minimum?: number;
  readonly exclusiveMinimum?: boolean;
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly maxItems?: number;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly multipleOf?: number;
  readonly maxProperties?: number;
  readonly minProperties?: number;
  readonly required?: readonly string[];
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly anyOf?: readonly JsonSchema[];
  readonly not?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>;
  readonly dependencies?: Readonly<Record<string, JsonSchema | readonly string[]>>;
  readonly additionalItems?: JsonSchema | boolean;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  readonly id?: string;
  readonly $schema?: string;
  readonly $ref?: string;
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean;
  readonly 'x-kubernetes-embedded-resource'?: boolean;
  readonly 'x-kubernetes-int-or-string'?: boolean;
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-list-type'?: string;
  readonly 'x-kubernetes-map-type'?: string;
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
}

/** A CEL rule; compiled and run elsewhere. */
export interface ValidationRule {
  readonly rule: string;
  readonly message?: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
  readonly optionalOldSelf?: boolean;
}

/** A schema made ready to be walked. Immutable; made once a CRD version. */
export interface Structural {
  readonly raw: JsonSchema;
  readonly type: string;
  readonly nullable: boolean;
  /** Undefined when there is none; a default of null counts as none, as upstream. */
  readonly default: unknown;
  readonly properties: ReadonlyMap<string, Structural>;
  readonly items: Structural | undefined;
  /** A schema, a bare true or false, or undefined when not given. */
  readonly additional: Structural | boolean | undefined;
  readonly preserveUnknown: boolean;
  readonly embeddedResource: boolean;
  readonly intOrString: boolean;
  readonly listType: string | undefined;
  readonly listMapKeys: readonly string[];
  readonly mapType: string | undefined;
}

const isObject = (value: unknown): value is JsonSchema =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The structural form of a schema. What is not structural in it (lists of items, definitions …) is left out. */
export function compileStructural(raw: JsonSchema): Structural {
  const { items, additionalProperties: additional } = raw;
  const properties = Object.entries(raw.properties ?? {}).filter(([, schema]) => isObject(schema));
  return {
    raw,
    type: raw.type ?? '',
    nullable: raw.nullable ?? false,
    default: raw.default ?? undefined,
    properties: new Map(properties.map(([name, schema]) => [name, compileStructural(schema)])),
    items: isObject(items) ? compileStructural(items) : undefined,
    additional: isObject(additional) ? compileStructural(additional) : (additional ?? undefined),
    preserveUnknown: raw['x-kubernetes-preserve-unknown-fields'] ?? false,
    embeddedResource: raw['x-kubernetes-embedded-resource'] ?? false,
    intOrString: raw['x-kubernetes-int-or-string'] ?? false,
    listType: raw['x-kubernetes-list-type'],
    listMapKeys: raw['x-kubernetes-list-map-keys'] ?? [],
    mapType: raw['x-kubernetes-map-type'],
  };
}

/** The schema and all below it. */
export function schemasWithin(schema: Structural): Structural[] {
  const { items, properties, additional } = schema;
  const below = [
    ...properties.values(),
    ...(items ? [items] : []),
    ...(typeof additional === 'object' ? [additional] : []),
  ];
  return [schema, ...below.flatMap(schemasWithin)];
}

/** The schema with type and object meta at its root, as every custom resource has them. */
export function asResourceRoot(schema: Structural): Structural {
  return schema.embeddedResource ? schema : { ...schema, embeddedResource: true };
}

/** The schema of a member: a property, or what additionalProperties say; undefined when the schema says nothing. */
export function memberSchema(schema: Structural | undefined, name: string): Structural | undefined {
  const property = schema?.properties.get(name);
  if (property !== undefined) return property;
  return typeof schema?.additional === 'object' ? schema.additional : undefined;
}

/** Fields of every object that stand beside its own. */
export const metaFields: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);
