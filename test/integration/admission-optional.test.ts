/** Plugins that are told what to do in the file of `--admission-control-config-file`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { Event } from '#api/types';
import { isStatusError, type KubeObject } from '#apimachinery';
import { type AdmissionControl, readAdmissionControl } from '#apiserver';
import { UserError } from '#base';
import { type Client, createClient, events, namespaces, pods, type ResourceName, serviceAccounts } from '#client';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

interface Configured extends Disposable {
  readonly path: string;
}

function configurationOf(plugin: string, configuration: object): Configured {
  const directory = mkdtempSync(join(tmpdir(), 'kobune-admission-'));
  const path = join(directory, 'admission.json');
  const kind = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AdmissionConfiguration' };
  writeFileSync(path, JSON.stringify({ ...kind, plugins: [{ name: plugin, configuration }] }));
  return { path, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

function startWith(plugin: string, configuration: object): Promise<TestApiServer> {
  using file = configurationOf(plugin, configuration);
  const admissionControl = readAdmissionControl(file.path);
  return startTestApiServer({ config: { enableAdmissionPlugins: [plugin], admissionControl } });
}

async function clientOf(server: TestApiServer): Promise<Client> {
  const client = createClient(server.transport('jane', ['system:masters']));
  await client.resource(namespaces).create({ metadata: { name: 'a' } });
  return client;
}

const rates = (...limits: object[]): object => ({
  apiVersion: 'eventratelimit.admission.k8s.io/v1alpha1',
  kind: 'Configuration',
  limits,
});

describe('EventRateLimit', () => {
  const event = (name: string, component: string): Partial<Event> => ({
    metadata: { name, namespace: 'a' },
    involvedObject: { kind: 'Pod', namespace: 'a', name: 'p' },
    source: { component },
  });

  it('refuses events of which there are too many, and says by which limits', async () => {
    // A file cannot say less than one a second; the test is not to wait for less.
    const eventLimits: AdmissionControl['eventLimits'] = [
      { type: 'User', qps: 0.001, burst: 3 },
      { type: 'SourceAndObject', qps: 0.001, burst: 1, cacheSize: 10 },
    ];
    const config = { enableAdmissionPlugins: ['EventRateLimit'], admissionControl: { eventLimits } };
    await using server = await startTestApiServer({ config });
    const client = await clientOf(server);
    const inCore = client.resource(events).namespace('a');
    const refusedWith = (message: string) => (error: unknown) => {
      assert.ok(isStatusError(error, 'TooManyRequests'), String(error));
      assert.deepEqual([error.code, error.message], [429, message]);
      return true;
    };
    const source = 'limit reached on type SourceAndObject for key onePodap';
    const user = 'limit reached on type User for key jane';
    await inCore.create(event('1', 'one'));
    await assert.rejects(inCore.create(event('2', 'one')), refusedWith(`Too many requests: ${source}`));
    await inCore.create(event('2', 'other'), { dryRun: true });
    await inCore.create(event('2', 'other'));
    await assert.rejects(inCore.create(event('3', 'one')), refusedWith(`Too many requests: [${user}, ${source}]`));
    const newer = client.resource({ ...events, group: 'events.k8s.io' } as ResourceName<KubeObject>).namespace('a');
    await newer.create({
      metadata: { name: '4', namespace: 'a' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'x.io/c',
      reportingInstance: 'i',
      action: 'a',
      reason: 'r',
      type: 'Normal',
      regarding: { kind: 'Pod', namespace: 'a', name: 'p' },
    });
  });

  it('is refused limits that cannot be', async () => {
    const wrong = rates({ type: 'Pod', qps: 0, burst: -1, cacheSize: -1 });
    await assert.rejects(startWith('EventRateLimit', wrong), (error: unknown) => {
      assert.ok(error instanceof UserError);
      assert.match(
        error.message,
        /^couldn't init admission plugin "EventRateLimit": \[limits\[0\]\.type: Unsupported value: "Pod": /,
      );
      assert.match(error.message, /limits\[0\]\.qps: Invalid value: 0: must be positive, limits\[0\]\.cacheSize: /);
      return true;
    });
    await assert.rejects(startTestApiServer({ config: { enableAdmissionPlugins: ['EventRateLimit'] } }), {
      message: 'couldn\'t init admission plugin "EventRateLimit": limits: Invalid value: null: must not be empty',
    });
  });
});

describe('ImagePolicyWebhook', () => {
  /** Lets images of `good/` be; breaks off for `broken/`. */
  async function startReviewer(): Promise<AsyncDisposable & { readonly url: string; readonly asked: unknown[] }> {
    const asked: unknown[] = [];
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const review = JSON.parse(Buffer.concat(chunks).toString()) as { spec: { containers: Array<{ image: string }> } };
      asked.push(review);
      const images = review.spec.containers.map(each => each.image);
      if (images.some(image => image.startsWith('broken/'))) return void response.writeHead(403).end('no');
      const allowed = images.every(image => image.startsWith('good/'));
      const status = { allowed, ...(!allowed && { reason: 'not ours' }), auditAnnotations: { seen: 'yes' } };
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ apiVersion: 'imagepolicy.k8s.io/v1alpha1', kind: 'ImageReview', status }));
    });
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/review`,
      asked,
      async [Symbol.asyncDispose]() {
        server.closeAllConnections();
        await new Promise(resolve => server.close(resolve));
      },
    };
  }

  const pod = (image: string, annotations: Record<string, string> = {}): object => ({
    metadata: { generateName: 'p-', annotations },
    spec: { initContainers: [{ name: 'i', image: 'good/init' }], containers: [{ name: 'c', image }] },
  });

  for (const defaultAllow of [false, true]) {
    it(`asks once about the same images; a webhook that fails lets ${defaultAllow ? 'all' : 'nothing'} in`, async () => {
      await using reviewer = await startReviewer();
      const directory = mkdtempSync(join(tmpdir(), 'kobune-images-'));
      using stack = new DisposableStack();
      stack.defer(() => rmSync(directory, { recursive: true, force: true }));
      const kubeConfigFile = join(directory, 'kubeconfig');
      const clusters = [{ name: 'w', cluster: { server: reviewer.url } }];
      const contexts = [{ name: 'w', context: { cluster: 'w', user: 'w' } }];
      writeFileSync(
        kubeConfigFile,
        JSON.stringify({ clusters, contexts, 'current-context': 'w', users: [{ name: 'w', user: {} }] }),
      );
      const imagePolicy = { kubeConfigFile, allowTTL: 50, denyTTL: 50, retryBackoff: 1, defaultAllow };
      await using server = await startWith('ImagePolicyWebhook', { imagePolicy });
      const client = await clientOf(server);
      const accounts = client.resource(serviceAccounts).namespace('a');
      await accounts.create({ metadata: { name: 'default' } });
      const made = client.resource(pods).namespace('a');
      await made.create(pod('good/x', { 'x.image-policy.k8s.io/break-glass': 'ticket', other: 'y' }) as never);
      assert.deepEqual(reviewer.asked, [
        {
          kind: 'ImageReview',
          apiVersion: 'imagepolicy.k8s.io/v1alpha1',
          metadata: {},
          spec: {
            containers: [{ image: 'good/x' }, { image: 'good/init' }],
            annotations: { 'x.image-policy.k8s.io/break-glass': 'ticket' },
            namespace: 'a',
          },
          status: { allowed: false },
        },
      ]);
      for (let i = 0; i < 2; i++) {
        await assert.rejects(made.create(pod('bad/x') as never), {
          message: /^pods "p-.{5}" is forbidden: image policy webhook backend denied one or more images: not ours$/,
        });
      }
      assert.equal(reviewer.asked.length, 2);
      const broken = made.create(pod('broken/x') as never);
      if (defaultAllow) await broken;
      else await assert.rejects(broken, error => isStatusError(error, 'Forbidden'));
    });
  }

  it('does not start without a configuration, or with times out of bounds', async () => {
    await assert.rejects(startTestApiServer({ config: { enableAdmissionPlugins: ['ImagePolicyWebhook'] } }), {
      message: 'couldn\'t init admission plugin "ImagePolicyWebhook": no config specified',
    });
    using file = configurationOf('ImagePolicyWebhook', { imagePolicy: { kubeConfigFile: '/x', allowTTL: 1801 } });
    assert.throws(() => readAdmissionControl(file.path), {
      message:
        'failed to apply admission: couldn\'t init admission plugin "ImagePolicyWebhook": valid value is between 1s and 30m0s, got 30m1s',
    });
  });
});
