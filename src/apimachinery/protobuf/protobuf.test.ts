import assert from 'node:assert/strict';
import { test } from 'node:test';
import { builtinTypes } from '#api/tables';
import { InputError } from '../input-error.ts';
import type { StructNode } from '../schema/type-node.ts';
import {
  protobufListPieces,
  readEnvelope,
  readProtobuf,
  readProtobufObject,
  WatchFrameReader,
  writeProtobuf,
  writeProtobufItems,
  writeProtobufObject,
  writeWatchFrame,
} from './index.ts';

const core = (name: string): StructNode => builtinTypes.struct(`io.k8s.api.core.v1.${name}`);
const meta = (name: string): StructNode => builtinTypes.struct(`io.k8s.apimachinery.pkg.apis.meta.v1.${name}`);
const apiextensions = (name: string): StructNode =>
  builtinTypes.struct(`io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.${name}`);

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'wëb', creationTimestamp: '2026-01-02T03:04:05Z', labels: { b: '2', a: '1', ключ: 'é' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'web',
        resources: { limits: { cpu: '100m' } },
        livenessProbe: { httpGet: { port: 'http', path: `/${'x'.repeat(200)}` } },
      },
    ],
    volumes: [{ name: 'data', emptyDir: { sizeLimit: '1Gi' } }],
  },
};

const roundTrip = (value: object, node: StructNode): unknown => readProtobuf(writeProtobuf(value, node), node);

test('an object comes back as it was; pointers keep zero, structs that are always written come back empty', () => {
  const back = readProtobufObject(writeProtobufObject(pod, core('Pod')), () => core('Pod'));
  const [container] = pod.spec.containers;
  assert.deepEqual(back, {
    ...pod,
    spec: {
      ...pod.spec,
      containers: [{ ...container, livenessProbe: { httpGet: container!.livenessProbe.httpGet } }],
    },
    status: {},
  });
  assert.deepEqual(roundTrip({ metadata: { generation: 0, name: '' } }, core('ConfigMap')), { metadata: {} });
});

test('integers beyond 2^53 are exact, negative ones too', () => {
  const node = meta('ObjectMeta');
  for (const generation of [1, 127, 128, 2 ** 31, 2 ** 53 - 1, -1, -(2 ** 40), 9007199254740993n, -(2n ** 63n)]) {
    assert.deepEqual(roundTrip({ generation }, node), { generation });
  }
});

test('maps are written in the order of their bytes', () => {
  const node = core('ConfigMap');
  const a = writeProtobuf({ metadata: {}, data: { b: '', a: '', '\u{1f600}': '', '\uffff': '' } }, node);
  const b = writeProtobuf({ metadata: {}, data: { '\uffff': '', '\u{1f600}': '', a: '', b: '' } }, node);
  assert.deepEqual(a, b);
  const text = Buffer.from(a).toString('utf8');
  assert.ok(text.indexOf('\uffff') < text.indexOf('\u{1f600}'));
  const hostile = JSON.parse('{"metadata":{},"data":{"__proto__":"x"}}') as object;
  assert.deepEqual(roundTrip(hostile, node), hostile);
});

test('times, durations, numbers or names, raw JSON', () => {
  const lease = builtinTypes.struct('io.k8s.api.coordination.v1.LeaseSpec');
  const renewTime = '2026-01-02T03:04:05.000123Z';
  assert.deepEqual(roundTrip({ renewTime }, lease), { renewTime });
  assert.deepEqual(
    roundTrip({ lastTransitionTime: null, type: 'A', status: 'True', reason: '', message: '' }, meta('Condition')),
    {
      type: 'A',
      status: 'True',
      reason: '',
      message: '',
    },
  );
  for (const port of [80, 'http', 0]) {
    assert.deepEqual(roundTrip({ port }, core('TCPSocketAction')), { port });
  }
  const revision = builtinTypes.struct('io.k8s.api.apps.v1.ControllerRevision');
  const data = { spec: { replicas: 3, text: '<&>' } };
  assert.deepEqual(roundTrip({ metadata: {}, data, revision: 1 }, revision), { metadata: {}, data, revision: 1 });
});

test('every date comes back', () => {
  const node = meta('Condition');
  for (let day = -719_161; day < 2_932_896; day += 9973) {
    const lastTransitionTime = `${new Date(day * 86_400_000 + 45_296_000).toISOString().slice(0, 19)}Z`;
    const back = roundTrip({ lastTransitionTime }, node) as { lastTransitionTime: string };
    assert.equal(back.lastTransitionTime, lastTransitionTime);
  }
});

test('schemas hold a schema, a list, a truth or strings', () => {
  const node = apiextensions('JSONSchemaProps');
  const schema = {
    items: { type: 'string' },
    additionalProperties: false,
    properties: { a: { additionalProperties: { type: 'integer' } }, b: { items: [{ type: 'string' }, {}] } },
    dependencies: { a: ['b'] },
    default: [1, { x: null }],
    enum: [1, 'a'],
    maximum: 1.5,
  };
  assert.deepEqual(roundTrip(schema, node), schema);
});

