import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { anyNode, field, list, map, scalar, struct } from '../schema/build.ts';
import type { AnyNode } from '../schema/type-node.ts';
import { readJson, readTypeMeta, writeJson, writeSorted } from './index.ts';

const string = scalar('string');
const meta = struct('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta', [
  field('name', string),
  field('creationTimestamp', scalar('time'), { nullable: false }),
  field('labels', map(string)),
]);
const source = struct('io.k8s.api.core.v1.EmptyDirVolumeSource', [
  field('sizeLimit', scalar('quantity'), { nullable: true }),
]);
const emptyDir = field('emptyDir', source, { embedded: true });
const volumeSource = struct('io.k8s.api.core.v1.VolumeSource', [emptyDir]);
const container = struct('io.k8s.api.core.v1.Container', [
  field('name', string, { omitEmpty: false }),
  field('command', list(string)),
  field('stdin', scalar('boolean')),
  field('limits', map(scalar('quantity'))),
]);
const spec = struct('io.k8s.api.core.v1.PodSpec', [
  field(
    'volumes',
    list(struct('io.k8s.api.core.v1.Volume', [emptyDir], { embedded: [{ number: 2, struct: volumeSource }] })),
  ),
  field('containers', list(container), { omitEmpty: false }),
  field('restartPolicy', scalar('string', 'v1.RestartPolicy')),
  field('replicas', scalar('int32'), { nullable: true }),
  field('runAsUser', scalar('int64'), { nullable: true }),
  field('port', scalar('intOrString'), { nullable: true }),
  field('data', map(scalar('bytes'))),
  field('raw', scalar('rawExtension'), { nullable: true }),
]);
const pod = struct('io.k8s.api.core.v1.Pod', [
  field('kind', string),
  field('apiVersion', string),
  field('metadata', meta, { nullable: false, omitEmpty: false }),
  field('spec', spec, { nullable: false, omitEmpty: false }),
]);

test('values are read as Go holds them', () => {
  const text = `{"metadata":{"name":"a","labels":{},"creationTimestamp":null},"spec":{"containers":[
    {"name":"x","command":[],"stdin":false,"limits":{"cpu":1,"memory":"1024Mi"}},null],
    "restartPolicy":"","replicas":0,"runAsUser":9223372036854775807,"port":80,"raw":{"b":1,"a":null},"data":{"k":"YQ==","n":null}}}`;
  assert.deepEqual(readJson(text, pod), {
    value: {
      metadata: { name: 'a', labels: {} },
      spec: {
        containers: [{ name: 'x', command: [], limits: { cpu: '1', memory: '1Gi' } }, {}],
        replicas: 0,
        runAsUser: 9223372036854775807n,
        port: 80,
        raw: { b: 1, a: null },
        data: { k: 'YQ==', n: '' },
      },
    },
    strictErrors: [],
  });
});

test('strict errors name what is unknown and what comes twice', () => {
  const rows: readonly [string, readonly string[]][] = [
    ['{"nope":{"deep":[1,{}]},"Kind":""}', ['unknown field "nope"', 'unknown field "Kind"']],
    ['{"metadata":{"nope":1,"nope":2}}', ['unknown field "metadata.nope"']],
    [
      '{"spec":{"containers":[{},{"x":1,"limits":{"a":1,"a":2}}]}}',
      ['unknown field "spec.containers[1].x"', 'duplicate field "spec.containers[1].limits.a"'],
    ],
    ['{"kind":"a","kind":"b"}', ['duplicate field "kind"']],
  ];
  for (const [text, want] of rows) assert.deepEqual(readJson(text, pod).strictErrors, want, text);
  const twice = '{"metadata":{"labels":{"a":"1"}},"metadata":{"labels":{"b":"2"}}}';
  assert.deepEqual(readJson(twice, pod).value, { metadata: { labels: { a: '1', b: '2' } } });
  assert.deepEqual(readJson('{"spec":{"n":1,"n":2}}', anyNode), {
    value: { spec: { n: 2 } },
    strictErrors: ['duplicate field "spec.n"'],
  });
});

