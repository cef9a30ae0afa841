/**
 * Requests around custom resources: definitions with schemas and rules of chance, objects of a kind that has nearly
 * everything a schema can say, and policies with expressions.
 */
import type { Dice } from './dice.ts';
import { expressionOf } from './expressions.ts';
import { mutated, mutatedBytes } from './mutate.ts';
import { type FuzzRequest, namespace } from './requests.ts';
import { strangeText, strangeValue } from './strange-values.ts';

const group = 'fuzz.example.com';
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const policies = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';
const json = 'application/json';

const text = { type: 'string', maxLength: 200 };

/** What an object of the kind may hold. */
const spec = {
  type: 'object',
  properties: {
    text: { ...text, pattern: '^[a-z]*$', default: 'd' },
    number: { type: 'integer', format: 'int32', minimum: 0, maximum: 100, multipleOf: 2 },
    list: { type: 'array', maxItems: 50, items: { type: 'integer' }, 'x-kubernetes-list-type': 'set' },
    keyed: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      items: { type: 'object', required: ['name'], properties: { name: text, value: { ...text, nullable: true } } },
    },
    map: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 20 },
    either: { 'x-kubernetes-int-or-string': true },
    choice: { type: 'string', enum: ['a', 'b'] },
    when: { type: 'string', format: 'date-time' },
    anything: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    object: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    nested: { type: 'object', properties: { text, nested: { type: 'object', properties: { text } } } },
  },
  'x-kubernetes-validations': [
    {
      rule: "!has(self.choice) || self.choice != 'b' || self.list.all(x, x > 0)",
      messageExpression: "'no ' + self.text",
    },
    {
      rule: '!has(oldSelf.number) || self.number >= oldSelf.number',
      reason: 'FieldValueForbidden',
      fieldPath: '.number',
    },
  ],
};

function definition(plural: string, schema: unknown): object {
  const kind = plural.slice(0, 1).toUpperCase() + plural.slice(1, -1);
  const version = (name: string, storage: boolean): object => ({
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: { type: 'object', properties: { spec: schema, status: { type: 'object' } } } },
    subresources: { status: {}, scale: { specReplicasPath: '.spec.number', statusReplicasPath: '.status.number' } },
    additionalPrinterColumns: [{ name: 'Text', type: 'string', jsonPath: '.spec.text' }],
    selectableFields: [{ jsonPath: '.spec.choice' }],
  });
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural, kind },
      versions: [version('v1', true), version('v2', false)],
    },
  };
}

/** The definition of the kind that requests are about; made once on a server, before all else. */
export const gadgets: object = definition('gadgets', spec);

const sample = {
  spec: {
    text: 'abc',
    number: 4,
    list: [1, 2],
    keyed: [{ name: 'a', value: 'x' }, { name: 'b' }],
    map: { a: 'b' },
    either: '5%',
    choice: 'a',
    when: '2026-01-01T00:00:00Z',
    anything: { deep: [{ er: 1 }] },
    object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'inner' }, data: { a: 'b' } },
    nested: { text: 'n', nested: { text: 'm' } },
  },
};

function schemaOf(dice: Dice): object {
  const rules = Array.from({ length: dice.below(3) }, () => ({
    rule: expressionOf(dice, 4),
    ...(dice.chance(0.3) && { messageExpression: expressionOf(dice, 3) }),
  }));
  const whole = { ...spec, 'x-kubernetes-validations': rules };
  return dice.chance(0.5) ? mutated(whole, dice, 'x') : whole;
}

function send(method: string, path: string, type: string, body: Buffer, dice: Dice): FuzzRequest {
  const headers: Record<string, string> = {
    accept: dice.pick([json, json, 'application/yaml', `${json};as=Table;v=v1;g=meta.k8s.io`]),
    'content-type': type,
    ...(dice.chance(0.1) && { 'accept-encoding': dice.pick(['gzip', 'gzip;q=0', 'br, gzip', '*', '\u00ff']) }),
    ...(dice.chance(0.05) && { 'content-encoding': dice.pick(['gzip', 'deflate', 'identity', 'x']) }),
  };
  const query: Array<[string, string]> = [];
  if (dice.chance(0.3)) query.push(['fieldValidation', dice.pick(['Strict', 'Warn', 'Ignore'])]);
  if (dice.chance(0.2)) query.push(['dryRun', 'All']);
  if (dice.chance(0.2)) query.push(['fieldSelector', dice.pick(['spec.choice=a', 'spec.text=a', 'spec.choice!=,'])]);
  if (dice.chance(0.2)) query.push(['force', 'true'], ['fieldManager', dice.pick(['m', strangeText(dice)])]);
  return { method, path, query, headers, body };
}

