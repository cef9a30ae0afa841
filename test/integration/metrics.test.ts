/** /metrics after a small load of every sort: families by upstream's names, types and labels. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startCluster, type TestCluster } from '#cluster/testing';

type Request = Parameters<TestCluster['client']['transport']['request']>[0];

/** Name, type, and labels besides `le`, as kube-apiserver v1.36.3 has them. */
const families: ReadonlyArray<readonly [name: string, type: string, labels: string]> = [
  ['apiserver_admission_controller_admission_duration_seconds', 'histogram', 'name operation rejected type'],
  ['apiserver_admission_step_admission_duration_seconds', 'histogram', 'operation rejected type'],
  ['apiserver_cel_compilation_duration_seconds', 'histogram', ''],
  ['apiserver_cel_evaluation_duration_seconds', 'histogram', ''],
  ['apiserver_current_inflight_requests', 'gauge', 'request_kind'],
  ['apiserver_current_inqueue_requests', 'gauge', 'request_kind'],
  ['apiserver_flowcontrol_current_limit_seats', 'gauge', 'priority_level'],
  ['apiserver_flowcontrol_dispatched_requests_total', 'counter', 'flow_schema priority_level'],
  ['apiserver_flowcontrol_request_execution_seconds', 'histogram', 'flow_schema priority_level type'],
  ['apiserver_flowcontrol_request_wait_duration_seconds', 'histogram', 'execute flow_schema priority_level'],
  ['apiserver_longrunning_requests', 'gauge', 'component group resource scope subresource verb version'],
  [
    'apiserver_request_duration_seconds',
    'histogram',
    'component dry_run group resource scope subresource verb version',
  ],
  ['apiserver_request_filter_duration_seconds', 'histogram', 'filter'],
  ['apiserver_request_sli_duration_seconds', 'histogram', 'component group resource scope subresource verb version'],
  ['apiserver_request_slo_duration_seconds', 'histogram', 'component group resource scope subresource verb version'],
  ['apiserver_request_total', 'counter', 'code component dry_run group resource scope subresource verb version'],
  ['apiserver_resource_objects', 'gauge', 'group resource'],
  ['apiserver_resource_size_estimate_bytes', 'gauge', 'group resource'],
  ['apiserver_response_sizes', 'histogram', 'component group resource scope subresource verb version'],
  ['apiserver_selfrequest_total', 'counter', 'group resource subresource verb'],
  ['apiserver_storage_events_received_total', 'counter', 'group resource'],
  ['apiserver_storage_list_total', 'counter', 'group resource'],
  ['apiserver_storage_objects', 'gauge', 'resource'],
  [
    'apiserver_validating_admission_policy_check_total',
    'counter',
    'enforcement_action error_type policy policy_binding',
  ],
  ['apiserver_watch_cache_events_received_total', 'counter', 'group resource'],
  ['apiserver_watch_cache_read_wait_seconds', 'histogram', 'group resource'],
  ['authorization_attempts_total', 'counter', 'result'],
  ['authorization_duration_seconds', 'histogram', 'result'],
  ['etcd_request_duration_seconds', 'histogram', 'group operation resource'],
  ['etcd_requests_total', 'counter', 'group operation resource'],
  ['apiserver_requested_deprecated_apis', 'gauge', 'group removed_release resource subresource version'],
  ['pod_security_exemptions_total', 'counter', 'request_operation resource subresource'],
  [
    'pod_security_evaluations_total',
    'counter',
    'decision mode policy_level policy_version request_operation resource subresource',
  ],
  ['registered_metrics_total', 'counter', 'deprecated_version stability_level'],
  ['rest_client_request_duration_seconds', 'histogram', 'host verb'],
  ['rest_client_requests_total', 'counter', 'code host method'],
  ['version_info', 'gauge', 'binary component emulation min_compat'],
  ['workqueue_adds_total', 'counter', 'name'],
  ['workqueue_depth', 'gauge', 'name'],
  ['workqueue_queue_duration_seconds', 'histogram', 'name'],
  ['workqueue_work_duration_seconds', 'histogram', 'name'],
];

