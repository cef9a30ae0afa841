/**
 * The protobuf codec against protobufjs: objects of chance, of several kinds, are encoded here, read and written there
 * by a schema made from the same tables, and decoded here again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { builtinTypes } from '#api/tables';
import {
  type FieldNode,
  readProtobuf,
  type ScalarType,
  type StructNode,
  type TypeNode,
  writeProtobuf,
} from '#apimachinery';

const special = protobuf.parse(`
  syntax = "proto2";
  message Quantity { optional string string = 1; }
  message Time { optional int64 seconds = 1; optional int32 nanos = 2; }
  message Duration { optional int64 duration = 1; }
  message IntOrString { optional int64 type = 1; optional int32 intVal = 2; optional string strVal = 3; }
  message Raw { optional bytes raw = 1; }
`).root;

const scalars: Readonly<Record<ScalarType, string>> = {
  string: 'string',
  bytes: 'bytes',
  boolean: 'bool',
  int32: 'int32',
  int64: 'int64',
  double: 'double',
  quantity: 'Quantity',
  time: 'Time',
  microtime: 'Time',
  duration: 'Duration',
  intOrString: 'IntOrString',
  fieldsV1: 'Raw',
  rawExtension: 'Raw',
  json: 'Raw',
};

/** protobufjs types of structs, by names of its own making. */
class Schemas {
  readonly root: protobuf.Root = protobuf.Root.fromJSON(special.toJSON());
  readonly #names = new Map<StructNode, string>();

  of(node: StructNode): string {
    const known = this.#names.get(node);
    if (known) return known;
    const name = `M${this.#names.size}`;
    this.#names.set(node, name);
    const type = new protobuf.Type(name);
    this.root.add(type);
    for (const field of node.fields.values()) if (!field.embedded && field.number > 0) type.add(this.#field(field));
    for (const { number, struct } of node.embedded ?? []) {
      type.add(new protobuf.Field(`embedded${number}`, number, this.of(struct)));
    }
    return name;
  }

  #field({ name, number, node }: FieldNode): protobuf.Field | protobuf.MapField {
    if (node.kind === 'map') return new protobuf.MapField(name, number, 'string', this.#type(node.element));
    if (node.kind === 'list' && !node.wrapped) {
      const options = { packed: false };
      return new protobuf.Field(name, number, this.#type(node.element), 'repeated', undefined, options);
    }
    return new protobuf.Field(name, number, this.#type(node));
  }

  #type(node: TypeNode): string {
    if (node.kind === 'struct') return this.of(node);
    if (node.kind === 'scalar') return scalars[node.type];
    throw new TypeError(`no type for ${node.kind}`);
  }
}

const text = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 10 }));
const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
const scalarValues: Readonly<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  string: text,
  bytes: fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes).toString('base64')),
  boolean: fc.boolean(),
  int32: fc.integer(),
  int64: fc.oneof(fc.maxSafeInteger(), fc.bigInt(2n ** 53n, 2n ** 63n - 1n)),
  double: fc.double({ noNaN: true }),
  quantity: fc.constantFrom('100m', '1Gi', '0', '1500m', '1e3'),
  time: seconds.map(value => `${new Date(value * 1000).toISOString().slice(0, 19)}Z`),
  microtime: seconds.map(value => `${new Date(value * 1000).toISOString().slice(0, 19)}.000123Z`),
  duration: fc.constantFrom('0s', '1h30m0s', '1.5s'),
  intOrString: fc.oneof(fc.integer(), text),
  fieldsV1: fc.constant({ 'f:spec': {} }),
  rawExtension: fc.constant({ a: [1, 'x'] }),
  json: fc.constant([1, { x: null }]),
};

function arbitrary(node: TypeNode, depth: number): fc.Arbitrary<unknown> {
  switch (node.kind) {
    case 'scalar':
      return scalarValues[node.type];
    case 'struct':
      return structOf(node, depth - 1);
    case 'list':
      return fc.array(arbitrary(node.element, depth), { minLength: 1, maxLength: 2 });
    case 'map':
      return fc.dictionary(text, arbitrary(node.element, depth), { minKeys: 1, maxKeys: 3 });
    case 'any':
      throw new TypeError('no value');
  }
}

function structOf(node: StructNode, depth: number): fc.Arbitrary<Record<string, unknown>> {
  const fields = [...node.fields.values()].filter(
    field => field.number > 0 && (depth > 0 || field.node.kind === 'scalar'),
  );
  const entries = fields.map(field => [field.name, arbitrary(field.node, depth)] as const);
  const drawn = fc.subarray(entries, { maxLength: Math.min(6, entries.length) });
  return drawn.chain(chosen => fc.record(Object.fromEntries(chosen)));
}

for (const name of [
  'core.v1.Pod',
  'core.v1.Service',
  'apps.v1.StatefulSet',
  'core.v1.Secret',
  'networking.v1.Ingress',
]) {
  test(`${name}: protobufjs reads what we write, and we what it writes`, () => {
    const node = builtinTypes.struct(`io.k8s.api.${name}`);
    const schemas = new Schemas();
    const type = schemas.root.lookupType(schemas.of(node));
    fc.assert(
      fc.property(structOf(node, 5), object => {
        const bytes = writeProtobuf(object, node);
        const ours = readProtobuf(bytes, node);
        const theirs = type.encode(type.decode(bytes)).finish();
        assert.deepEqual(readProtobuf(theirs, node), ours);
        assert.deepEqual(writeProtobuf(ours, node), bytes);
      }),
      { numRuns: 150 },
    );
  });
}
