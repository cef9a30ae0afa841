import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeConfiguration } from '#apimachinery';
import { apiServerKinds } from './kinds.ts';

const group = 'apiserver.config.k8s.io';
const head = `apiVersion: ${group}/v1\nkind: AdmissionConfiguration\n`;
const decoded = (text: string, isLenient = false) =>
  decodeConfiguration(Buffer.from(text), apiServerKinds, { isLenient });
const typeMeta =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
const scheme = 'in scheme "pkg/runtime/scheme.go:111"';

test('files are refused in the words in which kube-apiserver v1.36 does not start', () => {
  const rows: readonly (readonly [text: string, message: string])[] = [
    ['', "Object 'Kind' is missing in ''"],
    ['# nothing\n', "Object 'Kind' is missing in '# nothing\n'"],
    [
      '- a',
      `couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type ${typeMeta}`,
    ],
    ['a: [b\n', "yaml: line 1: did not find expected ',' or ']'"],
    ['{"a":\n', "couldn't get version/kind; json parse error: unexpected end of JSON input"],
    ['{} x', "couldn't get version/kind; json parse error: invalid character 'x' after top-level value"],
    ['{"apiVersion":"a/v1"}', `Object 'Kind' is missing in '{"apiVersion":"a/v1"}'`],
    ['kind: X\n', "Object 'apiVersion' is missing in 'kind: X\n'"],
    ['apiVersion: a/b/c\nkind: X', 'unexpected GroupVersion string: a/b/c'],
    [
      'apiVersion: v1\nkind: 1',
      "couldn't get version/kind; json parse error: json: cannot unmarshal number into Go struct field .kind of type string",
    ],
    [`apiVersion: ${group}/v1\nkind: Other`, `no kind "Other" is registered for version "${group}/v1" ${scheme}`],
    [
      `apiVersion: ${group}/v9\nkind: AdmissionConfiguration`,
      `no kind "AdmissionConfiguration" is registered for version "${group}/v9" ${scheme}`,
    ],
    [`${head}foo: 1\n`, 'strict decoding error: unknown field "foo"'],
    [`${head}PLUGINS: []\n`, 'strict decoding error: unknown field "PLUGINS"'],
    [`${head}plugins:\n- name: a\n  pth: x\n`, 'strict decoding error: unknown field "plugins[0].pth"'],
    [
      `${head}foo: 1\nfoo: 2\n`,
      'strict decoding error: yaml: unmarshal errors:\n  line 4: key "foo" already set in map, unknown field "foo"',
    ],
    [
      `\n\t {"apiVersion":"${group}/v1","kind":"AdmissionConfiguration","foo":1,"kind":"AdmissionConfiguration"}`,
      'strict decoding error: unknown field "foo", duplicate field "kind"',
    ],
    [
      `${head}plugins: x\n`,
      'json: cannot unmarshal string into Go struct field AdmissionConfiguration.plugins of type []v1.AdmissionPluginConfiguration',
    ],
    [
      `${head}foo: 1\nplugins:\n- name: [1]\n`,
      'json: cannot unmarshal array into Go struct field AdmissionPluginConfiguration.plugins.name of type string',
    ],
  ];
  for (const [text, message] of rows) {
    assert.throws(() => decoded(text), { name: 'ConfigurationError', message }, JSON.stringify(text));
  }
});

test('what stands behind the first document is not read', () => {
  const { value, goType } = decoded(`\ufeff---\n${head}plugins:\n- name: a\n---\nfoo: [\n`);
  assert.deepEqual((value as { plugins: unknown }).plugins, [{ name: 'a' }]);
  assert.equal(goType, '*apiserver.AdmissionConfiguration');
});

test('a lenient reader passes over what it does not know', () => {
  assert.equal(decoded(`${head}foo: 1\n`, true).kind, 'AdmissionConfiguration');
  assert.throws(() => decoded(`${head}plugins: x\n`, true));
});

test('an error says whether the file is of no known kind', () => {
  for (const [text, isOfNoKind] of [
    ['a: b', true],
    ['apiVersion: v1\nkind: A', true],
    [`${head}foo: 1`, false],
    ['a: [', false],
  ] as const) {
    assert.throws(() => decoded(text), { isOfNoKind });
  }
});
