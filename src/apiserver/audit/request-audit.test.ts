import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forbidden } from '#apimachinery';
import { SteppedClock, silentLogger } from '#base';
import { user } from '../authentication/user.ts';
import { requestInfo } from '../filters/request-info.ts';
import { Query, type ServerRequest, type ServerResponse, textResponse } from '../http/message.ts';
import type { AuditEventFields } from './event.ts';
import { type AuditPolicy, policyEvaluator } from './policy.ts';
import { RequestAudit } from './request-audit.ts';
import { headerText, requestUri } from './request-facts.ts';

const pods = '/api/v1/namespaces/default/pods';
const tom = user('tom', ['devs']);

function begin(
  options: { policy?: AuditPolicy; url?: string; method?: string; records?: boolean; signal?: AbortSignal } = {},
) {
  const { policy = { rules: [{ level: 'RequestResponse' }] }, url = pods, method = 'GET', records = true } = options;
  const clock = new SteppedClock();
  const events: AuditEventFields[] = [];
  const [path = '', query = ''] = url.split('?');
  const request: ServerRequest = {
    method,
    path,
    url,
    query: Query.parse(query),
    headers: { 'user-agent': 'test' },
    body: async () => new Uint8Array(),
    signal: options.signal ?? new AbortController().signal,
    remoteAddress: '::ffff:10.0.0.9',
  };
  const counts = { rejected: 0 };
  const audit = new RequestAudit(
    {
      clock,
      logger: silentLogger,
      evaluate: policyEvaluator(policy),
      metrics: { level: () => {}, event: () => {}, rejected: () => void counts.rejected++, failed: () => {} },
      backend: {
        description: 'test',
        process: each => records && events.push(...each.map(({ fields }) => fields)) > 0,
        stop: async () => {},
      },
    },
    request,
    requestInfo(method, path, request.query),
    'id',
  );
  return { audit, clock, events, counts, stages: () => events.map(({ stage }) => stage) };
}

const json = (value: unknown): ServerResponse => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: { kind: 'bytes', bytes: Buffer.from(`${JSON.stringify(value)}\n`) },
});

test('a fault of the server is a panic, and goes on to be answered', async () => {
  const { audit, events, stages } = begin();
  const fault = new TypeError('x is undefined');
  const serve = audit.follow(tom, async () => {
    throw fault;
  });
  await assert.rejects(serve, fault);
  assert.deepEqual(stages(), ['RequestReceived', 'Panic']);
  assert.deepEqual(events[1]!.responseStatus, {
    code: 500,
    status: 'Failure',
    reason: 'InternalError',
    message: "APIServer panic'd: x is undefined",
  });
});