/** A patch whose values are far inside one another, or that grows what it is applied to. */
function deepPatch(dice: Dice): { type: string; body: Buffer } {
  const levels = dice.pick([50, 1000, 11_000]);
  if (dice.chance(0.5)) {
    const body = `{"spec":${'{"anything":'.repeat(levels)}1${'}'.repeat(levels)}}`;
    return {
      type: dice.pick(['application/merge-patch+json', 'application/apply-patch+yaml']),
      body: Buffer.from(body),
    };
  }
  const growth = Array.from({ length: dice.pick([5, 40]) }, () => ({
    op: 'copy',
    from: '/spec/anything',
    path: `/spec/anything/${dice.pick(['a', 'b', 'c'])}`,
  }));
  return { type: 'application/json-patch+json', body: Buffer.from(JSON.stringify(growth)) };
}

function objectRequest(dice: Dice): FuzzRequest {
  const version = dice.pick(['v1', 'v2']);
  const collection = `/apis/${group}/${version}/namespaces/${namespace}/gadgets`;
  const name = dice.pick(['a', 'b', 'c']);
  const one = `${collection}/${name}${dice.pick(['', '', '', '/status', '/scale', '/nothing'])}`;
  const whole = { apiVersion: `${group}/${version}`, kind: 'Gadget', metadata: { name }, ...sample };
  const object = dice.chance(0.8) ? mutated(whole, dice, name) : whole;
  const bytes = Buffer.from(JSON.stringify(object));
  const body = dice.chance(0.1) ? mutatedBytes(bytes, dice) : bytes;
  switch (dice.below(8)) {
    case 0:
      return send('GET', dice.chance(0.5) ? collection : one, json, Buffer.alloc(0), dice);
    case 1:
      return send('PUT', one, json, body, dice);
    case 2:
    case 3:
      return send(
        'PATCH',
        one,
        dice.pick(['application/merge-patch+json', 'application/apply-patch+yaml']),
        body,
        dice,
      );
    case 4: {
      const { type, body: deep } = deepPatch(dice);
      return send('PATCH', one, type, deep, dice);
    }
    case 5:
      return send('DELETE', one, json, Buffer.alloc(0), dice);
    default:
      return send('POST', collection, dice.pick([json, json, 'application/yaml', 'application/x']), body, dice);
  }
}

function policyRequest(dice: Dice): FuzzRequest {
  const name = dice.pick(['p', 'q']);
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: ['none'], apiVersions: ['*'], operations: ['*'], resources: ['*'] }],
      },
      variables: [{ name: 'v', expression: expressionOf(dice, 3) }],
      matchConditions: [{ name: 'c', expression: expressionOf(dice, 2) }],
      validations: [{ expression: expressionOf(dice, 4), message: strangeText(dice) }],
    },
  };
  return send('POST', policies, json, Buffer.from(JSON.stringify(mutated(policy, dice, name))), dice);
}

/** One request of this sort. */
export function customRequestOf(dice: Dice): FuzzRequest {
  if (dice.chance(0.6)) return objectRequest(dice);
  if (dice.chance(0.3)) return policyRequest(dice);
  const plural = dice.pick(['widgets', 'gizmos']);
  const made = definition(plural, schemaOf(dice));
  const wrong = dice.chance(0.3) ? mutated(made, dice, `${plural}.${group}`) : made;
  if (dice.chance(0.1)) (wrong as Record<string, unknown>)['spec'] = strangeValue(dice);
  const body = Buffer.from(JSON.stringify(wrong));
  const one = `${definitions}/${plural}.${group}`;
  switch (dice.below(4)) {
    case 0:
      return send('DELETE', one, json, Buffer.alloc(0), dice);
    case 1:
      return send('PATCH', one, 'application/merge-patch+json', body, dice);
    default:
      return send('POST', definitions, json, body, dice);
  }
}
