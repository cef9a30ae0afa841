import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { typeCheckingWarnings } from '#api/expressions';
import type { CustomResourceDefinition, ValidatingAdmissionPolicy } from '#api/types';
import { typeSource } from './validating-admission-policy-status.ts';

const widgets = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        },
      },
    ],
  },
} as unknown as CustomResourceDefinition;

interface Case {
  readonly rules?: readonly object[];
  readonly more?: object;
}

const rule = (group: string, version: string, ...resources: string[]) => ({
  apiGroups: [group],
  apiVersions: [version],
  operations: ['*'],
  resources,
});

function warnings(expression: string, { rules = [rule('apps', 'v1', 'deployments')], more = {} }: Case = {}): string[] {
  const policy = {
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: rules }, validations: [{ expression }], ...more },
  } as unknown as ValidatingAdmissionPolicy;
  const found = typeCheckingWarnings(policy, typeSource([widgets]), () => 7);
  return found.map(({ fieldRef, warning }) => `${fieldRef}: ${warning}`);
}

describe('types of what a policy matches', () => {
  it('have nothing against what is right', () => {
    for (const expression of [
      'object.spec.replicas > 1',
      'object.spec.template.spec.containers.all(c, c.image.startsWith("a"))',
      'object.metadata.creationTimestamp < timestamp("2030-01-01T00:00:00Z")',
      'object.spec.strategy.rollingUpdate.maxSurge == "25%" || object.spec.strategy.rollingUpdate.maxSurge == 1',
      'oldObject == null || has(oldObject.metadata.labels.x)',
      'request.userInfo.username == "a" && namespaceObject.metadata.name == "b"',
      'authorizer.group("").resource("pods").check("get").allowed()',
    ]) {
      assert.deepEqual(warnings(expression), [], expression);
    }
  });

  it('warn of fields and operands that there are not', () => {
    assert.deepEqual(warnings('object.foo == 1'), [
      "spec.validations[0].expression: apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'foo'\n | object.foo == 1\n | ......^\n",
    ]);
    assert.match(
      warnings('object.spec.replicas == "1"')[0]!,
      /Kind=Deployment: ERROR: <input>:1:22: found no matching overload for '_==_' applied to '\(int, string\)'/,
    );
    assert.deepEqual(warnings('object.spec.replicas'), [], 'what an expression gives is not checked here');
  });

  it('warn for each kind by itself, in order', () => {
    const rules = [rule('apps', 'v1', 'statefulsets', 'deployments', 'deployments/scale'), rule('', 'v1', 'pods')];
    const [warning = ''] = warnings('object.spec.replicas > 1 && object.spec.paused', { rules });
    assert.deepEqual(
      warning.split('\n').filter(line => line.includes('Kind=')),
      [
        "spec.validations[0].expression: /v1, Kind=Pod: ERROR: <input>:1:12: undefined field 'replicas'",
        "apps/v1, Kind=StatefulSet: ERROR: <input>:1:40: undefined field 'paused'",
      ],
    );
  });

  it('are those of custom kinds too, of parameters and of variables', () => {
    const rules = [rule('example.com', 'v1', 'widgets')];
    assert.deepEqual(warnings('object.spec.size > 1 && object.metadata.labels.a == "b"', { rules }), []);
    assert.match(warnings('object.spec.color == "red"', { rules })[0]!, /example.com\/v1, Kind=Widget: .*'color'/);
    const paramKind = { apiVersion: 'example.com/v1', kind: 'Widget' };
    assert.deepEqual(warnings('params.spec.size == object.spec.replicas', { more: { paramKind } }), []);
    assert.match(warnings('params.spec.color == "x"', { more: { paramKind } })[0]!, /undefined field 'color'/);
    const variables = [{ name: 'size', expression: 'object.spec.replicas' }];
    assert.deepEqual(warnings('variables.size > 1', { more: { variables } }), []);
    assert.match(warnings('variables.size == "a"', { more: { variables } })[0]!, /applied to '\(int, string\)'/);
  });

  it('are not known of wildcards, and of what is not served', () => {
    for (const rules of [
      [rule('*', 'v1', 'pods')],
      [rule('', '*', 'pods')],
      [rule('', 'v1', '*')],
      [rule('x', 'v1', 'y')],
    ]) {
      assert.deepEqual(warnings('object.foo', { rules }), []);
    }
  });
});
