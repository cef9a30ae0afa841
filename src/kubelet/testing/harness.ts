/** A kubelet on the fake engine and an API server in memory, for tests of this layer. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApiServer, user } from '#apiserver';
import { type Clock, createActivity, MetricsRegistry, noFaults, seededRandom, silentLogger } from '#base';
import { type Client, createClient } from '#client';
import { createFakeEngine, type FakeEngine, type FakeEngineOptions } from '#cri/fake';
import type { TokenKeys } from '#pki';
import { createMemoryStore } from '#storage';
import type { Pod } from '../api-objects.ts';
import { defaultKubeletConfig, type KubeletConfig, type KubeletServing } from '../config.ts';
import { type Kubelet, startKubelet } from '../kubelet.ts';
import { resources } from '../resources.ts';

export interface Harness extends AsyncDisposable {
  readonly client: Client;
  readonly engine: FakeEngine;
  readonly kubelet: Kubelet;
  /** Stops the kubelet as a server stops it; containers go on. Resolves with a function that starts another. */
  stopKubelet(): Promise<() => Promise<void>>;
  readonly activity: ReturnType<typeof createActivity>;
  /** Creates a pod on the node; `spec` is filled up with what the API would default or admission set. */
  run(name: string, spec: Partial<Pod['spec']>, metadata?: Pod['metadata']): Promise<Pod>;
  /** The pod once `fits` holds; asks after every change. */
  until(name: string, fits: (pod: Pod | undefined) => boolean): Promise<Pod | undefined>;
  /** `type reason message` of the pod's events, in order. */
  events(name: string): Promise<string[]>;
}

export interface HarnessOptions extends Omit<FakeEngineOptions, 'clock'> {
  /** May use `activity`, which all parts report to. */
  clock(activity: ReturnType<typeof createActivity>): Clock;
  readonly config?: Partial<KubeletConfig>;
  readonly serving?: KubeletServing;
  /** Absent: there are no tokens of ServiceAccounts. */
  readonly tokenKeys?: TokenKeys;
}

export async function startHarness(options: HarnessOptions): Promise<Harness> {
  const stack = new AsyncDisposableStack();
  const activity = createActivity();
  const clock = options.clock(activity);
  const directory = await mkdtemp(join(tmpdir(), 'kubelet-test-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const common = { clock, random: seededRandom(7), logger: silentLogger, faults: noFaults, activity };
  const store = createMemoryStore({ clock });
  stack.defer(() => store.close());
  const api = await createApiServer({ ...common, store, metrics: new MetricsRegistry(), tokenKeys: options.tokenKeys });
  stack.use(api);
  const engine = stack.use(createFakeEngine({ images: ['busybox:1'], ...options, clock, activity }));
  const client = createClient(api.transport(user('admin', ['system:masters'])));
  const accounts = { group: '', version: 'v1', resource: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true };
  await client
    .resource(accounts)
    .namespace('default')
    .create({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default' },
      automountServiceAccountToken: false,
    });
  const config: KubeletConfig = {
    ...defaultKubeletConfig,
    nodeName: 'node-1',
    hostname: 'node-1',
    nodeIps: ['10.0.0.1'],
    clusterDns: ['10.96.0.10'],
    evictionHard: {},
    ...options.config,
  };
  const start = (): Promise<Kubelet> =>
    startKubelet(
      {
        ...common,
        engine,
        ...(options.serving && { serving: options.serving }),
        transport: api.transport(user('system:node:node-1', ['system:masters'])),
        metrics: new MetricsRegistry(),
        paths: {
          root: join(directory, 'kubelet'),
          podLogs: join(directory, 'logs'),
          procfs: '/proc',
          resolvConf: '/etc/resolv.conf',
        },
      },
      config,
      { signal: new AbortController().signal },
    );
  let kubelet = await start();
  stack.defer(() => kubelet[Symbol.asyncDispose]());
  const pods = client.resource(resources.pods).namespace('default');
  const get = (name: string): Promise<Pod | undefined> => pods.get(name).catch(() => undefined);
  return {
    client,
    engine,
    get kubelet() {
      return kubelet;
    },
    activity,
    async stopKubelet() {
      await kubelet[Symbol.asyncDispose]();
      return async () => {
        kubelet = await start();
      };
    },
    async run(name, spec, metadata = {}) {
      return pods.create({
        metadata: { name, namespace: 'default', ...metadata },
        spec: { nodeName: 'node-1', serviceAccountName: 'default', containers: [], ...spec },
      });
    },
    async until(name, fits) {
      const watching = new AbortController();
      const events = await pods.watch({ fieldSelector: `metadata.name=${name}`, signal: watching.signal });
      try {
        const now = await get(name);
        if (fits(now)) return now;
        for await (const { type, object } of events) {
          const pod = type === 'DELETED' ? undefined : object;
          if (fits(pod)) return pod;
        }
        throw new Error('the watch ended');
      } finally {
        watching.abort();
      }
    },
    async events(name) {
      await activity.idle();
      const { items } = await client.resource(resources.events).namespace('default').list();
      return items
        .map(
          item =>
            item as unknown as { involvedObject: { name: string }; type: string; reason: string; message: string },
        )
        .filter(({ involvedObject }) => involvedObject.name === name)
        .map(({ type, reason, message }) => `${type} ${reason} ${message}`);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
