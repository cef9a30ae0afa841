import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleContext } from '../../../kind.ts';
import type { ValidatingAdmissionPolicy } from '../../../types.ts';
import { validatingAdmissionPolicyRules } from './rules.ts';

test('audit annotations without a key are duplicates of the empty one', () => {
  const auditAnnotations = [{ valueExpression: "'a'" }, { valueExpression: "'b'" }];
  const policy = { metadata: { name: 'x' }, spec: { auditAnnotations } } as unknown as ValidatingAdmissionPolicy;
  const errors = validatingAdmissionPolicyRules.validate!(policy, null, {} as RuleContext);
  const found = errors.filter(({ type }) => type === 'FieldValueDuplicate');
  assert.deepEqual(
    found.map(({ field, body }) => [field, body]),
    [['spec.auditAnnotations[1].key', 'Duplicate value: ""']],
  );
});
