/**
 * Stops containers: preStop hook, grace period, sidecars after the others.
 * Upstream: pkg/kubelet/kuberuntime/kuberuntime_container.go (killContainer), kuberuntime_termination_order.go.
 */

import type { Clock, Logger } from '#base';
import type { EventRecorder } from '#client';
import { CriError, type RuntimeService } from '#cri';
import type { Container, Pod } from '../api-objects.ts';
import { podRef } from '../events.ts';
import { runHook } from '../lifecycle/hooks.ts';
import { findContainer, isRestartableInit } from '../pod-helpers.ts';
import type { KillReason } from './pod-actions.ts';
import type { PodRuntimeStatus } from './pod-runtime-status.ts';

export interface KillDeps {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: EventRecorder;
}

export interface KillRequest {
  readonly pod: Pod;
  readonly id: string;
  readonly name: string;
  /** Empty: `Stopping container <name>`. */
  readonly message: string;
  readonly reason: KillReason;
  /** Overrides the pod's own. */
  readonly graceSeconds: number | undefined;
  readonly podIp: string | undefined;
  /** Resolves when it is this container's turn to end. */
  readonly turn?: Promise<void>;
}

const minimumGraceSeconds = 2;

/** Grace period of a container: deletion's, else the pod's, else the failed probe's own. */
export function gracePeriodSeconds(pod: Pod, container: Container, reason: KillReason): number {
  const deletion = pod.metadata.deletionGracePeriodSeconds;
  if (deletion !== undefined) return deletion;
  const own = pod.spec.terminationGracePeriodSeconds;
  if (own === undefined) return minimumGraceSeconds;
  const probe =
    reason === 'StartupProbe'
      ? container.startupProbe
      : reason === 'LivenessProbe'
        ? container.livenessProbe
        : undefined;
  return probe?.terminationGracePeriodSeconds ?? own;
}

export async function killContainer(deps: KillDeps, request: KillRequest): Promise<void> {
  const { runtime, clock, recorder } = deps;
  const { pod, id, name } = request;
  const container = findContainer(pod.spec, name) ?? { name };
  const message = request.message || `Stopping container ${name}`;
  recorder.eventAbout(podRef(pod, name), 'Normal', 'Killing', message);
  const grace = request.graceSeconds ?? gracePeriodSeconds(pod, container, request.reason);
  const beganMs = clock.monotonicMs();
  const left = (): number => grace - Math.trunc((clock.monotonicMs() - beganMs) / 1000);
  if (container.lifecycle?.preStop && grace > 0) await preStop(deps, request, container, grace);
  if (request.turn && left() > 0) await within(clock, left() * 1000, request.turn);
  const timeoutMs = Math.max(minimumGraceSeconds, left()) * 1000;
  try {
    await runtime.stopContainer(id, timeoutMs);
  } catch (error) {
    if (!(error instanceof CriError && error.code === 'notFound')) throw error;
  }
}

async function preStop(deps: KillDeps, request: KillRequest, container: Container, grace: number): Promise<void> {
  const { runtime, clock, logger, recorder } = deps;
  const target = { containerId: request.id, container, podIp: request.podIp ?? '' };
  const hook = runHook(container.lifecycle!.preStop!, target, { runtime, clock }).catch(error => {
    logger.warn('preStop hook failed', { pod: request.pod.metadata.name, container: container.name, error });
    recorder.eventAbout(podRef(request.pod, container.name), 'Warning', 'FailedPreStopHook', 'PreStopHook failed');
  });
  await within(clock, grace * 1000, hook);
}

/** Resolves with `work`, at the latest after `timeoutMs`. */
async function within(clock: Clock, timeoutMs: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = clock.setTimer(resolve, timeoutMs);
  await Promise.race([work, promise]);
  timer.cancel();
}

/** Stops all running containers side by side; rejects with the first failure after all were tried. */
export async function killRunning(
  deps: KillDeps,
  pod: Pod,
  status: PodRuntimeStatus,
  graceSeconds: number | undefined,
): Promise<void> {
  const running = status.containers.filter(each => each.state === 'RUNNING' || each.state === 'UNKNOWN');
  const turns = terminationTurns(pod, new Set(running.map(({ name }) => name)));
  const results = await Promise.allSettled(
    running.map(async ({ id, name }) => {
      const turn = turns.get(name);
      const request = { pod, id, name, message: '', reason: 'Unknown', graceSeconds, podIp: status.ips[0] } as const;
      await killContainer(deps, turn ? { ...request, turn: turn.wait } : request);
      turn?.ended();
    }),
  );
  const failed = results.find(result => result.status === 'rejected');
  if (failed) throw failed.reason;
}

interface Turn {
  readonly wait: Promise<void>;
  ended(): void;
}

/** Sidecars end after all regular containers, the last of them first. */
function terminationTurns(pod: Pod, running: ReadonlySet<string>): ReadonlyMap<string, Turn> {
  const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit).map(({ name }) => name);
  if (sidecars.length === 0) return new Map();
  const ends = new Map<string, PromiseWithResolvers<void>>();
  for (const name of running) ends.set(name, Promise.withResolvers<void>());
  const turns = new Map<string, Turn>();
  const regular = pod.spec.containers.map(({ name }) => name);
  for (const name of running) {
    const at = sidecars.indexOf(name);
    const before = at < 0 ? [] : [...regular, ...sidecars.slice(at + 1)];
    const wait = Promise.all(before.map(each => ends.get(each)?.promise)).then(() => {});
    turns.set(name, { wait, ended: () => ends.get(name)!.resolve() });
  }
  return turns;
}
