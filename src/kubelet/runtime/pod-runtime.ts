/**
 * Makes a pod's sandbox and containers what its spec wants, by way of the engine.
 * Upstream: pkg/kubelet/kuberuntime/kuberuntime_manager.go (SyncPod, killPodWithSyncResult, doBackOff).
 */

import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Activity, Clock, Logger, Random } from '#base';
import type { EventRecorder, EventType } from '#client';
import type { ContainerEngine, DnsConfig, LinuxResources, PodSandboxConfig } from '#cri';
import { CriError } from '#cri';
import type { Container, Pod, Secret } from '../api-objects.ts';
import type { BackOff } from '../back-off.ts';
import type { Busy } from '../busy.ts';
import type { DownwardContext } from '../env/downward.ts';
import { containerEnvironment, type EnvironmentSources } from '../env/environment.ts';
import { podRef } from '../events.ts';
import { runHook } from '../lifecycle/hooks.ts';
import { formatDuration, formatPod, isRestartableInit } from '../pod-helpers.ts';
import { sortPodIps } from '../status/api-status.ts';
import type { StartFailure } from '../status/container-statuses.ts';
import type { MountedVolume } from '../volumes/volume-manager.ts';
import { containerConfig } from './container-config.ts';
import { parseResolvConf, podDns } from './dns.ts';
import type { ImageManager } from './image-manager.ts';
import { killContainer, killRunning } from './kill.ts';
import { containerHash } from './labels.ts';
import { type ActionContext, computePodActions, type PodActions } from './pod-actions.ts';
import { latestContainer, type PodRuntimeStatus } from './pod-runtime-status.ts';
import { podLogDirectory, type SandboxSettings, sandboxConfig } from './sandbox-config.ts';
import { messageOf, StartError } from './start-error.ts';

export interface PodRuntimeDeps {
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
  readonly recorder: EventRecorder;
  readonly images: ImageManager;
  readonly backOff: BackOff;
  readonly sources: EnvironmentSources;
  readonly settings: SandboxSettings & {
    readonly clusterDns: readonly string[];
    readonly resolvConf: string;
    readonly nodeIps: readonly string[];
  };
  downward(pod: Pod, podIps: readonly string[]): DownwardContext;
  resources(pod: Pod, container: Container): LinuxResources;
  volumes(uid: string): ReadonlyMap<string, MountedVolume>;
  podDirectory(uid: string): string;
  /** Handler of the pod's RuntimeClass; rejects when there is no such class. */
  runtimeHandler(pod: Pod): Promise<string>;
  pullSecrets(pod: Pod): Promise<readonly Secret[]>;
  /** Told what a container was made from. */
  created(pod: Pod, container: Container): void;
  /** Told when a container has begun, so that the status can go out at once. */
  started(pod: Pod): void;
}

/** See the worker's step. */
interface Step {
  readonly signal: AbortSignal;
  readonly busy: Busy;
}

export interface SyncResult {
  /** Whether anything was started, stopped or failed. */
  readonly acted: boolean;
  /** The first error; undefined when all went well. */
  readonly error: Error | undefined;
  /** Earliest time to try again, wall milliseconds, when all errors are back-offs. */
  readonly retryAtMs: number | undefined;
}

interface Attempt {
  readonly pod: Pod;
  readonly status: PodRuntimeStatus;
  readonly sandboxId: string;
  readonly sandbox: PodSandboxConfig;
  readonly handler: string;
  readonly podIps: readonly string[];
  readonly signal: AbortSignal;
  readonly busy: Busy;
  secrets: Promise<readonly Secret[]> | undefined;
  readonly errors: Error[];
}

export class PodRuntime {
  readonly #deps: PodRuntimeDeps;
  /** Why containers could not be started: pod uid, then container name. */
  readonly #failures = new Map<string, Map<string, StartFailure>>();

  constructor(deps: PodRuntimeDeps) {
    this.#deps = deps;
  }

  failure(uid: string, containerName: string): StartFailure | undefined {
    return this.#failures.get(uid)?.get(containerName);
  }

  forget(uid: string): void {
    this.#failures.delete(uid);
    this.#deps.images.forgetPod(uid);
    this.#deps.backOff.forget(`${uid}_`);
  }