test('a refusal is told with its Status; the object of an answer as it was sent', async () => {
  const refused = begin();
  const why = forbidden({ group: '', resource: 'pods' }, 'a', 'no');
  await assert.rejects(
    refused.audit.follow(tom, () => Promise.reject(why)),
    why,
  );
  assert.deepEqual(refused.stages(), ['RequestReceived', 'ResponseComplete']);
  assert.equal(refused.events[1]!.responseStatus?.reason, 'Forbidden');
  assert.match(refused.events[1]!.responseObject!, /^\{"kind":"Status","apiVersion":"v1"/);
  const answered = begin();
  await answered.audit.follow(tom, async () => json({ kind: 'PodList', text: '<' }));
  assert.equal(answered.events[1]!.responseObject, '{"kind":"PodList","text":"\\u003c"}');
  assert.deepEqual(answered.events[1]!.sourceIPs, ['10.0.0.9']);
});

test('texts and what is no resource show no object', async () => {
  const text = begin();
  await text.audit.follow(tom, async () => textResponse(404, '404 page not found\n'));
  assert.equal(text.events[1]!.responseObject, undefined);
  const version = begin({ url: '/version' });
  await version.audit.follow(tom, async () => json({ major: '1' }));
  assert.equal(version.events[1]!.responseObject, undefined);
});

test('an object that cannot be written costs its event the object, and nothing else', async () => {
  const { audit, events } = begin();
  const broken = (): never => {
    throw new Error('no');
  };
  const response = await audit.follow(tom, async () => {
    audit.requestObject({ metadata: { name: 'a' } } as never, broken);
    return { ...json({}), logged: { json: broken } };
  });
  assert.equal(response.status, 200);
  const last = events.at(-1)!;
  assert.deepEqual([last.stage, last.requestObject, last.responseObject], ['ResponseComplete', undefined, undefined]);
  assert.equal(last.objectRef?.name, 'a');
});

test('a request that is left out goes on without its audit', async () => {
  const { audit, events } = begin({ policy: { rules: [{ level: 'None' }] } });
  let seen: ServerRequest | undefined;
  await audit.follow(tom, async request => {
    seen = request;
    return json({});
  });
  assert.deepEqual([seen!.audit, events], [undefined, []]);
});

test('omitted stages are not told, and cannot refuse', async () => {
  const policy: AuditPolicy = { rules: [{ level: 'Metadata' }], omitStages: ['RequestReceived'] };
  const { audit, stages } = begin({ policy });
  await audit.follow(tom, async () => json({}));
  assert.deepEqual(stages(), ['ResponseComplete']);
  const strict = begin({ policy, records: false });
  assert.equal((await strict.audit.follow(tom, async () => json({}))).status, 200);
  assert.equal(strict.counts.rejected, 0);
});

test('what cannot be stored when it comes is not served', async () => {
  const { audit, counts } = begin({ records: false });
  const response = await audit.follow(tom, () => assert.fail('it was served'));
  assert.deepEqual([response.status, counts.rejected], [500, 1]);
});

test('a tunnel is told when it begins and when its connection ends', async () => {
  const gone = new AbortController();
  const { audit, stages } = begin({ url: `${pods}/a/exec`, signal: gone.signal });
  await audit.follow(tom, async () => ({ status: 101, headers: {}, body: { kind: 'hijacked' } }));
  assert.deepEqual(stages(), ['RequestReceived', 'ResponseStarted']);
  gone.abort();
  assert.deepEqual(stages(), ['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
});

test('a slow request says where its time went, a fast one does not', async () => {
  for (const ms of [500, 501]) {
    const { audit, clock, events } = begin();
    await audit.follow(tom, async () => {
      const first = audit.timer('validating-webhook');
      await clock.advance(200);
      first();
      const second = audit.timer('validating-webhook');
      await clock.advance(ms - 200);
      second();
      return json({});
    });
    const expected = {
      'apiserver.latency.k8s.io/total': '501ms',
      'apiserver.latency.k8s.io/validating-webhook': '301ms',
    };
    assert.deepEqual(events[1]!.annotations, ms > 500 ? expected : {});
  }
});

test('annotations: the first of a key stays, those of admission are qualified and told from their level on', async () => {
  const { audit, events } = begin({ policy: { rules: [{ level: 'Metadata' }] } });
  audit.annotate('authentication.k8s.io/stale-token', 'before the policy was asked');
  await audit.follow(tom, async () => {
    audit.annotateAdmission('a.io/key', '1');
    audit.annotateAdmission('a.io/key', '2');
    audit.annotateAdmission('unqualified', '3');
    audit.annotateAdmission('a.io/b/c', '4');
    audit.annotateAdmission('patch.io/p', '5', 'Request');
    audit.deprecated('1.40');
    return json({});
  });
  assert.deepEqual(events[1]!.annotations, {
    'authentication.k8s.io/stale-token': 'before the policy was asked',
    'a.io/key': '1',
    'k8s.io/deprecated': 'true',
    'k8s.io/removed-release': '1.40',
  });
});

test('the URI is written as Go writes it again', () => {
  const uri = (url: string): string => requestUri({ url } as ServerRequest);
  assert.equal(uri('/api/v1/pods?x=<y>&z=%20'), '/api/v1/pods?x=<y>&z=%20');
  assert.equal(uri("/a%2Fb/(c)'*!~"), "/a%2Fb/(c)'*!~");
  assert.equal(uri('/foo"{bar}?q'), '/foo%22%7Bbar%7D?q');
  assert.equal(headerText(Buffer.from('é').toString('latin1')), 'é');
});
