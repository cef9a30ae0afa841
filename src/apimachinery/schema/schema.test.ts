import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FieldPath } from '../field.ts';
import { deepFreeze } from '../meta.ts';
import { field, map, scalar, struct } from './build.ts';
import {
  applyDefaults,
  coerceMetadata,
  compileStructural,
  formatCheck,
  type JsonSchema,
  pruneNulls,
  pruneUnknown,
  resourceNode,
  SchemaValidator,
  validateEmbedded,
  validateListTypes,
  validateOpenAPIV3Schema,
} from './index.ts';

const objectMeta = struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', [
  field('name', scalar('string')),
  field('labels', map(scalar('string'))),
]);
const root = (spec: JsonSchema): JsonSchema => ({ type: 'object', properties: { spec } });
const object = (properties: Record<string, JsonSchema>, more: JsonSchema = {}): JsonSchema => ({
  type: 'object',
  properties,
  ...more,
});
const text = (errors: readonly { field: string; body: string }[]): string[] => errors.map(e => `${e.field}: ${e.body}`);

test('pruning drops and names what the schema does not know', () => {
  const schema = compileStructural(
    root(
      object({
        a: { type: 'string' },
        free: object({ known: object({ x: { type: 'string' } }) }, { 'x-kubernetes-preserve-unknown-fields': true }),
        map: { type: 'object', additionalProperties: object({ x: { type: 'string' } }) },
        any: { type: 'object', additionalProperties: true },
        list: { type: 'array', items: object({ x: { type: 'string' } }) },
        obj: object({}, { 'x-kubernetes-embedded-resource': true }),
      }),
    ),
  );
  const value = deepFreeze({
    apiVersion: 'v1',
    metadata: { name: 'a', odd: 1 },
    spec: {
      a: 'x',
      zz: 1,
      free: { any: { deep: 1 }, known: { x: 'a', y: 'b' } },
      map: { k: { x: 'a', y: 1 } },
      any: { k: { gone: 1 }, s: 1 },
      list: [{ x: 'a' }, { y: 1 }],
      obj: { kind: 'K', metadata: {}, zz: 1 },
    },
    status: 1,
  });
  assert.deepEqual(pruneUnknown(value, schema, true), {
    value: {
      apiVersion: 'v1',
      metadata: { name: 'a', odd: 1 },
      spec: {
        a: 'x',
        free: { any: { deep: 1 }, known: { x: 'a' } },
        map: { k: { x: 'a' } },
        any: { k: {}, s: 1 },
        list: [{ x: 'a' }, {}],
        obj: { kind: 'K', metadata: {} },
      },
    },
    unknownPaths: [
      'spec.any.k.gone',
      'spec.free.known.y',
      'spec.list[1].y',
      'spec.map.k.y',
      'spec.obj.zz',
      'spec.zz',
      'status',
    ],
  });
  const clean = deepFreeze({ spec: { a: 'x' } });
  assert.equal(pruneUnknown(clean, schema, true).value, clean);
});

test('nulls and defaults', () => {
  const schema = compileStructural(
    object({
      a: { type: 'string', default: 'd' },
      n: { type: 'string', nullable: true, default: 'd' },
      plain: { type: 'string' },
      o: object({ b: { type: 'integer', default: 1 } }, { default: {} }),
      m: { type: 'object', additionalProperties: object({ b: { type: 'integer', default: 1 } }) },
      l: { type: 'array', items: object({ b: { type: 'integer', default: 1 } }) },
    }),
  );
  const value = deepFreeze({ a: null, n: null, plain: null, m: { k: {} }, l: [{}] });
  assert.deepEqual(applyDefaults(pruneNulls(value, schema), schema), {
    a: 'd',
    n: null,
    o: { b: 1 },
    m: { k: { b: 1 } },
    l: [{ b: 1 }],
  });
});