  /** One step towards the spec; what it started needs another look. */
  async sync(pod: Pod, status: PodRuntimeStatus, context: ActionContext, step: Step): Promise<SyncResult> {
    const actions = computePodActions(pod, status, context);
    const errors: Error[] = [];
    try {
      if (!(await step.busy.wait(this.#stopUnwanted(pod, status, actions))))
        return { acted: true, error: undefined, retryAtMs: undefined };
      const nothing =
        !actions.createSandbox &&
        actions.initContainersToStart.length === 0 &&
        actions.containersToStart.length === 0 &&
        actions.ephemeralContainersToStart.length === 0;
      if (nothing) return { acted: actions.containersToKill.length > 0, error: undefined, retryAtMs: undefined };
      const attempt = await this.#prepare(pod, status, actions, step, errors);
      if (attempt) await this.#startAll(attempt, actions);
    } catch (error) {
      errors.push(error as Error);
    }
    const retries = errors.map(error => (error instanceof StartError ? error.retryAtMs : undefined));
    const allBackOffs = errors.length > 0 && retries.every(each => each !== undefined);
    return { acted: true, error: errors[0], retryAtMs: allBackOffs ? Math.min(...(retries as number[])) : undefined };
  }

  /** Answers false when the pod was stopped and nothing is to be started. */
  async #stopUnwanted(pod: Pod, status: PodRuntimeStatus, actions: PodActions): Promise<boolean> {
    const { recorder } = this.#deps;
    if (actions.createSandbox && actions.sandboxId) {
      const message = 'Pod sandbox changed, it will be killed and re-created.';
      recorder.eventAbout(podRef(pod), 'Normal', 'SandboxChanged', message);
    }
    if (actions.killPod) {
      if (status.sandboxes.length > 0) await this.killPod(pod, status, undefined);
      if (!actions.createSandbox) return false;
      const inits = new Set((pod.spec.initContainers ?? []).map(({ name }) => name));
      for (const old of status.containers) if (inits.has(old.name)) await this.#remove(old.id);
      return true;
    }
    for (const { id, name, message, reason } of actions.containersToKill) {
      await killContainer(this.#killDeps(), {
        pod,
        id,
        name,
        message,
        reason,
        graceSeconds: undefined,
        podIp: status.ips[0],
      });
    }
    const seen = new Set<string>();
    const inits = new Set((pod.spec.initContainers ?? []).map(({ name }) => name));
    for (const old of status.containers) {
      if (!inits.has(old.name) || (old.state !== 'EXITED' && old.state !== 'UNKNOWN')) continue;
      if (seen.has(old.name)) await this.#remove(old.id);
      seen.add(old.name);
    }
    return true;
  }

  async #remove(id: string): Promise<void> {
    await this.#deps.engine.runtime.removeContainer(id).catch(error => {
      this.#deps.logger.warn('container was not removed', { container: id, error });
    });
  }

  #killDeps() {
    const { engine, clock, logger, recorder } = this.#deps;
    return { runtime: engine.runtime, clock, logger, recorder };
  }

  async #prepare(
    pod: Pod,
    status: PodRuntimeStatus,
    actions: PodActions,
    { signal, busy }: Step,
    errors: Error[],
  ): Promise<Attempt | undefined> {
    const { settings, engine, recorder } = this.#deps;
    const dns = await this.#dns(pod, actions.createSandbox);
    const sandbox = sandboxConfig(pod, actions.attempt, dns, settings);
    const handler = await this.#deps.runtimeHandler(pod);
    let { sandboxId } = actions;
    let podIps: readonly string[] = pod.spec.hostNetwork ? settings.nodeIps : sortPodIps(status.ips, settings.nodeIps);
    if (actions.createSandbox) {
      await mkdir(sandbox.logDirectory, { recursive: true, mode: 0o755 });
      try {
        sandboxId = await engine.runtime.runPodSandbox(sandbox, handler);
      } catch (cause) {
        if (signal.aborted) return undefined;
        const message = `Failed to create pod sandbox: ${messageOf(cause)}`;
        recorder.eventAbout(podRef(pod), 'Warning', 'FailedCreatePodSandBox', message);
        errors.push(new Error(message, { cause }));
        return undefined;
      }
      const { ips } = await engine.runtime.podSandboxStatus(sandboxId);
      if (!pod.spec.hostNetwork) podIps = sortPodIps(ips, settings.nodeIps);
      this.#deps.started(pod);
    }
    return { pod, status, sandboxId, sandbox, handler, podIps, signal, busy, secrets: undefined, errors };
  }

  async #dns(pod: Pod, tell: boolean): Promise<DnsConfig> {
    const { settings, recorder } = this.#deps;
    const text = settings.resolvConf ? await readFile(settings.resolvConf, 'utf8').catch(() => '') : '';
    const { clusterDns, clusterDomain } = settings;
    const dns = podDns(pod, { clusterDns, clusterDomain, host: parseResolvConf(text) });
    if (tell)
      for (const { reason, message } of dns.warnings) recorder.eventAbout(podRef(pod), 'Warning', reason, message);
    return dns.config;
  }

  async #startAll(attempt: Attempt, actions: PodActions): Promise<void> {
    const { pod } = attempt;
    for (const index of actions.ephemeralContainersToStart) {
      await this.#start(attempt, pod.spec.ephemeralContainers![index]!);
    }
    for (const index of actions.initContainersToStart) {
      const container = pod.spec.initContainers![index]!;
      if (!(await this.#start(attempt, container)) && !isRestartableInit(container)) return;
    }
    for (const index of actions.containersToStart) await this.#start(attempt, pod.spec.containers[index]!);
  }

  /** Answers whether it runs now; why not is kept for the status. */
  async #start(attempt: Attempt, container: Container): Promise<boolean> {
    const { pod } = attempt;
    const uid = pod.metadata.uid ?? '';
    const failures = this.#failures.get(uid) ?? new Map<string, StartFailure>();
    this.#failures.set(uid, failures);
    try {
      this.#backOffOf(attempt, container);
      await this.#startOne(attempt, container);
      failures.delete(container.name);
      return true;
    } catch (error) {
      if (attempt.signal.aborted) return false;
      const reason = error instanceof StartError ? error.reason : 'RunContainerError';
      failures.set(container.name, { reason, message: messageOf(error) });
      attempt.errors.push(error as Error);
      return false;
    }
  }

  #backOffOf({ pod, status }: Attempt, container: Container): void {
    const { backOff, recorder } = this.#deps;
    const last = status.containers.find(each => each.name === container.name && each.state === 'EXITED');
    if (!last) return;
    const key = `${pod.metadata.uid}_${container.name}_${containerHash(container)}`;
    if (!backOff.isInBackOffSince(key, last.finishedAtMs)) {
      backOff.next(key, last.finishedAtMs);
      return;
    }
    const event = `Back-off restarting failed container ${container.name} in pod ${formatPod(pod)}`;
    recorder.eventAbout(podRef(pod, container.name), 'Warning', 'BackOff', event);
    const delayMs = backOff.delayMs(key);
    const message = `back-off ${formatDuration(delayMs)} restarting failed container=${container.name} pod=${formatPod(pod)}`;
    throw new StartError('CrashLoopBackOff', message, { retryAtMs: last.finishedAtMs + delayMs });
  }

  async #startOne(attempt: Attempt, container: Container): Promise<void> {
    const { engine, recorder, images } = this.#deps;
    const { pod, sandboxId, sandbox, handler, signal, busy } = attempt;
    const about = podRef(pod, container.name);
    const event = (type: EventType, reason: string, message: string): void =>
      recorder.eventAbout(about, type, reason, message);
    attempt.secrets ??= this.#deps.pullSecrets(pod);
    const secrets = await attempt.secrets;
    const imageRef = await images
      .ensure({
        about,
        pod,
        image: container.image ?? '',
        policy: container.imagePullPolicy ?? 'IfNotPresent',
        secrets,
        runtimeHandler: handler,
        signal,
        busy,
      })
      .catch(error => {
        if (error instanceof StartError) event('Warning', 'Failed', `Error: ${error.reason}`);
        throw error;
      });
    signal.throwIfAborted();
    const config = await this.#config(attempt, container, imageRef).catch(cause => {
      const text = messageOf(cause);
      event('Warning', 'Failed', `Error: ${text}`);
      throw new StartError('CreateContainerConfigError', text, { cause });
    });
    const id = await engine.runtime.createContainer(sandboxId, config, sandbox).catch(cause => {
      const text = messageOf(cause);
      event('Warning', 'Failed', `Error: ${text}`);
      throw new StartError('CreateContainerError', text, { cause });
    });
    this.#deps.created(pod, container);
    event('Normal', 'Created', 'Container created');
    await busy.wait(engine.runtime.startContainer(id)).catch(cause => {
      const text = messageOf(cause);
      event('Warning', 'Failed', `Error: ${text}`);
      throw new StartError('RunContainerError', text, { cause });
    });
    event('Normal', 'Started', 'Container started');
    this.#deps.started(pod);
    await this.#postStart(attempt, container, id);
  }

  async #config(attempt: Attempt, container: Container, imageRef: string) {
    const { engine, settings, random } = this.#deps;
    const { pod, podIps, status } = attempt;
    const uid = pod.metadata.uid ?? '';
    const [env, image, restartCount] = await Promise.all([
      containerEnvironment(pod, container, this.#deps.sources, this.#deps.downward(pod, podIps)),
      engine.images.imageStatus({ image: imageRef }),
      this.#restartCount(attempt, container),
    ]);
    const target = container.targetContainerName;
    const targetId = target ? latestContainer(status, target)?.id : undefined;
    if (target && !targetId) throw new Error(`unable to find target container ${target}`);
    await mkdir(join(attempt.sandbox.logDirectory, container.name), { recursive: true, mode: 0o755 });
    return containerConfig(
      {
        pod,
        container,
        restartCount,
        imageRef,
        image: image ?? { username: '' },
        podIps,
        env,
        volumes: this.#deps.volumes(uid),
        resources: this.#deps.resources(pod, container),
        ...(targetId && { targetId }),
      },
      { random, directory: this.#deps.podDirectory(uid), clusterDomain: settings.clusterDomain },
    );
  }

  /** One more than the last; without a container, one more than the newest log, which must not be overwritten. */
  async #restartCount({ pod, status }: Attempt, container: Container): Promise<number> {
    const last = latestContainer(status, container.name);
    if (last) return last.restartCount + 1;
    const directory = join(podLogDirectory(this.#deps.settings.podLogs, pod), container.name);
    const names = await readdir(directory).catch(() => []);
    const counts = names.map(name => /^(\d+)\.log/.exec(name)?.[1]).filter(text => text !== undefined);
    return Math.max(-1, ...counts.map(Number)) + 1;
  }

  async #postStart({ pod, podIps, busy }: Attempt, container: Container, id: string): Promise<void> {
    const handler = container.lifecycle?.postStart;
    if (!handler) return;
    const { engine, clock, recorder } = this.#deps;
    try {
      const target = { containerId: id, container, podIp: podIps[0] ?? '' };
      await busy.wait(runHook(handler, target, { runtime: engine.runtime, clock }));
    } catch (cause) {
      recorder.eventAbout(podRef(pod, container.name), 'Warning', 'FailedPostStartHook', 'PostStartHook failed');
      await killContainer(this.#killDeps(), {
        pod,
        id,
        name: container.name,
        message: 'FailedPostStartHook',
        reason: 'FailedPostStartHook',
        graceSeconds: undefined,
        podIp: podIps[0],
      });
      throw new StartError('PostStartHookError', messageOf(cause), { cause });
    }
  }

  /** Stops all containers, sidecars last, then the sandboxes. `graceSeconds` overrides the pod's. */
  async killPod(pod: Pod, status: PodRuntimeStatus, graceSeconds: number | undefined): Promise<void> {
    await killRunning(this.#killDeps(), pod, status, graceSeconds);
    for (const { id } of status.sandboxes) {
      await this.#deps.engine.runtime.stopPodSandbox(id).catch(error => {
        if (!(error instanceof CriError && error.code === 'notFound')) throw error;
      });
    }
  }
}