describe('/metrics', () => {
  let cluster: TestCluster;
  let text = '';

  before(async () => {
    cluster = await startCluster();
    await load(cluster);
    text = await metricsOf(cluster);
  });
  after(() => cluster[Symbol.asyncDispose]());

  for (const [name, type, labels] of families) {
    it(`has ${name}`, () => {
      assert.match(text, new RegExp(`^# HELP ${name} (\\[|EXPERIMENTAL)`, 'm'));
      assert.match(text, new RegExp(`^# TYPE ${name} ${type}$`, 'm'));
      const line = new RegExp(`^${name}(?:_count)?(?:\\{(.*)\\})? `, 'm').exec(text);
      assert.ok(line, 'it has no series');
      const found = [...(line[1] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label);
      assert.equal(found.sort().join(' '), labels);
    });
  }

  it('is well formed, every family once', () => {
    const seen = new Set<string>();
    for (const line of text.trimEnd().split('\n')) {
      const [, name] = /^# HELP (\S+) /.exec(line) ?? [];
      if (name !== undefined) {
        assert.equal(seen.has(name), false, `${name} comes twice`);
        seen.add(name);
      } else assert.match(line, /^(# TYPE \w+ \w+|\w+(\{(\w+="([^"\\]|\\.)*",?)*\})? \S+)$/);
    }
  });
});

async function load({ client: { transport }, controlPlane }: TestCluster): Promise<void> {
  const ask = async (method: Request['method'], path: string, body?: object, headers?: Record<string, string>) =>
    (await transport.request({ method, path, ...(body && { body }), ...(headers && { headers }) })).json();
  const configMaps = '/api/v1/namespaces/default/configmaps';
  const admission = '/apis/admissionregistration.k8s.io/v1';
  await ask('POST', `${admission}/validatingadmissionpolicies`, {
    metadata: { name: 'p' },
    spec: {
      matchConstraints: {
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }],
      },
      validations: [{ expression: "!has(object.data) || !('bad' in object.data)" }],
    },
  });
  const binding = { metadata: { name: 'p' }, spec: { policyName: 'p', validationActions: ['Deny'] } };
  await ask('POST', `${admission}/validatingadmissionpolicybindings`, binding);
  await ask('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', thingDefinition);
  await ask('POST', configMaps, { metadata: { name: 'a' } });
  const merge = { 'content-type': 'application/merge-patch+json' };
  await ask('PATCH', `${configMaps}/a`, Buffer.from('{"data":{"k":"v"}}'), merge);
  await ask('GET', configMaps);
  await refused(() => ask('POST', configMaps, { metadata: { name: 'b' }, data: { bad: '1' } }));
  await refused(() => ask('POST', '/apis/example.com/v1/namespaces/default/things', thing));
  const pod = { metadata: { name: 'p' }, spec: { containers: [{ name: 'c', image: 'c' }] } };
  await ask('POST', '/api/v1/namespaces/default/pods', pod);
  const nobody = controlPlane.client({ name: 'nobody', uid: '', groups: [], extra: {} });
  await nobody.transport.request({ method: 'GET', path: configMaps }).catch(() => {});
  await ask('GET', '/api/v1/componentstatuses');
  await ask('DELETE', `${configMaps}/a`);
}

const thingDefinition = {
  metadata: { name: 'things.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing', singular: 'thing' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', 'x-kubernetes-validations': [{ rule: 'false' }] } },
          },
        },
      },
    ],
  },
};
const thing = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 't' }, spec: {} };

/** What was just made is followed before it is asked, so the refusal may take a moment to come. */
async function refused(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const outcome = await work().then(
      () => 'taken',
      error => String(error.message),
    );
    if (/denied request|failed rule/.test(outcome)) return;
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  assert.fail('it was never refused');
}

async function metricsOf({ client: { transport } }: TestCluster): Promise<string> {
  const parts: Uint8Array[] = [];
  const response = await transport.request({ method: 'GET', path: '/metrics' });
  for await (const part of response.bytes()) parts.push(part);
  return Buffer.concat(parts).toString();
}
