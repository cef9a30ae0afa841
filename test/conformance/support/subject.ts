/**
 * What a file of conformance tests talks to: an API server of its own with only the API, or the cluster whose
 * kubeconfig KOBUNE_CONFORMANCE_KUBECONFIG names, so that the same tests can be held against the original.
 *
 *     const subject = useSubject();
 *     row('[sig-node] ConfigMap should … [Conformance]', async () => {
 *       const namespace = await subject.namespace();
 *       await subject.api(CoreV1Api).createNamespacedConfigMap({ namespace, body: { … } });
 *     });
 *
 * A row is a test of the upstream suite by its whole name; `hack/conformance-table.ts` finds the calls by it.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ApiConstructor, ApiException, type ApiType, CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { startCluster } from '#cluster/testing';
import { eventually, kubectls, type Output } from '../../support/kobune.ts';
import { openWatch, type Watching } from './watching.ts';

export interface RowOptions {
  /** Why it cannot be tried here. */
  readonly skip?: string | undefined;
  /** What has to be built first; the test runs and may fail. */
  readonly pending?: string;
}

/** A test that states what the upstream test of this name states. */
export function row(name: string, body: () => Promise<void>, { skip, pending }: RowOptions = {}): void {
  test(name, { timeout: 60_000, ...(skip && { skip }), ...(pending && { todo: pending }) }, body);
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  json(): any;
}

export interface RawRequest {
  readonly headers?: Readonly<Record<string, string>>;
  /** A string is sent as it stands, anything else as JSON. */
  readonly body?: unknown;
}

export interface SubjectOptions {
  /** With all controllers and the scheduler, and no node. Default: only those that the API needs. */
  readonly controllers?: boolean;
}

/** Each member may be used from within tests only. */
export class Subject {
  #config: KubeConfig | undefined;
  #agent: Agent | undefined;
  readonly #ending = new AsyncDisposableStack();
  #folder = '';
  #count = 0;
  readonly #apiOnly: boolean;

  constructor({ controllers = false }: SubjectOptions = {}) {
    this.#apiOnly = !controllers;
  }

  async start(): Promise<void> {
    this.#folder = mkdtempSync(join(tmpdir(), 'kobune-conformance-'));
    this.#ending.defer(() => rmSync(this.#folder, { recursive: true, force: true }));
    const foreign = process.env['KOBUNE_CONFORMANCE_KUBECONFIG'];
    let text: string;
    if (foreign) text = readFileSync(foreign, 'utf8');
    else {
      const cluster = this.#ending.use(await startCluster({ apiOnly: this.#apiOnly }));
      text = (await cluster.listen()).kubeconfig;
    }
    writeFileSync(this.kubeconfig, text, { mode: 0o600 });
    this.#config = new KubeConfig();
    this.#config.loadFromFile(this.kubeconfig);
    const { caData } = this.config.getCurrentCluster()!;
    const { certData, keyData } = this.config.getCurrentUser()!;
    const pem = (base64: string | undefined): Buffer => Buffer.from(base64 ?? '', 'base64');
    this.#agent = new Agent({ ca: pem(caData), cert: pem(certData), key: pem(keyData), keepAlive: true });
    this.#ending.defer(() => this.#agent!.destroy());
  }

  stop(): Promise<void> {
    return this.#ending.disposeAsync();
  }

  get config(): KubeConfig {
    assert.ok(this.#config, 'used before it was started');
    return this.#config;
  }

  get kubeconfig(): string {
    return join(this.#folder, 'kubeconfig');
  }

  get url(): string {
    return this.config.getCurrentCluster()!.server;
  }

  /** The official JavaScript client of a group version. */
  api<T extends ApiType>(type: ApiConstructor<T>): T {
    return this.config.makeApiClient(type);
  }

  /** A word that no other test of this run has used. */
  unique(word: string): string {
    return `${word}-${process.pid.toString(36)}${(this.#count++).toString(36)}`;
  }

  /** A new namespace, in which pods can be made. */
  async namespace(): Promise<string> {
    const core = this.api(CoreV1Api);
    const name = this.unique('conformance');
    await core.createNamespace({ body: { metadata: { name } } });
    await eventually(`the default service account of ${name}`, () =>
      core.readNamespacedServiceAccount({ name: 'default', namespace: name }).catch(() => undefined),
    );
    return name;
  }

  /** What the wire says; any status is an answer. */
  request(method: string, path: string, { headers = {}, body }: RawRequest = {}): Promise<RawAnswer> {
    const content = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    // Node does not say how long the body of a DELETE is.
    const told = content !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(content)),
    };
    const options: RequestOptions = { method, agent: this.#agent!, headers: { ...told, ...headers } };
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(new URL(path, this.url), options, async incoming => {
        try {
          const chunks: Buffer[] = [];
          for await (const chunk of incoming) chunks.push(chunk as Buffer);
          const text = Buffer.concat(chunks).toString();
          const { statusCode = 0, headers: answered } = incoming;
          resolve({ status: statusCode, headers: answered, text, json: () => JSON.parse(text) });
        } catch (error) {
          reject(error);
        }
      });
      outgoing.on('error', reject).end(content);
    });
  }

  /** A JSON document that must be there. */
  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<any> {
    const answer = await this.request('GET', path, { headers });
    assert.equal(answer.status, 200, `GET ${path}: ${answer.text.slice(0, 500)}`);
    return answer.json();
  }

  watch(path: string, query: Readonly<Record<string, string>> = {}): Promise<Watching> {
    return openWatch(this.config, path, query);
  }

  /** Runs the newest kubectl of this machine. */
  kubectl(args: readonly string[], input?: string): Promise<Output> {
    const path = newestKubectl()!;
    const environment = { ...process.env, KUBECONFIG: this.kubeconfig, HOME: this.#folder };
    return new Promise(resolve => {
      const child = execFile(path, args, { env: environment, timeout: 30_000 }, (error, stdout, stderr) => {
        resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, stdout, stderr });
      });
      child.stdin?.end(input ?? '');
    });
  }
}

/** A subject for the tests of this file. */
export function useSubject(options: SubjectOptions = {}): Subject {
  const subject = new Subject(options);
  before(() => subject.start());
  after(() => subject.stop());
  return subject;
}

let found: { readonly path: string | undefined } | undefined;

/** Path of the newest kubectl of this machine; each has to be asked, so that it is looked for once. */
export function newestKubectl(): string | undefined {
  found ??= { path: [...kubectls().values()].at(-1) };
  return found.path;
}

/** Why kubectl cannot be asked, or undefined. */
export function whyNoKubectl(): string | undefined {
  return newestKubectl() ? undefined : 'kubectl is not installed';
}

/** The Status that a call of the client fails with. */
export async function refusal(code: number, call: Promise<unknown>): Promise<{ reason: string; message: string }> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ApiException)) throw error;
    assert.equal(error.code, code, String(error.body));
    return typeof error.body === 'string' ? JSON.parse(error.body) : error.body;
  }
  return assert.fail(`not refused with ${code}`);
}