const mismatches: readonly [string, string][] = [
  ['{"metadata":"a"}', 'string into Go struct field Pod.metadata of type v1.ObjectMeta'],
  ['{"metadata":{"labels":{"a":true}}}', 'bool into Go struct field ObjectMeta.metadata.labels of type string'],
  ['{"metadata":{"labels":["a"]}}', 'array into Go struct field ObjectMeta.metadata.labels of type map[string]string'],
  [
    '{"metadata":{"creationTimestamp":5}}',
    'number into Go struct field ObjectMeta.metadata.creationTimestamp of type string',
  ],
  ['{"spec":{"containers":{}}}', 'object into Go struct field PodSpec.spec.containers of type []v1.Container'],
  ['{"spec":{"containers":[[]]}}', 'array into Go struct field PodSpec.spec.containers of type v1.Container'],
  [
    '{"spec":{"containers":[{"command":{}}]}}',
    'object into Go struct field Container.spec.containers.command of type []string',
  ],
  ['{"spec":{"restartPolicy":7}}', 'number into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy'],
  ['{"spec":{"replicas":2147483648}}', 'number 2147483648 into Go struct field PodSpec.spec.replicas of type int32'],
  ['{"spec":{"replicas":1.0}}', 'number 1.0 into Go struct field PodSpec.spec.replicas of type int32'],
  ['{"spec":{"port":true}}', 'bool into Go struct field PodSpec.spec.port of type int32'],
  ['{"spec":{"data":{"k":1}}}', 'number into Go struct field PodSpec.spec.data of type []uint8'],
  [
    '{"spec":{"volumes":[{"emptyDir":1}]}}',
    'number into Go struct field Volume.spec.volumes.VolumeSource.emptyDir of type v1.EmptyDirVolumeSource',
  ],
  ['[]', 'array into Go value of type v1.Pod'],
];

test('type mismatches have the texts of Go', () => {
  for (const [text, want] of mismatches) {
    assert.throws(() => readJson(text, pod), { code: 'json', message: `json: cannot unmarshal ${want}` }, text);
  }
  // A parser's refusal wins over a mismatch that stands before it; the first mismatch over the second.
  assert.throws(() => readJson('{"kind":1,"metadata":{"creationTimestamp":"x"}}', pod), {
    message: /^parsing time "x"/,
  });
  assert.throws(() => readJson('{"kind":1,"apiVersion":true}', pod), { message: /number into.*\.kind of/ });
  assert.throws(() => readJson('{"spec":{"containers":[{"limits":{"cpu":"x"}}]}}', pod), {
    message: /^quantities must match/,
  });
  assert.throws(() => readJson('{"spec":{"data":{"k":"a"}}}', pod), { message: 'illegal base64 data at input byte 0' });
});

const syntax: readonly [string, string][] = [
  ['', 'unexpected end of JSON input'],
  ['{', 'unexpected end of JSON input'],
  ['{"a"', 'unexpected end of JSON input'],
  ['"a', 'unexpected end of JSON input'],
  ['nu', "invalid character ' ' in literal null (expecting 'l')"],
  ['-', "invalid character ' ' in numeric literal"],
  ['[1.', "invalid character ' ' after decimal point in numeric literal"],
  ['1e+', "invalid character ' ' in exponent of numeric literal"],
  ['"\\', "invalid character ' ' in string escape code"],
  ['"\\u00', "invalid character ' ' in \\u hexadecimal character escape"],
  ['hello', "invalid character 'h' looking for beginning of value"],
  ['{a}', "invalid character 'a' looking for beginning of object key string"],
  ['{"a" 1}', "invalid character '1' after object key"],
  ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
  ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
  ['[1 2]', "invalid character '2' after array element"],
  ['[1,]', "invalid character ']' looking for beginning of value"],
  ['{} x', "invalid character 'x' after top-level value"],
  ['"\n"', "invalid character '\\n' in string literal"],
  ['"\\x"', "invalid character 'x' in string escape code"],
  ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
  ['-a', "invalid character 'a' in numeric literal"],
  ['1.a', "invalid character 'a' after decimal point in numeric literal"],
  ['1ea', "invalid character 'a' in exponent of numeric literal"],
  ['[01]', "invalid character '1' after array element"],
  ['tru3', "invalid character '3' in literal true (expecting 'e')"],
  ['\ufeff{}', "invalid character 'ï' looking for beginning of value"],
];