const faults: readonly [JsonSchema, unknown, string[]][] = [
  [{ type: 'string' }, 1, ['spec.f: Invalid value: "integer": spec.f in body must be of type string: "integer"']],
  [{ type: 'string' }, null, ['spec.f: Invalid value: "null": spec.f in body must be of type string: "null"']],
  [{ type: 'string', nullable: true }, null, []],
  [{ type: 'number' }, 1, []],
  [
    { type: 'integer' },
    1.5,
    [
      'spec.f: Invalid value: "number": spec.f in body must be of type integer: "number"',
      '<nil>: Invalid value: "": Checked value must be of type integer (default format) in spec.f',
    ],
  ],
  [
    { type: 'integer', format: 'int32' },
    2147483648,
    ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.f'],
  ],
  [
    { 'x-kubernetes-int-or-string': true },
    true,
    ['spec.f: Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"'],
  ],
  [{ type: 'string', enum: ['a', 'b'] }, 'c', ['spec.f: Unsupported value: "c": supported values: "a", "b"']],
  [{ type: 'string', maxLength: 1 }, 'ab', ['spec.f: Too long: may not be more than 1 byte']],
  [
    { type: 'string', minLength: 3 },
    'ab',
    ['spec.f: Invalid value: "ab": spec.f in body should be at least 3 chars long'],
  ],
  [{ type: 'string', pattern: 'b+' }, 'ac', [`spec.f: Invalid value: "ac": spec.f in body should match 'b+'`]],
  [
    { type: 'string', format: 'date-time' },
    'x',
    ['spec.f: Invalid value: "x": spec.f in body must be of type date-time: "x"'],
  ],
  [
    { type: 'integer', minimum: 2, exclusiveMinimum: true },
    2,
    ['spec.f: Invalid value: 2: spec.f in body should be greater than 2'],
  ],
  [{ type: 'integer', maximum: 2 }, 3, ['spec.f: Invalid value: 3: spec.f in body should be less than or equal to 2']],
  [{ type: 'integer', multipleOf: 3 }, 7, ['spec.f: Invalid value: 7: spec.f in body should be a multiple of 3']],
  [
    { type: 'array', minItems: 1, items: { type: 'string' } },
    [],
    ['spec.f: Invalid value: 0: spec.f in body should have at least 1 items'],
  ],
  [
    { type: 'array', maxItems: 1, items: { type: 'string' } },
    ['a', 1],
    [
      'spec.f[1]: Invalid value: "integer": spec.f[1] in body must be of type string: "integer"',
      'spec.f: Too many: 2: must have at most 1 item',
    ],
  ],
  [object({ a: {} }, { required: ['b', 'a'] }), {}, ['spec.f.b: Required value', 'spec.f.a: Required value']],
  [
    { type: 'object', additionalProperties: { type: 'string' } },
    { a: 1 },
    ['spec.f.a: Invalid value: "integer": spec.f.a in body must be of type string: "integer"'],
  ],
  [
    { type: 'string', not: { enum: ['a'] } },
    'a',
    ['<nil>: Invalid value: "": "spec.f" must not validate the schema (not)'],
  ],
  [
    { type: 'string', allOf: [{ minLength: 3 }, { pattern: '^x' }] },
    'a',
    [
      'spec.f: Invalid value: "a": spec.f in body should be at least 3 chars long',
      `spec.f: Invalid value: "a": spec.f in body should match '^x'`,
      '<nil>: Invalid value: "": "spec.f" must validate all the schemas (allOf). None validated',
    ],
  ],
  [
    { type: 'string', oneOf: [{ minLength: 1 }, { maxLength: 9 }] },
    'a',
    ['<nil>: Invalid value: "": "spec.f" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
  ],
];

test('values are refused in upstream words', () => {
  for (const [f, value, want] of faults) {
    const validator = new SchemaValidator(root(object({ f })));
    assert.deepEqual(text(validator.validate({ spec: { f: value } })), want, JSON.stringify(f));
  }
  const status = new SchemaValidator(object({ b: { type: 'string' } })).validate(
    { b: 1 },
    { path: FieldPath.of('status') },
  );
  assert.deepEqual(text(status), ['status.b: Invalid value: "integer": b in body must be of type string: "integer"']);
});

test('what was wrong before an update and did not change is let pass', () => {
  const items = object({ k: { type: 'string' }, v: { type: 'string', maxLength: 1 } });
  const validator = new SchemaValidator(
    root(
      object({
        a: { type: 'string', maxLength: 1 },
        l: { type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'] },
      }),
    ),
  );
  const old = { spec: { a: 'long', l: [{ k: 'x', v: 'long' }] } };
  assert.deepEqual(
    validator.validate(
      {
        spec: {
          a: 'long',
          l: [
            { k: 'n', v: 'b' },
            { k: 'x', v: 'long' },
          ],
        },
      },
      { old },
    ),
    [],
  );
  assert.equal(validator.validate({ spec: { a: 'longer' } }, { old }).length, 1);
  assert.equal(validator.validate(old).length, 2);
});

test('sets and map lists are unique', () => {
  const schema = compileStructural(
    object({
      s: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
      m: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k', 'j'],
        items: object({}),
      },
    }),
  );
  const value = { s: ['a', 'a', 'a'], m: [{ k: 1, j: 2 }, { j: 2, k: 1 }, {}] };
  assert.deepEqual(text(validateListTypes(value, schema, FieldPath.of('spec'))), [
    'spec.s[1]: Duplicate value: "a"',
    'spec.m[1]: Duplicate value: {"j":2,"k":1}',
  ]);
});

test('object meta is read as the built-in type', () => {
  const schema = compileStructural(object({ e: object({}, { 'x-kubernetes-embedded-resource': true }) }));
  const options = { objectMeta, root: true };
  const read = coerceMetadata(
    { kind: 'K', metadata: { name: 'a', zoo: 1, labels: {} }, e: { metadata: { x: 1 } } },
    schema,
    options,
  );
  assert.deepEqual(read, {
    value: { kind: 'K', metadata: { name: 'a' }, e: { metadata: {} } },
    unknownPaths: ['e.metadata.x', 'metadata.zoo'],
  });
  assert.equal(
    coerceMetadata({ metadata: { name: 5 } }, schema, options).error?.body,
    'Invalid value: {"name":5}: json: cannot unmarshal number into Go struct field ObjectMeta.name of type string',
  );
  assert.deepEqual(
    coerceMetadata({ metadata: { name: 5, labels: { a: 'b' } } }, schema, { ...options, dropInvalid: true }).value,
    {
      metadata: { labels: { a: 'b' } },
    },
  );
  assert.deepEqual(
    text(validateEmbedded({ kind: 'K', apiVersion: 'v1', e: { kind: 'a/b' } }, schema, FieldPath.root, true)),
    [
      'e.apiVersion: Required value',
      `e.kind: Invalid value: "a/b": may have mixed case, but should otherwise match: a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')`,
    ],
  );
});

const badSchemas: readonly [JsonSchema, string][] = [
  [{}, 'type: Required value: must not be empty for specified object fields'],
  [{ type: 'array' }, 'items: Required value: must be specified'],
  [
    { type: 'float' },
    'type: Unsupported value: "float": supported values: "array", "boolean", "integer", "number", "object", "string"',
  ],
  [{ type: 'string', $ref: '#/x' }, '$ref: Forbidden: $ref is not supported'],
  [
    { type: 'string', pattern: '(?!a)b' },
    'pattern: Invalid value: "(?!a)b": must be a valid regular expression, but isn\'t: error parsing regexp: invalid or unsupported Perl syntax: `(?!`',
  ],
  [{ type: 'string', not: { type: 'string' } }, 'not.type: Forbidden: must be empty to be structural'],
  [{ type: 'integer', default: 'x' }, 'default: Invalid value: "string":  in body must be of type integer: "string"'],
  [
    object({ a: { type: 'string' } }, { default: { b: 1 } }),
    'default: Invalid value: {"b":1}: must not have unknown fields',
  ],
  [
    { type: 'string', 'x-kubernetes-list-type': 'set' },
    'type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
  ],
  [
    { type: 'array', items: object({}), 'x-kubernetes-list-type': 'map' },
    'x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map',
  ],
];

test('schemas are refused in upstream words', () => {
  const path = FieldPath.of('s');
  const options = { objectMeta, statusSubresource: false };
  for (const [f, want] of badSchemas) {
    const errors = text(validateOpenAPIV3Schema(root(object({ f })), path, options));
    assert.deepEqual(errors, [`s.properties[spec].properties[f].${want}`], JSON.stringify(f));
  }
  assert.deepEqual(text(validateOpenAPIV3Schema({}, path, options)), [
    's.type: Required value: must not be empty at the root',
  ]);
  assert.deepEqual(validateOpenAPIV3Schema(root(object({ a: { type: 'string', default: 'x' } })), path, options), []);
});

test('formats', () => {
  const rows: readonly [string, readonly string[], readonly string[]][] = [
    ['uri', ['http://a/b', '/a', 'mailto:x'], ['::', '', 'a']],
    ['email', ['a@b.c', 'A <a@b>'], ['a', '@b']],
    ['hostname', ['a.bc', 'a'], ['-a', 'a..b']],
    ['ipv4', ['1.2.3.4', '01.2.3.4'], ['::1', '1.2.3']],
    ['ipv6', ['::1'], ['1.2.3.4']],
    ['mac', ['00:11:22:33:44:55', '0011.2233.4455'], ['00:11']],
    ['isbn', ['0321751043', '978-0321751041'], ['1']],
    ['creditcard', ['4111 1111 1111 1111'], ['1']],
    ['rgbcolor', ['rgb(1, 2,3)'], ['rgb', 'rgb(256,0,0)']],
    ['byte', ['YQ=='], ['a$', '']],
    ['date', ['2020-02-29'], ['2020-1-1', '2021-02-29']],
    ['date-time', ['2014-12-15T19:30:20.000Z'], ['2020-01-01', '2020-01-01T24:00:00Z']],
    ['duration', ['1h', '22 ns', '3 weeks'], ['x', '3']],
    ['uuid', ['0d3b1b1c-95b5-4b3a-8d5e-5f0b5ea4d7b2'], ['123']],
  ];
  for (const [name, good, bad] of rows) {
    for (const value of good) assert.equal(formatCheck(name)?.(value), true, `${name} ${value}`);
    for (const value of bad) assert.equal(formatCheck(name)?.(value), false, `${name} ${value}`);
  }
  assert.equal(formatCheck('constructor'), undefined);
});

test('the type of a resource serves apply', () => {
  const schema = compileStructural(
    root(
      object({
        l: {
          type: 'array',
          items: object({ k: { type: 'string', default: 'd' } }),
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['k'],
        },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      }),
    ),
  );
  const node = resourceNode(schema, objectMeta);
  assert.equal(node.kind, 'struct');
  const spec = node.kind === 'struct' ? node.fields.get('spec')!.node : undefined;
  assert.equal(spec?.kind === 'struct' && spec.fields.get('free')?.node.kind, 'any');
  const l = spec?.kind === 'struct' ? spec.fields.get('l')!.node : undefined;
  assert.deepEqual(l?.kind === 'list' && [l.listType, l.listKeys], ['map', ['k']]);
});

const name = fc.constantFrom('a', 'b', '__proto__');
const leaf = fc.constantFrom(null, 1, 1.5, 'a', true);
const schemaOf = (depth: number): fc.Arbitrary<unknown> => {
  const below = depth === 0 ? fc.constant({ type: 'string' }) : schemaOf(depth - 1);
  return fc.record(
    {
      type: fc.constantFrom('object', 'array', 'string', 'integer', 'number', 'x'),
      properties: fc.dictionary(name, below, { maxKeys: 2, noNullPrototype: true }),
      items: fc.oneof(below, fc.array(below, { maxLength: 1 })),
      additionalProperties: fc.oneof(fc.boolean(), below),
      anyOf: fc.array(below, { maxLength: 2 }),
      not: below,
      default: leaf,
      nullable: fc.boolean(),
      pattern: fc.constantFrom('a', '(', '(?!x)'),
      multipleOf: fc.constantFrom(0, 2, 0.1),
      required: fc.array(name, { maxLength: 2 }),
      'x-kubernetes-list-type': fc.constantFrom('set', 'map', 'bag'),
      'x-kubernetes-embedded-resource': fc.boolean(),
      'x-kubernetes-preserve-unknown-fields': fc.boolean(),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
};

test('any schema and value give errors, not exceptions', () => {
  fc.assert(
    fc.property(schemaOf(2), fc.jsonValue({ maxDepth: 3 }), (raw, value) => {
      const compiled = compileStructural(deepFreeze(raw) as JsonSchema);
      validateOpenAPIV3Schema(raw as JsonSchema, FieldPath.of('s'), { objectMeta, statusSubresource: true });
      const coerced = coerceMetadata(value, compiled, { objectMeta, root: true, dropInvalid: true }).value;
      const whole = applyDefaults(pruneNulls(pruneUnknown(coerced, compiled, true).value, compiled), compiled);
      new SchemaValidator(raw as JsonSchema).validate(whole, { old: value });
      validateListTypes(whole, compiled, FieldPath.root);
      validateEmbedded(whole, compiled, FieldPath.root, true);
    }),
    { numRuns: 200 },
  );
});

test('numbers are held against bounds that their format cannot hold, uncut', () => {
  const validator = new SchemaValidator({ type: 'integer', format: 'int32', minimum: 1.5, multipleOf: 2147483648 }, {});
  const errors = validator.validate(1, { path: FieldPath.of('n') }).map(error => error.body);
  assert.equal(errors.length, 4);
  assert.ok(
    errors.some(body => body.endsWith('in body should be greater than or equal to 1.5')),
    errors.join('\n'),
  );
  assert.ok(
    errors.some(body => body.endsWith('in body should be a multiple of 2.147483648e+09')),
    errors.join('\n'),
  );
});

test('a default may be of any type where an int or a string stands', () => {
  const schema = { 'x-kubernetes-int-or-string': true };
  const at = { path: FieldPath.of('n') };
  assert.equal(new SchemaValidator(schema, {}).validate(true, at).length, 1);
  assert.deepEqual(new SchemaValidator(schema, { asDefault: true }).validate(true, at), []);
});

test('a list of very many wrong items is refused in time that grows with it alone', () => {
  const schema: JsonSchema = { type: 'object', properties: { a: { type: 'array', items: { type: 'string' } } } };
  const wrong = Array.from({ length: 130_000 }, () => 0);
  const errors = new SchemaValidator(schema).validate({ a: wrong });
  assert.equal(errors.length, wrong.length);
  assert.equal(errors.at(-1)?.field, 'a[129999]');
});

test('a duration of nothing but digits is as quick to refuse as any', () => {
  const validator = new SchemaValidator({ type: 'string', format: 'duration' });
  const begin = performance.now();
  assert.equal(validator.validate('1'.repeat(200_000)).length, 1);
  assert.equal(validator.validate(`${'1'.repeat(50_000)} weeks`).length, 0);
  assert.equal(validator.validate('22 ns and 3 weeks').length, 0);
  assert.ok(performance.now() - begin < 5000);
});
