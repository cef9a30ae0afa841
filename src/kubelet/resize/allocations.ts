/**
 * Resources that the node has granted to pods, and those that their containers run with: a resize changes the spec
 * first, then the grant if it fits, then the containers. Upstream: pkg/kubelet/allocation/allocation_manager.go,
 * kuberuntime_manager.go (computePodResizeAction).
 *
 * Deviation: grants are not kept on disk; after a restart they are taken from the pods' statuses. Pod-level resources
 * are not resized.
 */

import { formatTime, parseQuantity } from '#apimachinery';
import type { Clock } from '#base';
import type { EventRecorder } from '#client';
import type {
  ApiContainerStatus,
  Container,
  Pod,
  PodCondition,
  ResourceList,
  ResourceRequirements,
} from '../api-objects.ts';
import { podRef } from '../events.ts';
import { allContainers } from '../pod-helpers.ts';
import { podRequest, type Rejection } from '../pods/admission.ts';

type ByContainer = Map<string, ResourceRequirements>;

interface Entry {
  readonly allocated: ByContainer;
  readonly actuated: ByContainer;
  pending: PodCondition | undefined;
  inProgress: PodCondition | undefined;
}

export class Allocations {
  readonly #entries = new Map<string, Entry>();
  readonly #deps: { readonly clock: Clock; readonly recorder: EventRecorder };

  constructor(deps: { readonly clock: Clock; readonly recorder: EventRecorder }) {
    this.#deps = deps;
  }

