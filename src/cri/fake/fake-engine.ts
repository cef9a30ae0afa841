/**
 * The fake engine's services over one table of sandboxes and containers. Time is the clock's: exits, stops and delays
 * happen when it is stepped.
 */
import { appendFile, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type Activity, type Clock, noActivity, type Random, seededRandom, type Timer } from '#base';
import {
  type ContainerConfig,
  type ContainerEngine,
  type ContainerEvent,
  type ContainerState,
  type ContainerStatus,
  CriError,
  type ImageInfo,
  type ImageService,
  type PodSandboxConfig,
  type PodSandboxStatus,
  type RuntimeService,
  type StreamRequest,
  type StreamSession,
} from '../contract.ts';
import { type ContainerScript, defaultExec, type ExecAnswer, type ScriptChooser } from './script.ts';

export interface FakeEngineOptions {
  readonly clock: Clock;
  readonly random?: Random;
  /** What the engine does counts here, but not its waiting for the clock. */
  readonly activity?: Activity;
  /** Default: every container runs until it is stopped. */
  readonly script?: ScriptChooser;
  /** Images that are there from the start. */
  readonly images?: readonly string[];
  /** Pulling takes so long; a rejection is the pull's error. Default: any image is there at once. */
  pull?(image: string): Promise<void>;
  /** Address of the n-th sandbox; default 10.200.x.y. */
  address?(index: number): readonly string[];
  /** Runtime handlers that there are; default the nameless one alone. */
  readonly handlers?: readonly string[];
  /** Log files are written where this is true. Default true. */
  readonly logs?: boolean;
}

export interface FakeEngine extends ContainerEngine {
  /** Ends a running container. */
  exit(containerId: string, code: number, reason?: string): void;
  /** Every call so far, as `verb id-or-name`, in order. */
  readonly calls: readonly string[];
  /** Makes sandbox creation fail with this message until it is undefined again. */
  failSandboxes(message: string | undefined): void;
  /** The container's config, as it was created. */
  config(containerId: string): ContainerConfig;
  sandboxConfig(podSandboxId: string): PodSandboxConfig;
}

interface Sandbox {
  readonly status: { -readonly [K in keyof PodSandboxStatus]: PodSandboxStatus[K] };
  readonly config: PodSandboxConfig;
}

interface Container {
  readonly status: { -readonly [K in keyof ContainerStatus]: ContainerStatus[K] };
  readonly config: ContainerConfig;
  readonly script: ContainerScript;
  timer: Timer | undefined;
  stopTimer: Timer | undefined;
  readonly ended: PromiseWithResolvers<void>;
}

export function createFakeEngine(options: FakeEngineOptions): FakeEngine {
  return new Fake(options);
}

class Fake implements FakeEngine {
  readonly calls: string[] = [];
  readonly runtime: RuntimeService;
  readonly images: ImageService;
  readonly #options: FakeEngineOptions;
  readonly #random: Random;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, Container>();
  readonly #images = new Map<string, ImageInfo>();
  readonly #listeners = new Set<(event: ContainerEvent) => void>();
  #serial = 0;
  #sandboxError: string | undefined;

  constructor(options: FakeEngineOptions) {
    this.#options = options;
    this.#random = options.random ?? seededRandom(1);
    for (const image of options.images ?? []) this.#addImage(image);
    this.runtime = this.#runtimeService();
    this.images = this.#imageService();
  }

  exit(containerId: string, code: number, reason?: string): void {
    this.#end(this.#container(containerId), code, reason);
  }

  failSandboxes(message: string | undefined): void {
    this.#sandboxError = message;
  }

  config(containerId: string): ContainerConfig {
    return this.#container(containerId).config;
  }

