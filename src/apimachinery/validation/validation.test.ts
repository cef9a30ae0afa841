import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FieldPath } from '../field.ts';
import { formatCidr, formatIp, isValidCIDR, isValidIP, parseCidr, parseIp, warningsForIP } from './ip.ts';
import * as names from './names.ts';
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts';
import { validateDeleteOptions, validatePatchOptions } from './options.ts';

const long = 'a'.repeat(64);

test('name validators accept and refuse', () => {
  const rows: readonly [(value: string) => string[], readonly string[], readonly string[]][] = [
    [names.isDNS1123Label, ['a', '1-a'], ['', 'A', '-a', 'a.b', long]],
    [names.isDNS1123Subdomain, ['a.b', 'a'], ['', 'A', 'a..b', 'a_b']],
    [names.isDNS1035Label, ['a-1'], ['1a', 'a.b']],
    [names.isLabelKey, ['a', 'A_.-b', 'x.y/z'], ['', '/a', 'a/', 'a/b/c', 'x_y/z', long]],
    [names.isLabelValue, ['', 'a', '1.2_3-4'], ['-', 'a b', long]],
    [names.isCIdentifier, ['_a1'], ['1a', '']],
    [names.isValidPortName, ['http', 'a-1'], ['', '1', 'a--b', '-a', 'abcdefghijklmnop']],
    [names.isRelaxedEnvVarName, ['1 a'], ['', 'a=b', 'é']],
    [names.isConfigMapKey, ['a.b', '..a'.slice(2)], ['..', '.', '..a', 'a/b', '']],
    [names.isPathSegmentName, ['a b'], ['.', '..', 'a/b', 'a%b']],
    [names.isWildcardDNS1123Subdomain, ['*.a.b'], ['*', 'a.*.b']],
    [names.isValidPercent, ['10%'], ['10', '%']],
  ];
  for (const [validate, good, bad] of rows) {
    for (const value of good) assert.deepEqual(validate(value), [], `${validate.name} ${value}`);
    for (const value of bad) assert.notDeepEqual(validate(value), [], `${validate.name} ${value}`);
  }
  assert.deepEqual(names.isDNS1123Label('a.b'), ['must not contain dots']);
  assert.deepEqual(names.nameIsDNSLabel('a-', true), ['']?.slice(1));
});

test('addresses parse and print canonically', () => {
  const rows: readonly [string, string][] = [
    ['10.0.0.1', '10.0.0.1'],
    ['010.000.0.1', '10.0.0.1'],
    ['2001:DB8::1', '2001:db8::1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['fe80::', 'fe80::'],
  ];
  for (const [text, want] of rows) assert.equal(formatIp(parseIp(text)!), want, text);
  for (const text of ['', '1.2.3', '1.2.3.256', '1:2', ':1', '1::2::3', 'fe80::1%eth0', '1.2.3.4:1', '12345::']) {
    assert.equal(parseIp(text), undefined, text);
  }
  assert.equal(formatCidr(parseCidr('10.1.2.3/8')!), '10.0.0.0/8');
  assert.equal(formatCidr(parseCidr('2001:db8::5/64')!), '2001:db8::/64');
  const path = FieldPath.of('ip');
  assert.deepEqual(isValidIP(path, '10.0.0.1'), []);
  assert.equal(
    isValidIP(path, '2001:DB8::1')[0]?.body,
    'Invalid value: "2001:DB8::1": must be in canonical form ("2001:db8::1")',
  );
  assert.equal(isValidIP(path, '010.0.0.1')[0]?.body, 'Invalid value: "010.0.0.1": must not have leading 0s');
  assert.equal(
    isValidCIDR(path, '10.1.2.3/8')[0]?.body,
    'Invalid value: "10.1.2.3/8": must not have bits set beyond the prefix length',
  );
  assert.deepEqual(warningsForIP(path, '010.0.0.1'), [
    'ip: non-standard IP address "010.0.0.1" is invalid: use "10.0.0.1"',
  ]);
});

test('object meta is validated in order', () => {
  const errors = validateObjectMeta(
    {
      name: 'A',
      generateName: 'B_-',
      namespace: '',
      labels: { 'a b': 'c d' },
      finalizers: ['orphan', 'foregroundDeletion'],
      ownerReferences: [{ apiVersion: '', kind: '', name: '', uid: '' }],
      managedFields: [{ manager: 'x\u0007' }],
    },
    true,
    names.nameIsDNSSubdomain,
    FieldPath.of('metadata'),
  );
  assert.deepEqual(
    errors.map(error => error.field),
    [
      'metadata.generateName',
      'metadata.name',
      'metadata.namespace',
      'metadata.labels',
      'metadata.labels',
      'metadata.ownerReferences.apiVersion',
      'metadata.ownerReferences.kind',
      'metadata.ownerReferences.name',
      'metadata.ownerReferences.uid',
      'metadata.finalizers',
      'metadata.managedFields[0].operation',
      'metadata.managedFields[0].manager',
    ],
  );
});

test('object meta of an update keeps what is immutable', () => {
  const before = { name: 'a', namespace: 'n', uid: 'u', generation: 2, deletionTimestamp: '2026-01-01T00:00:00Z' };
  const now = { name: 'b', namespace: 'n', uid: 'u', generation: 1, finalizers: ['x/y'] };
  assert.deepEqual(
    validateObjectMetaUpdate(now, before, FieldPath.of('metadata')).map(error => `${error.field}: ${error.body}`),
    [
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x/y"}',
      'metadata.resourceVersion: Invalid value: "": must be specified for an update',
      'metadata.generation: Invalid value: 1: must not be decremented',
      'metadata.name: Invalid value: "b": field is immutable',
      'metadata.deletionTimestamp: Invalid value: null: field is immutable',
    ],
  );
});

test('options', () => {
  assert.equal(validatePatchOptions({}, true)[0]?.body, 'Required value: is required for apply patch');
  assert.equal(
    validatePatchOptions({ force: true }, false)[0]?.body,
    'Forbidden: may not be specified for non-apply patch',
  );
  assert.equal(
    validateDeleteOptions({ propagationPolicy: 'X' })[0]?.body,
    'Unsupported value: "X": supported values: "Foreground", "Background", "Orphan", "nil"',
  );
});
