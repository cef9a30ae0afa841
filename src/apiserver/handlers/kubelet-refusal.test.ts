import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isStatusError } from '#apimachinery';
import { textResponse } from '../http/message.ts';
import { checkedAnswer } from './kubelet-refusal.ts';

const about = { resource: 'pods/log', name: 'p' };

describe('what a client is told where a kubelet refuses', () => {
  it('is what the kubelet answers where it does not', async () => {
    const answer = textResponse(200, 'a line\n');
    assert.equal(await checkedAnswer(answer, about), answer);
  });

  for (const [status, reason, message] of [
    [400, 'BadRequest', 'previous terminated container "c" not found\n'],
    [404, 'NotFound', 'the server could not find the requested resource ( pods/log p)'],
    [500, 'InternalError', 'Internal error occurred: previous terminated container "c" not found\n'],
    [503, 'ServiceUnavailable', 'the server is currently unable to handle the request ( pods/log p)'],
  ] as const) {
    it(`is a Status: ${status}`, async () => {
      const answer = textResponse(status, 'previous terminated container "c" not found\n');
      await assert.rejects(checkedAnswer(answer, about), error => {
        assert.ok(isStatusError(error));
        assert.deepEqual([error.status.code, error.status.reason, error.status.message], [status, reason, message]);
        return true;
      });
    });
  }
});
