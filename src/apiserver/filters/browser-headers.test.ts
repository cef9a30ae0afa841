import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ServerRequest } from '../http/message.ts';
import { textResponse } from '../http/message.ts';
import { withBrowserHeaders } from './browser-headers.ts';

const asked = (method: string, origin?: string): ServerRequest =>
  ({ method, headers: origin === undefined ? {} : { origin } }) as unknown as ServerRequest;

describe('headers for browsers', () => {
  const reached: string[] = [];
  const entry = withBrowserHeaders(
    async ({ method }) => {
      reached.push(method);
      return textResponse(200, 'ok');
    },
    { corsAllowedOrigins: ['^https://a\\.example$'], hstsDirectives: ['max-age=60', 'preload'] },
    () => 'new-id',
  );

  it('let the pages of an allowed origin read answers', async () => {
    const { headers } = await entry(asked('GET', 'https://a.example'));
    assert.equal(headers['access-control-allow-origin'], 'https://a.example');
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.equal(headers['strict-transport-security'], 'max-age=60; preload');
  });

  it('answer its preflight before anybody is asked who they are', async () => {
    reached.length = 0;
    const { status, headers } = await entry(asked('OPTIONS', 'https://a.example'));
    assert.equal(status, 204);
    assert.equal(headers['audit-id'], 'new-id');
    assert.deepEqual(reached, []);
  });

  it('say nothing to others, who are treated as ever', async () => {
    reached.length = 0;
    for (const origin of ['https://b.example', 'https://a.example.evil', undefined]) {
      const { headers } = await entry(asked('OPTIONS', origin));
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
    assert.deepEqual(reached, ['OPTIONS', 'OPTIONS', 'OPTIONS']);
  });
});
