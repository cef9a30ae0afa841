/** The services that webhooks name. Upstream: apiserver/pkg/util/webhook/validation.go ValidateWebhookService. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FieldError, FieldPath } from '#apimachinery';
import { checkWebhookService } from './webhooks.ts';

function refusals(path: string): string[] {
  const errors: FieldError[] = [];
  checkWebhookService(errors, FieldPath.of('service'), { namespace: 'a', name: 'b', port: 443, path });
  return errors.map(({ body }) => /must start|segment\[\d+\](?:: a lowercase| may)/.exec(body)?.[0] ?? body);
}

test('the path of a service is a slash and segments that are subdomains', () => {
  assert.deepEqual(refusals('/a/b.c/'), []);
  assert.deepEqual(refusals('//'), ['segment[0] may']);
  assert.deepEqual(refusals('/a//B'), ['segment[1] may', 'segment[2]: a lowercase']);
});

test('without its slash a path loses its first byte all the same', () => {
  assert.deepEqual(refusals('a'), ['must start', 'segment[0] may']);
  assert.deepEqual(refusals('é'), ['must start', 'segment[0]: a lowercase']);
});
