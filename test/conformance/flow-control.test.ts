/** Priority and fairness: its two kinds. Upstream: test/e2e/apimachinery/flowcontrol.go. */
import assert from 'node:assert/strict';
import { FlowcontrolApiserverV1Api } from '@kubernetes/client-node';
import { apiOperations, type KindUnderTest } from './support/operations.ts';
import { row, useSubject } from './support/subject.ts';

const subject = useSubject();
const kind = (name: string, resource: string): KindUnderTest => ({
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  resource,
  kind: name,
  api: FlowcontrolApiserverV1Api,
});
const condition = (status: string) => ({
  conditions: [{ type: 'Conformance', status, reason: 'Tested', message: 'by a test' }],
});

row('[sig-api-machinery] API priority and fairness should support FlowSchema API operations [Conformance]', () =>
  apiOperations(subject, kind('FlowSchema', 'flowschemas'), {
    make: index => ({
      spec: {
        matchingPrecedence: 9_000 + index,
        priorityLevelConfiguration: { name: 'global-default' },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'nobody-of-this-name' } }],
            nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
          },
        ],
      },
    }),
    status: { patch: condition('True'), replace: condition('False'), keepsMetadata: true },
    async more(operations, object) {
      const precedence = object['spec'].matchingPrecedence;
      const patched = await operations.patch(object.metadata!.name!, { spec: { matchingPrecedence: precedence + 10 } });
      assert.equal(patched['spec'].matchingPrecedence, precedence + 10);
      assert.equal(patched.metadata!.generation, object.metadata!.generation! + 1);
    },
  }),
);

row(
  '[sig-api-machinery] API priority and fairness should support PriorityLevelConfiguration API operations [Conformance]',
  () =>
    apiOperations(subject, kind('PriorityLevelConfiguration', 'prioritylevelconfigurations'), {
      make: () => ({
        spec: { type: 'Limited', limited: { nominalConcurrencyShares: 2, limitResponse: { type: 'Reject' } } },
      }),
      status: { patch: condition('True'), replace: condition('False'), keepsMetadata: true },
      async more(operations, object) {
        const spec = { limited: { nominalConcurrencyShares: 4 } };
        const patched = await operations.patch(object.metadata!.name!, { spec });
        assert.equal(patched['spec'].limited.nominalConcurrencyShares, 4);
        assert.equal(patched['spec'].limited.lendablePercent, 0);
      },
    }),
);
