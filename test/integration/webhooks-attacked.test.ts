/**
 * Webhooks of admission that hang, break off, answer garbage, 10 MB, redirects, the wrong thing or a bad patch, and
 * such with bad certificates: each has the answer that the original was seen to give, and nothing of it changes an
 * object that should not change.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Json } from '../../src/apimachinery/index.ts';
import { isStatusError, type StatusError } from '../../src/apimachinery/index.ts';
import { systemClock } from '../../src/base/index.ts';
import type { Transport } from '../../src/client/index.ts';
import { type Authority, type CertificateRequest, createAuthority } from '../../src/pki/index.ts';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';
import { type HostileWebhook, startHostileWebhook, startPlainListener } from '../support/hostile-webhook.ts';

type Kind = 'mutating' | 'validating';

/** CALL and ANSWER are how all failures of their sort begin; URL is the webhook's, UID the request's. */
const refusals: ReadonlyArray<readonly [kind: Kind, mode: string, code: number, message: string]> = [
  ['mutating', 'hang', 500, 'CALL: Post "URL/hang?timeout=1s": context deadline exceeded'],
  [
    'mutating',
    'hang-in-body',
    500,
    'CALL: unexpected error when reading response body. Please retry. Original error: context deadline exceeded',
  ],
  ['mutating', 'drop', 500, 'CALL: Post "URL/drop?timeout=1s": EOF'],
  [
    'mutating',
    'drop-in-body',
    500,
    'CALL: unexpected error when reading response body. Please retry. Original error: unexpected EOF',
  ],
  [
    'mutating',
    'not-http',
    500,
    'CALL: Post "URL/not-http?timeout=1s": net/http: HTTP/1.x transport connection broken: malformed HTTP response "nonsense"',
  ],
  [
    'mutating',
    'text',
    500,
    "CALL: couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type STRUCT",
  ],
  ['mutating', 'empty', 500, 'CALL: 0-length response with status code: 200 and content type: application/json'],
  ['mutating', 'null', 500, 'ANSWER: webhook response was absent'],
  [
    'mutating',
    'array',
    500,
    "CALL: couldn't get version/kind; json parse error: json: cannot unmarshal array into Go value of type STRUCT",
  ],
  ['mutating', 'no-kind', 500, 'ANSWER: webhook response was absent'],
  [
    'mutating',
    'wrong-kind',
    500,
    'CALL: no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
  ],
  [
    'mutating',
    'wrong-group',
    500,
    'CALL: no kind "AdmissionReview" is registered for version "example.com/v1" in scheme "pkg/runtime/scheme.go:111"',
  ],
  [
    'mutating',
    'wrong-version',
    500,
    'CALL: converting (v1beta1.AdmissionReview) to (v1.AdmissionReview): unknown conversion',
  ],
  [
    'mutating',
    'trailing-text',
    500,
    "CALL: couldn't get version/kind; json parse error: invalid character 'a' after top-level value",
  ],
  [
    'mutating',
    'wrong-type',
    500,
    'CALL: json: cannot unmarshal string into Go struct field AdmissionResponse.response.allowed of type bool',
  ],
  ['mutating', 'no-response', 500, 'ANSWER: webhook response was absent'],
  ['mutating', 'wrong-uid', 500, 'ANSWER: expected response.uid="UID", got "another"'],
  ['mutating', 'no-uid', 500, 'ANSWER: expected response.uid="UID", got ""'],
  [
    'mutating',
    'large-text',
    500,
    "CALL: couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type STRUCT",
  ],
  [
    'mutating',
    'deep-nesting',
    500,
    "CALL: couldn't get version/kind; json parse error: invalid character '[' exceeded max depth",
  ],
  ['mutating', 'redirect', 500, 'ANSWER: expected response.uid="UID", got ""'],
  ['mutating', 'redirect-loop', 500, 'CALL: Post "/redirect-loop": stopped after 10 redirects'],
  [
    'mutating',
    'redirect-plain',
    500,
    'CALL: Post "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  [
    'mutating',
    'redirect-nowhere',
    500,
    'CALL: the server responded with the status code 302 but did not return more information',
  ],
  [
    'mutating',
    'status-500',
    500,
    'CALL: an error on the server ("it broke") has prevented the request from succeeding',
  ],
  ['mutating', 'status-404', 500, 'CALL: the server could not find the requested resource'],
  ['mutating', 'status-400', 500, 'CALL: the server rejected our request for an unknown reason'],
  ['mutating', 'status-204', 500, 'CALL: 0-length response with status code: 204 and content type: application/json'],
  ['mutating', 'denied', 400, 'admission webhook "w.example.com" denied the request without explanation'],
  ['mutating', 'denied-why', 422, 'admission webhook "w.example.com" denied the request: because'],
  ['mutating', 'denied-200', 400, 'admission webhook "w.example.com" denied the request: because'],
  ['mutating', 'denied-strange', 799, 'admission webhook "w.example.com" denied the request: because'],
  ['mutating', 'patch-without-type', 500, 'ANSWER: webhook returned response.patch but not response.patchType'],
  ['mutating', 'type-without-patch', 500, 'ANSWER: webhook returned response.patchType but not response.patch'],
  ['mutating', 'patch-not-base64', 500, 'CALL: illegal base64 data at input byte 0'],
  [
    'mutating',
    'patch-not-json',
    500,
    `Internal error occurred: failed calling webhook "w.example.com": received undecodable patch in webhook response: invalid character 'o' in literal null (expecting 'u')`,
  ],
  [
    'mutating',
    'patch-no-list',
    500,
    'Internal error occurred: failed calling webhook "w.example.com": received undecodable patch in webhook response: json: cannot unmarshal object into Go value of type jsonpatch.Patch',
  ],
  ['mutating', 'patch-op', 500, 'Internal error occurred: Unexpected kind: conjure'],
  [
    'mutating',
    'patch-nowhere',
    500,
    'Internal error occurred: replace operation does not apply: doc is missing path: /data/none/deeper: missing value',
  ],
  ['mutating', 'patch-test', 500, 'Internal error occurred: testing value /data/a failed: test failed'],
  [
    'mutating',
    'patch-type',
    500,
    'Internal error occurred: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
  ],
  [
    'mutating',
    'patch-prototype',
    500,
    'Internal error occurred: add operation does not apply: doc is missing path: "/__proto__/polluted": missing value',
  ],
  [
    'mutating',
    'patch-all',
    500,
    'Internal error occurred: replace operation value must be object or array: %!w(<nil>)',
  ],
  ['validating', 'type-without-patch', 500, 'ANSWER: validating webhook may not return response.patchType'],
  ['validating', 'patch-good', 500, 'ANSWER: validating webhook may not return response.patch'],
];