  sandboxConfig(podSandboxId: string): PodSandboxConfig {
    return this.#sandbox(podSandboxId).config;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { timer, stopTimer } of this.#containers.values()) {
      timer?.cancel();
      stopTimer?.cancel();
    }
  }

  #id(): string {
    this.#serial++;
    return `${this.#serial.toString(16).padStart(8, '0')}${this.#random.uuid().replaceAll('-', '')}`.padEnd(64, '0');
  }

  #sandbox(id: string): Sandbox {
    const found = this.#sandboxes.get(id);
    if (!found) throw new CriError('notFound', `sandbox ${id} not found`);
    return found;
  }

  #container(id: string): Container {
    const found = this.#containers.get(id);
    if (!found) throw new CriError('notFound', `container ${id} not found`);
    return found;
  }

  #emit(type: ContainerEvent['type'], sandbox: Sandbox, containerId: string): void {
    const { id, metadata } = sandbox.status;
    const event = { type, podSandboxId: id, containerId, podUid: metadata.uid, atMs: this.#options.clock.now() };
    for (const listener of this.#listeners) listener(event);
  }

  #runtimeService(): RuntimeService {
    const { clock } = this.#options;
    return {
      version: async () => ({ runtimeName: 'fake', runtimeVersion: '1.0.0', runtimeApiVersion: 'v1' }),
      status: async () =>
        (['RuntimeReady', 'NetworkReady'] as const).map(type => ({ type, status: true, reason: '', message: '' })),
      runPodSandbox: async (config, handler) => this.#runSandbox(config, handler),
      stopPodSandbox: async id => this.#stopSandbox(id),
      removePodSandbox: async id => this.#removeSandbox(id),
      podSandboxStatus: async id => ({ ...this.#sandbox(id).status }),
      listPodSandboxes: async (filter = {}) =>
        [...this.#sandboxes.values()]
          .map(({ status }) => ({ ...status }))
          .filter(({ metadata, state }) => matches(filter.podUid, metadata.uid) && matches(filter.state, state)),
      createContainer: async (sandboxId, config) => this.#create(sandboxId, config),
      startContainer: async id => this.#start(id),
      stopContainer: async (id, timeoutMs) => this.#stop(id, timeoutMs),
      removeContainer: async id => this.#remove(id),
      containerStatus: async id => ({ ...this.#container(id).status }),
      listContainers: async (filter = {}) =>
        [...this.#containers.values()]
          .map(({ status }) => ({ ...status }))
          .filter(
            ({ podSandboxId, state }) => matches(filter.podSandboxId, podSandboxId) && matches(filter.state, state),
          ),
      updateContainerResources: async id => void this.#container(id),
      reopenContainerLog: async id => {
        const { logPath } = this.#running(id).status;
        if (logPath !== '') await writeFile(logPath, '', { flag: 'a' });
      },
      execSync: async (id, command, timeoutMs) => {
        this.calls.push(`exec ${id} ${command.join(' ')}`);
        const { script } = this.#running(id);
        const answer = (script.exec ?? defaultExec)(command);
        if (answer.startError !== undefined) throw new CriError('startFailed', answer.startError);
        const takesMs = answer.takesMs ?? 0;
        if (takesMs > 0) await clock.sleep(Math.min(takesMs, timeoutMs));
        if (takesMs > timeoutMs) throw new CriError('timeout', `command ${command.join(' ')} timed out`);
        return {
          stdout: Buffer.from(answer.stdout ?? ''),
          stderr: Buffer.from(answer.stderr ?? ''),
          exitCode: answer.exitCode ?? 0,
        };
      },
      openExec: async request => {
        const { script } = this.#running(request.containerId);
        const { command } = request;
        if (command[0] === 'cat' && request.stdin) return echoSession(request);
        const answer = (script.exec ?? defaultExec)(command);
        if (answer.startError !== undefined) throw new CriError('startFailed', answer.startError);
        return finishedSession(answer, request);
      },
      openAttach: async request => {
        const container = this.#running(request.containerId);
        const { script, config } = container;
        if (config.stdin && request.stdin) {
          const session = echoSession(request);
          if (config.stdinOnce) void session.exit.then(() => this.#end(container, 0));
          return session;
        }
        return finishedSession({ stdout: (script.output ?? []).map(line => `${line}\n`).join('') }, request);
      },
      openPortForward: async id => {
        this.#sandbox(id);
        return new PassThrough();
      },
      events: signal => this.#events(signal),
      listContainerStats: async (filter = {}) =>
        [...this.#containers.values()]
          .filter(({ status }) => status.state === 'RUNNING' && matches(filter.podSandboxId, status.podSandboxId))
          .map(({ status }) => ({
            id: status.id,
            podSandboxId: status.podSandboxId,
            metadata: status.metadata,
            labels: status.labels,
            atMs: clock.now(),
            cpuUsageCoreNanoSeconds: 1_000_000,
            memoryWorkingSetBytes: 1 << 20,
            memoryUsageBytes: 1 << 20,
            memoryRssBytes: 1 << 19,
            writableLayerBytes: 0,
            writableLayerInodes: 0,
          })),
    };
  }

  #running(id: string): Container {
    const container = this.#container(id);
    if (container.status.state !== 'RUNNING') throw new CriError('invalid', `container ${id} is not running`);
    return container;
  }

  #runSandbox(config: PodSandboxConfig, runtimeHandler: string): string {
    this.calls.push(`runPodSandbox ${config.metadata.name}`);
    if (!(this.#options.handlers ?? ['']).includes(runtimeHandler)) {
      throw new CriError('invalid', `no runtime for "${runtimeHandler}" is configured`);
    }
    if (this.#sandboxError !== undefined) throw new CriError('unavailable', this.#sandboxError);
    const id = this.#id();
    const index = this.#serial;
    const address = this.#options.address?.(index) ?? [`10.200.${index >> 8}.${index & 255}`];
    const sandbox: Sandbox = {
      config,
      status: {
        id,
        metadata: config.metadata,
        state: 'READY',
        createdAtMs: this.#options.clock.now(),
        ips: config.namespaces.network === 'NODE' ? [] : address,
        labels: config.labels,
        annotations: config.annotations,
        runtimeHandler,
      },
    };
    this.#sandboxes.set(id, sandbox);
    this.#emit('SANDBOX', sandbox, '');
    return id;
  }

  #stopSandbox(id: string): void {
    const sandbox = this.#sandboxes.get(id);
    if (!sandbox) return;
    for (const container of this.#containersOf(id)) if (container.status.state === 'RUNNING') this.#end(container, 137);
    if (sandbox.status.state === 'NOTREADY') return;
    sandbox.status.state = 'NOTREADY';
    this.#emit('SANDBOX', sandbox, '');
  }

  #removeSandbox(id: string): void {
    const sandbox = this.#sandboxes.get(id);
    if (!sandbox) return;
    this.#stopSandbox(id);
    for (const { status } of this.#containersOf(id)) this.#remove(status.id);
    this.#sandboxes.delete(id);
    this.#emit('SANDBOX', sandbox, '');
  }

  #containersOf(sandboxId: string): Container[] {
    return [...this.#containers.values()].filter(({ status }) => status.podSandboxId === sandboxId);
  }

  #create(podSandboxId: string, config: ContainerConfig): string {
    this.calls.push(`createContainer ${config.metadata.name}`);
    const sandbox = this.#sandbox(podSandboxId);
    if (sandbox.status.state !== 'READY') throw new CriError('invalid', `sandbox ${podSandboxId} is not ready`);
    const image = this.#image(config.image);
    if (!image) throw new CriError('notFound', `image ${config.image} not found`);
    const script = this.#options.script?.(config) ?? {};
    if (script.createError !== undefined) throw new CriError('invalid', script.createError);
    const id = this.#id();
    this.#containers.set(id, {
      config,
      script,
      timer: undefined,
      stopTimer: undefined,
      ended: Promise.withResolvers<void>(),
      status: {
        id,
        podSandboxId,
        metadata: config.metadata,
        state: 'CREATED',
        createdAtMs: this.#options.clock.now(),
        startedAtMs: 0,
        finishedAtMs: 0,
        exitCode: 0,
        reason: '',
        message: '',
        image: image.repoTags[0] ?? config.image,
        imageRef: image.id,
        labels: config.labels,
        annotations: config.annotations,
        mounts: config.mounts,
        logPath: config.logPath === '' ? '' : join(sandbox.config.logDirectory, config.logPath),
      },
    });
    this.#emit('CREATED', sandbox, id);
    return id;
  }

  async #start(id: string): Promise<void> {
    const container = this.#container(id);
    const { script, status } = container;
    const { clock } = this.#options;
    this.calls.push(`startContainer ${status.metadata.name}`);
    if (status.state !== 'CREATED') throw new CriError('invalid', `container ${id} was started before`);
    if (script.startTakesMs) await clock.sleep(script.startTakesMs);
    if (script.startError !== undefined) {
      Object.assign(status, { state: 'EXITED', exitCode: 128, reason: 'StartError', message: script.startError });
      status.startedAtMs = 0;
      status.finishedAtMs = clock.now();
      container.ended.resolve();
      this.#emit('STOPPED', this.#sandbox(status.podSandboxId), id);
      throw new CriError('startFailed', script.startError);
    }
    status.state = 'RUNNING';
    status.startedAtMs = clock.now();
    const done = (this.#options.activity ?? noActivity).begin();
    await this.#openLog(container);
    await this.#writeLog(container, 'stdout', script.output ?? []);
    await this.#writeLog(container, 'stderr', script.errors ?? []);
    done();
    this.#emit('STARTED', this.#sandbox(status.podSandboxId), id);
    const { exitAfterMs } = script;
    if (exitAfterMs === undefined) return;
    const end = (): void => this.#end(container, script.exitCode ?? 0, script.exitReason);
    container.timer = clock.setTimer(end, exitAfterMs);
  }

  async #openLog({ status }: Container): Promise<void> {
    if (this.#options.logs === false || status.logPath === '') return;
    await mkdir(dirname(status.logPath), { recursive: true });
    await writeFile(status.logPath, '', { flag: 'a' });
  }

  async #writeLog({ status }: Container, stream: string, lines: readonly string[]): Promise<void> {
    if (this.#options.logs === false || status.logPath === '' || lines.length === 0) return;
    const at = new Date(this.#options.clock.now()).toISOString().replace('Z', '000000Z');
    await appendFile(status.logPath, lines.map(line => `${at} ${stream} F ${line}\n`).join(''));
  }

  #end(container: Container, code: number, reason = code === 0 ? 'Completed' : 'Error'): void {
    const { status, script } = container;
    if (status.state !== 'RUNNING') return;
    container.timer?.cancel();
    container.stopTimer?.cancel();
    status.state = 'EXITED';
    status.exitCode = code;
    status.reason = reason;
    status.finishedAtMs = this.#options.clock.now();
    const finish = (): void => {
      container.ended.resolve();
      const sandbox = this.#sandboxes.get(status.podSandboxId);
      if (sandbox) this.#emit('STOPPED', sandbox, status.id);
    };
    const path = status.annotations['io.kubernetes.container.terminationMessagePath'];
    const mount = status.mounts.find(each => each.containerPath === path);
    if (script.terminationMessage === undefined || !mount) finish();
    else {
      const done = (this.#options.activity ?? noActivity).begin();
      void writeFile(mount.hostPath, script.terminationMessage).then(finish, finish).finally(done);
    }
  }

  async #stop(id: string, timeoutMs: number): Promise<void> {
    const container = this.#containers.get(id);
    if (container?.status.state !== 'RUNNING') return;
    this.calls.push(`stopContainer ${container.status.metadata.name} ${timeoutMs}`);
    const takesMs = container.script.stopTakesMs ?? 0;
    const inTime = takesMs <= timeoutMs;
    const end = (): void => this.#end(container, inTime ? (container.script.exitCode ?? 0) : 137);
    const waitMs = Math.min(takesMs, timeoutMs);
    container.stopTimer?.cancel();
    if (waitMs === 0) end();
    else container.stopTimer = this.#options.clock.setTimer(end, waitMs);
    await container.ended.promise;
  }

  #remove(id: string): void {
    const container = this.#containers.get(id);
    if (!container) return;
    this.#end(container, 137);
    this.#containers.delete(id);
    const sandbox = this.#sandboxes.get(container.status.podSandboxId);
    if (sandbox) this.#emit('DELETED', sandbox, id);
  }

  async *#events(signal: AbortSignal): AsyncIterable<ContainerEvent> {
    const queue: ContainerEvent[] = [];
    let wake = Promise.withResolvers<void>();
    const listener = (event: ContainerEvent): void => {
      queue.push(event);
      wake.resolve();
    };
    const onAbort = (): void => wake.resolve();
    this.#listeners.add(listener);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      while (!signal.aborted) {
        const event = queue.shift();
        if (event) yield event;
        else {
          wake = Promise.withResolvers<void>();
          if (queue.length === 0 && !signal.aborted) await wake.promise;
        }
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', onAbort);
    }
  }

  #addImage(name: string): ImageInfo {
    const digest = Buffer.from(name).toString('hex').padEnd(64, '0').slice(-64);
    const info: ImageInfo = {
      id: `sha256:${digest}`,
      repoTags: [name],
      repoDigests: [`${name.replace(/:[^/]*$/, '')}@sha256:${digest}`],
      sizeBytes: 1000,
      username: '',
      pinned: false,
    };
    this.#images.set(info.id, info);
    return info;
  }

  #image(name: string): ImageInfo | undefined {
    return this.#images.get(name) ?? [...this.#images.values()].find(({ repoTags }) => repoTags.includes(name));
  }

  #imageService(): ImageService {
    return {
      listImages: async () => [...this.#images.values()],
      imageStatus: async ({ image }) => this.#image(image),
      pullImage: async ({ image }) => {
        this.calls.push(`pullImage ${image}`);
        await this.#options.pull?.(image);
        return (this.#image(image) ?? this.#addImage(image)).id;
      },
      removeImage: async ({ image }) => {
        const found = this.#image(image);
        if (found) this.#images.delete(found.id);
      },
      imageFsInfo: async () => ({ mountpoint: '/', usedBytes: this.#images.size * 1000, inodesUsed: 0 }),
    };
  }
}

function matches(wanted: string | ContainerState | undefined, value: string): boolean {
  return wanted === undefined || wanted === value;
}

function finishedSession(
  { stdout: out = '', stderr: err = '', exitCode = 0 }: ExecAnswer,
  request: StreamRequest,
): StreamSession {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  stdout.end(request.tty ? out + err : out);
  stderr.end(err);
  const stdin = new PassThrough();
  stdin.resume();
  return {
    ...(request.stdin && { stdin }),
    ...(request.stdout && { stdout }),
    ...(request.stderr && !request.tty && { stderr }),
    resize: () => {},
    exit: Promise.resolve(exitCode),
    close: () => {},
  };
}

/** Answers with what it is sent, and ends with it. */
function echoSession(request: StreamRequest): StreamSession {
  const pipe = new PassThrough();
  const stderr = new PassThrough();
  stderr.end();
  const { promise, resolve } = Promise.withResolvers<number>();
  pipe.on('end', () => resolve(0));
  pipe.on('close', () => resolve(0));
  return {
    stdin: pipe,
    stdout: pipe,
    ...(request.stderr && !request.tty && { stderr }),
    resize: () => {},
    exit: promise,
    close: () => void pipe.destroy(),
  };
}