test('syntax errors have the texts of Go', () => {
  for (const [text, message] of syntax) {
    assert.throws(() => readJson(text, anyNode), { code: 'json', message }, text);
    assert.throws(() => readJson(`{"x":${text}`, struct('x.v1.T', [])), { code: 'json' }, text);
  }
  const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  assert.ok(readJson(deep(1000), anyNode));
  assert.throws(() => readJson(deep(5000), anyNode), { message: "invalid character '[' exceeded max depth" });
  assert.throws(() => readJson(`{"x":${deep(100000)}}`, pod), { message: "invalid character '[' exceeded max depth" });
});

test('type meta', () => {
  assert.deepEqual(readTypeMeta('{"kind":"Pod","x":[{}]}'), { apiVersion: '', kind: 'Pod' });
  assert.throws(() => readTypeMeta('{"kind":5}'), {
    message:
      "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
  });
  assert.throws(() => readTypeMeta('"a"'), {
    message: /type struct \{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind/,
  });
});

test('the writer makes the bytes of Go', () => {
  const value = {
    spec: { containers: [{ limits: { b: '1', a: '2' } }], replicas: 0, restartPolicy: '' },
    kind: 'Pod',
    other: 1,
  };
  assert.equal(
    writeJson(value, pod),
    '{"kind":"Pod","metadata":{},"spec":{"containers":[{"name":"","limits":{"a":"2","b":"1"}}],"replicas":0}}',
  );
  assert.equal(
    writeJson({ metadata: { name: '<a&b>\u2028"\\\u0001é😀' } }, pod).slice(20, 79),
    '"\\u003ca\\u0026b\\u003e\\u2028\\"\\\\\\u0001é😀"},"spec":{"contain',
  );
  assert.equal(writeJson({}, pod), '{"metadata":{},"spec":{"containers":null}}');
  assert.equal(
    writeSorted({ b: [1.5, 1e21, -1e-7, 9007199254740993n], a: { d: null, c: true } }),
    '{"a":{"c":true,"d":null},"b":[1.5,1e+21,-1e-7,9007199254740993]}',
  );
});

/** Big integers as the doubles that JSON.parse makes of them. */
function rounded(value: unknown): unknown {
  return JSON.parse(writeSorted(value));
}

test('any JSON is read as JSON.parse reads it, and pollutes nothing', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), value => {
      const text = JSON.stringify(value);
      assert.deepEqual(rounded(readJson(text, anyNode).value), JSON.parse(text));
      assert.deepEqual(JSON.parse(writeSorted(JSON.parse(text))), JSON.parse(text));
    }),
    { numRuns: 300 },
  );
  const read = readJson('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}', anyNode)
    .value as object;
  assert.equal(Object.getPrototypeOf(read), Object.prototype);
  assert.deepEqual(Object.keys(read), ['__proto__', 'constructor']);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
  const labels = readJson('{"metadata":{"labels":{"__proto__":"x"}}}', pod).value as { metadata: { labels: object } };
  assert.deepEqual(Object.entries(labels.metadata.labels), [['__proto__', 'x']]);
});

test('what is not JSON throws InputError and nothing else', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:0123456789.eE+-truefalsn\\u ') }), text => {
      let native: unknown;
      try {
        native = JSON.parse(text);
      } catch {
        assert.throws(() => readJson(text, anyNode), { code: 'json' });
        return;
      }
      // JSON.parse reads 1e999 as infinity; Go refuses it.
      if (/e[+]?[0-9]{3}/i.test(text)) return;
      assert.deepEqual(rounded(readJson(text, anyNode).value), rounded(native));
    }),
    { numRuns: 2000 },
  );
});