test('bytes that are cut off, or lie about a length, are refused', () => {
  const node = core('Pod');
  const bytes = writeProtobuf(pod, node);
  let refused = 0;
  for (let length = 0; length < bytes.length; length++) {
    try {
      readProtobuf(bytes.subarray(0, length), node);
    } catch (error) {
      assert.ok(error instanceof InputError && error.code === 'protobuf', String(error));
      refused++;
    }
  }
  assert.ok(refused > bytes.length - 10);
  const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');
  const cases: readonly (readonly [string, string])[] = [
    ['0aff01', 'unexpected EOF'],
    ['0affffffffffffffffff01', 'proto: negative length found during unmarshaling'],
    ['0affffffffffffffffffffff01', 'proto: integer overflow'],
    ['0801', 'proto: wrong wireType = 0 for field ObjectMeta'],
    ['0a022801', 'proto: wrong wireType = 0 for field UID'],
    ['0a0442020a00', 'proto: wrong wireType = 2 for field Seconds'],
    ['00', 'proto: Pod: illegal tag 0 (wire type 0)'],
    ['0c', 'proto: Pod: wiretype end group for non-group'],
    ['7c', 'proto: Pod: wiretype end group for non-group'],
    ['7f', 'proto: illegal wireType 7'],
    ['7d0102', 'unexpected EOF'],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => readProtobuf(hex(text), node), { code: 'protobuf', message }, text);
  }
  assert.deepEqual(readProtobuf(hex('7b08017c'), node), {});
});

test('nesting is bounded', () => {
  const node = apiextensions('JSONSchemaProps');
  let bytes: Uint8Array = new Uint8Array();
  for (let depth = 0; depth < 3000; depth++) bytes = writeNot(bytes);
  assert.throws(() => readProtobuf(bytes, node), { code: 'protobuf', message: /nesting depth/ });
});

/** `not` around a schema: field 29. */
function writeNot(inner: Uint8Array): Uint8Array {
  const field = apiextensions('JSONSchemaProps').fields.get('not')!;
  const length: number[] = [];
  let rest = inner.length;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) | 128);
  length.push(rest);
  const tag = (field.number << 3) | 2;
  return Buffer.concat([Buffer.from([(tag & 127) | 128, tag >> 7, ...length]), inner]);
}

test('the envelope', () => {
  const bytes = writeProtobufObject(pod, core('Pod'));
  const { apiVersion, kind, contentType } = readEnvelope(bytes);
  assert.deepEqual([apiVersion, kind, contentType], ['v1', 'Pod', '']);
  assert.throws(() => readEnvelope(new Uint8Array()), { message: 'empty data' });
  assert.throws(() => readEnvelope(Buffer.from('{}')), {
    message: 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]',
  });
  assert.throws(() => readEnvelope(bytes.subarray(0, 4)), { message: 'empty body' });
  const wrong: readonly (readonly [hex: string, message: string])[] = [
    ['0803', 'proto: wrong wireType = 0 for field TypeMeta'],
    ['0a020803', 'proto: wrong wireType = 0 for field APIVersion'],
    ['0a0100', 'proto: TypeMeta: illegal tag 0 (wire type 0)'],
    ['1003', 'proto: wrong wireType = 0 for field Raw'],
    ['4c', 'proto: Unknown: wiretype end group for non-group'],
  ];
  for (const [hex, message] of wrong) {
    assert.throws(() => readEnvelope(Buffer.from(`6b387300${hex}`, 'hex')), { message }, hex);
  }
  assert.throws(() => readProtobufObject(bytes, () => undefined), {
    message: 'no kind "Pod" is registered for version "v1"',
  });
});

test('a list in pieces is the list', () => {
  const items = [pod, { ...pod, metadata: { name: 'b' } }];
  const metadata = { resourceVersion: '7' };
  const whole = writeProtobufObject({ apiVersion: 'v1', kind: 'PodList', metadata, items }, core('PodList'));
  const pieces = protobufListPieces({ apiVersion: 'v1', kind: 'PodList' }, writeProtobuf(metadata, meta('ListMeta')), [
    writeProtobufItems(items.slice(0, 1), core('Pod')),
    writeProtobufItems(items.slice(1), core('Pod')),
  ]);
  assert.deepEqual(Buffer.concat([...pieces]), Buffer.from(whole));
  const [, , ...rest] = protobufListPieces(
    { apiVersion: 'v1', kind: 'PodList' },
    writeProtobuf(metadata, meta('ListMeta')),
    [writeProtobufItems(items, core('Pod'))],
  );
  assert.ok(Buffer.from(whole).subarray(-Buffer.concat(rest).length).equals(Buffer.concat(rest)));
});

test('watch frames are cut however they arrive', () => {
  const object = writeProtobufObject(pod, core('Pod'));
  const stream = Buffer.concat([writeWatchFrame('ADDED', object), writeWatchFrame('DELETED', object)]);
  const reader = new WatchFrameReader();
  const events = [];
  for (let at = 0; at < stream.length; at += 100) events.push(...reader.push(stream.subarray(at, at + 100)));
  assert.deepEqual(
    events.map(event => [event.type, readEnvelope(event.object).kind]),
    [
      ['ADDED', 'Pod'],
      ['DELETED', 'Pod'],
    ],
  );
  assert.throws(() => new WatchFrameReader().push(Buffer.from('ffffffff', 'hex')), { code: 'protobuf' });
});