const struct =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
const failed = 'Internal error occurred: failed calling webhook "w.example.com": ';
const host = '127.0.0.1';

describe('webhooks of admission under attack', () => {
  let server: TestApiServer;
  let client: Transport;
  let authority: Authority;
  let webhook: HostileWebhook;
  let count = 0;

  before(async () => {
    server = await startTestApiServer();
    client = server.transport();
    authority = await createAuthority('webhook-ca', systemClock.now());
    webhook = await startHostileWebhook(host, await leaf(authority));
    await post('/api/v1/namespaces', { metadata: { name: 'x' } });
  });

  after(async () => {
    await webhook?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  function leaf(signer: Authority, more: Partial<CertificateRequest> = {}): ReturnType<Authority['issue']> {
    const nowMs = systemClock.now();
    return signer.issue({ commonName: 'w', ipAddresses: [host], usages: ['server auth'], nowMs, ...more });
  }

  async function post(path: string, body: object): Promise<Json> {
    return (await client.request({ method: 'POST', path, body })).json();
  }

  /** Makes a ConfigMap that one webhook is asked about; answers it, or the refusal. */
  async function attempt(kind: Kind, mode: string, port: number): Promise<Json | StatusError> {
    const name = `w${count++}`;
    const type = kind === 'mutating' ? 'mutatingwebhookconfigurations' : 'validatingwebhookconfigurations';
    const path = `/apis/admissionregistration.k8s.io/v1/${type}`;
    const caBundle = Buffer.from(authority.certPem).toString('base64');
    const hook = {
      name: 'w.example.com',
      clientConfig: { url: `https://${host}:${port}/${mode}`, caBundle },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      objectSelector: { matchLabels: { asked: name } },
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      timeoutSeconds: 1,
    };
    await post(path, { metadata: { name }, webhooks: [hook] });
    try {
      return await post('/api/v1/namespaces/x/configmaps', {
        metadata: { name, labels: { asked: name } },
        data: { a: 'b' },
      });
    } catch (error) {
      if (!isStatusError(error)) throw error;
      return error;
    } finally {
      await client.request({ method: 'DELETE', path: `${path}/${name}` });
    }
  }

  function expand(text: string): string {
    const url = `https://${host}:${webhook.port}`;
    return text
      .replace(/^CALL: /, `${failed}failed to call webhook: `)
      .replace(/^ANSWER: /, `${failed}received invalid webhook response: `)
      .replace('URL', url)
      .replace('STRUCT', struct);
  }

  for (const [kind, mode, code, message] of refusals) {
    it(`${kind}, ${mode}: ${code}`, async () => {
      const answer = await attempt(kind, mode, webhook.port);
      assert.ok(isStatusError(answer), JSON.stringify(answer));
      assert.equal(answer.message.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'UID'), expand(message));
      assert.equal(answer.status.code, code);
    });
  }

  it('takes what is good, however large or strangely typed', async () => {
    const data = async (mode: string): Promise<unknown> =>
      ((await attempt('mutating', mode, webhook.port)) as { data?: unknown }).data;
    for (const mode of ['good', 'large-review', 'redirect-kept', 'type-unknown'])
      assert.deepEqual(await data(mode), { a: 'b' });
    assert.deepEqual(await data('patch-good'), { a: 'b', added: 'yes' });
  });

  it('validates what a patch has made, and lets it make no other kind', async () => {
    const invalid = await attempt('mutating', 'patch-invalid', webhook.port);
    assert.ok(isStatusError(invalid, 'Invalid'));
    assert.match(
      invalid.message,
      /data\[not\/a\/key\]: Invalid value: "not\/a\/key": a valid config key must consist of/,
    );
    const kind = await attempt('mutating', 'patch-kind', webhook.port);
    assert.ok(isStatusError(kind, 'InternalError'));
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it('believes no certificate that has ended, has not begun, is for others or of others', async () => {
    const nowMs = systemClock.now();
    const dayMs = 24 * 3600 * 1000;
    const other = await createAuthority('other-ca', nowMs);
    const verify = (port: number): string =>
      `${failed}failed to call webhook: Post "https://${host}:${port}/good?timeout=1s": tls: failed to verify certificate: x509: `;
    const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:]+Z';
    const cases: ReadonlyArray<readonly [pair: ReturnType<Authority['issue']>, why: string]> = [
      [
        leaf(authority, { nowMs: nowMs - 10 * dayMs, validityMs: dayMs }),
        `certificate has expired or is not yet valid: current time ${time} is after ${time}`,
      ],
      [
        leaf(authority, { nowMs: nowMs + 10 * dayMs }),
        `certificate has expired or is not yet valid: current time ${time} is before ${time}`,
      ],
      [leaf(other), 'certificate signed by unknown authority'],
      [
        leaf(authority, { ipAddresses: ['10.9.9.9'], dnsNames: ['other.example'] }),
        `certificate is valid for 10\\.9\\.9\\.9, not ${host}`,
      ],
      [
        leaf(authority, { ipAddresses: [] }),
        `cannot validate certificate for ${host} because it doesn't contain any IP SANs`,
      ],
    ];
    for (const [pair, why] of cases) {
      await using bad = await startHostileWebhook(host, await pair);
      const answer = await attempt('validating', 'good', bad.port);
      assert.ok(isStatusError(answer), why);
      assert.ok(answer.message.startsWith(verify(bad.port)), answer.message);
      assert.match(answer.message.slice(verify(bad.port).length), new RegExp(`^${why}$`));
    }
  });

  it('speaks TLS only', async () => {
    await using plain = await startPlainListener(host);
    const answer = await attempt('validating', 'good', plain.port);
    assert.ok(isStatusError(answer));
    assert.match(answer.message, /: http: server gave HTTP response to HTTPS client$/);
  });
});
