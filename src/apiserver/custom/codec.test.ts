import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileStructural } from '#apimachinery/schema';
import { customCodec } from './codec.ts';

const open = compileStructural({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true });
const codec = customCodec({
  group: 'example.com',
  version: 'v1',
  kind: 'Thing',
  schema: compileStructural({ type: 'object', properties: { spec: { type: 'object' } } }),
  schemaOf: version => (version === 'v2' ? open : undefined),
  preserve: false,
});

const read = (value: object): string => {
  try {
    const { object, strictErrors } = codec.read(JSON.stringify(value));
    return strictErrors.join() || Object.keys(object).join(' ');
  } catch (error) {
    return (error as Error).message;
  }
};

describe('what a custom object says that it is', () => {
  const metadata = { name: 'a' };
  const whole = { apiVersion: 'example.com/v1', kind: 'Thing', metadata };
  for (const [what, value, said] of [
    ['its kind', whole, 'apiVersion kind metadata'],
    ['no kind', { metadata }, `Object 'Kind' is missing in '{"metadata":{"name":"a"}}'`],
    [
      'no kind, and a metadata that is none',
      { kind: '', metadata: 5 },
      `Object 'Kind' is missing in '{"kind":"","metadata":5}'`,
    ],
    ['a version that is none, before all', { apiVersion: 'a/b/c' }, 'unexpected GroupVersion string: a/b/c'],
    [
      'a kind of another type',
      { ...whole, kind: 5 },
      /^couldn't get version\/kind; json parse error: .* cannot unmarshal number/,
    ],
    [
      'a version that is null',
      { ...whole, apiVersion: null },
      '.apiVersion accessor error: <nil> is of the type <nil>, expected string',
    ],
    [
      'another version, whose schema then counts',
      { ...whole, apiVersion: 'example.com/v2', more: 1 },
      'apiVersion kind metadata more',
    ],
    ['a version that there is not', { ...whole, apiVersion: 'example.com/v3', more: 1 }, 'unknown field "more"'],
  ] as const) {
    it(what, () => {
      if (typeof said === 'string') assert.equal(read(value), said);
      else assert.match(read(value), said);
    });
  }
});