  /** Grants what an admitted pod asks for; for one that ran before, what its status says. */
  admit(pod: Pod): void {
    const uid = pod.metadata.uid ?? '';
    if (this.#entries.has(uid)) return;
    const allocated: ByContainer = new Map();
    const actuated: ByContainer = new Map();
    const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    for (const container of allContainers(pod.spec)) {
      const status = statuses.find(({ name }) => name === container.name);
      const running = status?.state?.running ? status.resources : undefined;
      allocated.set(container.name, running ?? container.resources ?? {});
      if (running) actuated.set(container.name, running);
    }
    this.#entries.set(uid, { allocated, actuated, pending: undefined, inProgress: undefined });
  }

  forget(uid: string): void {
    this.#entries.delete(uid);
  }

  conditions(pod: Pod): PodCondition[] {
    const entry = this.#entries.get(pod.metadata.uid ?? '');
    return [entry?.pending, entry?.inProgress].filter(each => each !== undefined);
  }

  /** Takes note of what a container was started with, or given. */
  actuate(uid: string, container: Container): void {
    this.#entries.get(uid)?.actuated.set(container.name, container.resources ?? {});
  }

  actuated(uid: string, name: string): ResourceRequirements | undefined {
    return this.#entries.get(uid)?.actuated.get(name);
  }

  /**
   * The pod with the resources that it was granted. A change of the spec is granted when `refuse` has nothing against
   * it, else the pod waits with a condition.
   */
  resolve(pod: Pod, options: { readonly allocatable: ResourceList; refuse(pod: Pod): Rejection | undefined }): Pod {
    const uid = pod.metadata.uid ?? '';
    const entry = this.#entries.get(uid);
    if (!entry) return pod;
    const changed = allContainers(pod.spec).some(each => !sameCompute(each.resources, entry.allocated.get(each.name)));
    if (!changed) {
      entry.pending = undefined;
      return pod;
    }
    const infeasible = beyondNode(pod, options.allocatable);
    const rejection = infeasible ?? options.refuse(pod);
    if (rejection) {
      const reason = infeasible ? 'Infeasible' : 'Deferred';
      const before = entry.pending;
      entry.pending = this.#condition(pod, 'PodResizePending', reason, rejection.message, before);
      if (before?.reason !== reason)
        this.#event(pod, 'Warning', `Resize${reason}`, `Pod resize ${reason}: ${rejection.message}`);
      return withResources(pod, entry.allocated);
    }
    for (const container of allContainers(pod.spec)) entry.allocated.set(container.name, container.resources ?? {});
    entry.pending = undefined;
    entry.inProgress = this.#condition(pod, 'PodResizeInProgress', '', '', undefined);
    this.#event(pod, 'Normal', 'ResizeStarted', `Pod resize started: ${summary(pod)}`);
    return pod;
  }

  /** Running containers whose resources are not those granted, those that get less first. */
  toUpdate(pod: Pod, running: ReadonlySet<string>): Container[] {
    const entry = this.#entries.get(pod.metadata.uid ?? '');
    if (!entry) return [];
    return allContainers(pod.spec)
      .filter(each => running.has(each.name) && !sameCompute(each.resources, entry.actuated.get(each.name)))
      .sort((a, b) => growth(a, entry) - growth(b, entry));
  }

  /** Whether the change to a running container's resources is one that its policy wants a restart for. */
  needsRestart(uid: string, container: Container): boolean {
    const before = this.#entries.get(uid)?.actuated.get(container.name);
    if (!before) return false;
    return ['cpu', 'memory'].some(name => {
      const policy = container.resizePolicy?.find(each => each.resourceName === name)?.restartPolicy;
      return policy === 'RestartContainer' && !sameOf(name, container.resources, before);
    });
  }

  /** All containers have what they were granted: the resize is over. */
  finish(pod: Pod): void {
    const entry = this.#entries.get(pod.metadata.uid ?? '');
    if (!entry?.inProgress) return;
    entry.inProgress = undefined;
    this.#event(pod, 'Normal', 'ResizeCompleted', `Pod resize completed: ${summary(pod)}`);
  }

  fail(pod: Pod, message: string): void {
    const entry = this.#entries.get(pod.metadata.uid ?? '');
    if (!entry) return;
    const before = entry.inProgress;
    entry.inProgress = this.#condition(pod, 'PodResizeInProgress', 'Error', message, before);
    if (before?.reason !== 'Error') this.#event(pod, 'Warning', 'ResizeError', `Pod resize error: ${message}`);
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#deps.recorder.eventAbout(podRef(pod), type, reason, message);
  }

  #condition(pod: Pod, type: string, reason: string, message: string, before: PodCondition | undefined): PodCondition {
    const generation = pod.metadata.generation;
    const same = before?.reason === (reason || undefined) ? before?.lastTransitionTime : undefined;
    return {
      type,
      ...(generation && { observedGeneration: generation }),
      status: 'True',
      lastTransitionTime: same ?? formatTime(this.#deps.clock.now()),
      ...(reason && { reason }),
      ...(message && { message }),
    };
  }
}

function summary(pod: Pod): string {
  const list = (containers: readonly Container[] | undefined): object[] =>
    (containers ?? []).map(({ name, resources = {} }) => ({ name, resources }));
  const init = list(pod.spec.initContainers);
  return JSON.stringify({
    ...(init.length > 0 && { initContainers: init }),
    containers: list(pod.spec.containers),
    generation: pod.metadata.generation ?? 0,
  });
}

function value(resources: ResourceRequirements | undefined, kind: 'requests' | 'limits', name: string): number {
  const text = resources?.[kind]?.[name];
  return text === undefined ? 0 : parseQuantity(text).toNumber();
}

function sameOf(name: string, a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  return (
    value(a, 'requests', name) === value(b, 'requests', name) && value(a, 'limits', name) === value(b, 'limits', name)
  );
}

function sameCompute(a: ResourceRequirements | undefined, b: ResourceRequirements | undefined): boolean {
  return sameOf('cpu', a, b) && sameOf('memory', a, b);
}

function growth(container: Container, { actuated }: Entry): number {
  const before = actuated.get(container.name);
  return value(container.resources, 'limits', 'memory') - value(before, 'limits', 'memory');
}

function withResources(pod: Pod, allocated: ByContainer): Pod {
  const replace = (container: Container): Container => {
    const resources = allocated.get(container.name);
    return resources ? { ...container, resources } : container;
  };
  const { initContainers, containers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      ...(initContainers && { initContainers: initContainers.map(replace) }),
      containers: containers.map(replace),
    },
  };
}

/** No waiting helps: the node is too small. */
function beyondNode(pod: Pod, allocatable: ResourceList): Rejection | undefined {
  for (const name of ['cpu', 'memory']) {
    const capacity = allocatable[name];
    if (capacity === undefined) continue;
    const limit = name === 'cpu' ? parseQuantity(capacity).milliValue() : parseQuantity(capacity).value();
    const requested = podRequest(pod, name);
    if (requested <= limit) continue;
    const message = `Node didn't have enough capacity: ${name}, requested: ${requested}, capacity: ${limit}`;
    return { reason: `OutOf${name}`, message };
  }
  return undefined;
}

/** What the status shows of a container's resources. */
export function shownResources(
  status: ApiContainerStatus,
  actuated: ResourceRequirements | undefined,
): ApiContainerStatus {
  return status.state?.running && actuated ? { ...status, resources: actuated } : status;
}