test('fields are put in the order of the type, keys of maps in theirs', () => {
  const read = readJson(
    '{"spec":{"replicas":1,"containers":[]},"metadata":{"labels":{"b":"","a":""},"name":"x"},"kind":"K"}',
    pod,
  ).value;
  assert.equal(
    JSON.stringify(read),
    '{"kind":"K","metadata":{"name":"x","labels":{"a":"","b":""}},"spec":{"containers":[],"replicas":1}}',
  );
});

test('unions of schemas read themselves: leniently, and in the words of their own readers', () => {
  const fields = [field('type', string)];
  const schema = struct('io.k8s.JSONSchemaProps', fields);
  const union = (type: 'schemaOrArray' | 'schemaOrBool' | 'schemaOrStringArray') =>
    field(type, { kind: 'any', union: { type, schema } } as const);
  const node = struct('io.k8s.JSONSchemaProps', [
    ...fields,
    union('schemaOrArray'),
    union('schemaOrBool'),
    union('schemaOrStringArray'),
  ]);
  const { value, strictErrors } = readJson(
    '{"x":1,"schemaOrArray":{"type":"a","y":1},"schemaOrBool":{"type":"b","z":1},"schemaOrStringArray":["c"]}',
    node,
  );
  assert.deepEqual(value, { schemaOrArray: { type: 'a' }, schemaOrBool: { type: 'b' }, schemaOrStringArray: ['c'] });
  assert.deepEqual(strictErrors, ['unknown field "x"']);
  assert.equal((readJson('{"schemaOrBool":true}', node).value as { schemaOrBool: boolean }).schemaOrBool, true);
  assert.throws(() => readJson('{"schemaOrBool":[]}', node), { message: 'boolean or JSON schema expected' });
  assert.throws(() => readJson('{"schemaOrStringArray":[1]}', node), {
    message: 'json: cannot unmarshal number into Go struct field JSONSchemaProps.schemaOrStringArray of type string',
  });
});

test('the unions of schemas decode themselves: no strict errors, and nothing for what they do not know', () => {
  const schema = struct('io.k8s.v1.JSONSchemaProps', [field('type', string), field('maxLength', scalar('int64'))]);
  const union = (type: 'schemaOrArray' | 'schemaOrBool' | 'schemaOrStringArray'): AnyNode => ({
    kind: 'any',
    union: { type, schema },
  });
  const props = struct('io.k8s.v1.JSONSchemaProps', [
    field('items', union('schemaOrArray')),
    field('additionalProperties', union('schemaOrBool')),
    field('dependencies', map(union('schemaOrStringArray'))),
  ]);
  assert.deepEqual(readJson('{"items":{"type":"a","other":1},"additionalProperties":false,"x":1}', props), {
    value: { items: { type: 'a' }, additionalProperties: false },
    strictErrors: ['unknown field "x"'],
  });
  assert.deepEqual(readJson('{"items":5}', props).value, {});
  assert.throws(() => readJson('{"additionalProperties":5}', props), { message: 'boolean or JSON schema expected' });
  assert.throws(() => readJson('{"items":[{"maxLength":"5"}]}', props), {
    message: 'json: cannot unmarshal string into Go struct field JSONSchemaProps.items.maxLength of type int64',
  });
});

test('errors name the TypeMeta of objects in objects, and bytes that are no UTF-8', () => {
  const claim = struct('io.k8s.api.core.v1.PersistentVolumeClaim', [
    field('apiVersion', string),
    field('metadata', meta),
  ]);
  const set = struct('io.k8s.api.apps.v1.StatefulSetSpec', [field('volumeClaimTemplates', list(claim))]);
  assert.throws(() => readJson('{"volumeClaimTemplates":[{"apiVersion":5}]}', set), {
    message:
      'json: cannot unmarshal number into Go struct field PersistentVolumeClaim.volumeClaimTemplates.TypeMeta.apiVersion of type string',
  });
  assert.throws(() => readJson(Uint8Array.of(0x7b, 0xfd), set), {
    message: "invalid character 'ý' looking for beginning of object key string",
  });
});
