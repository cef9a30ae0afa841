/**
 * What the engine knows of one pod, read in two lists. Upstream: pkg/kubelet/container/runtime.go (PodStatus),
 * pkg/kubelet/kuberuntime/kuberuntime_manager.go (GetPodStatus), kuberuntime_container.go (termination messages).
 */
import { open, readFile } from 'node:fs/promises';
import type { ContainerStatus, PodSandboxStatus, RuntimeService } from '#cri';
import { readLogTail } from '../logs/cri-log.ts';
import { type ContainerFacts, containerFacts, containerNameLabel, podUidLabel } from './labels.ts';

export interface RuntimeContainer extends ContainerFacts {
  readonly id: string;
  readonly name: string;
  readonly podSandboxId: string;
  readonly state: ContainerStatus['state'];
  readonly createdAtMs: number;
  readonly startedAtMs: number;
  readonly finishedAtMs: number;
  readonly exitCode: number;
  readonly reason: string;
  /** With the termination message, once exited. */
  readonly message: string;
  readonly image: string;
  readonly imageRef: string;
  readonly logPath: string;
}

export interface PodRuntimeStatus {
  readonly uid: string;
  /** Of the newest sandbox, if it is ready. */
  readonly ips: readonly string[];
  /** Newest first. */
  readonly sandboxes: readonly PodSandboxStatus[];
  /** Newest first; several by one name after restarts. */
  readonly containers: readonly RuntimeContainer[];
}

const maxMessageBytes = 4096;
const maxLogBytes = 2048;
const maxLogLines = 80;

export function emptyRuntimeStatus(uid: string): PodRuntimeStatus {
  return { uid, ips: [], sandboxes: [], containers: [] };
}

/** The newest container called `name`. */
export function latestContainer(status: PodRuntimeStatus, name: string): RuntimeContainer | undefined {
  return status.containers.find(container => container.name === name);
}

/** Reads the pod's sandboxes and containers. */
export async function readPodRuntimeStatus(
  runtime: RuntimeService,
  uid: string,
  messages: TerminationMessages,
): Promise<PodRuntimeStatus> {
  const sandboxes = [...(await runtime.listPodSandboxes({ podUid: uid }))].sort(newestFirst);
  const lists = await Promise.all(sandboxes.map(({ id }) => runtime.listContainers({ podSandboxId: id })));
  const containers = await Promise.all(
    lists
      .flat()
      .filter(container => container.labels[podUidLabel] === uid)
      .map(container => toRuntimeContainer(container, messages)),
  );
  const newest = sandboxes[0];
  return {
    uid,
    ips: newest?.state === 'READY' ? newest.ips : [],
    sandboxes,
    containers: containers.sort(newestFirst),
  };
}

/** By creation, attempt and id, so that the order is total. */
function newestFirst(
  a: { createdAtMs: number; id: string; restartCount?: number; metadata?: { attempt: number } },
  b: { createdAtMs: number; id: string; restartCount?: number; metadata?: { attempt: number } },
): number {
  const attempt = (x: typeof a): number => x.restartCount ?? x.metadata?.attempt ?? 0;
  return b.createdAtMs - a.createdAtMs || attempt(b) - attempt(a) || (a.id < b.id ? 1 : -1);
}

async function toRuntimeContainer(status: ContainerStatus, messages: TerminationMessages): Promise<RuntimeContainer> {
  const facts = containerFacts(status.annotations);
  const exited = status.state === 'EXITED';
  const text = exited ? await messages.read(status, facts) : '';
  return {
    ...facts,
    id: status.id,
    name: status.labels[containerNameLabel] ?? status.metadata.name,
    podSandboxId: status.podSandboxId,
    state: status.state,
    createdAtMs: status.createdAtMs,
    startedAtMs: status.startedAtMs,
    finishedAtMs: status.finishedAtMs,
    exitCode: exited ? status.exitCode : 0,
    reason: exited ? status.reason : '',
    message: exited ? [status.message, text].filter(Boolean).join(': ') : '',
    image: status.image,
    imageRef: status.imageRef,
    logPath: status.logPath,
  };
}

/** Termination messages, read once a container. */
export class TerminationMessages {
  readonly #known = new Map<string, string>();

  async read(status: ContainerStatus, facts: ContainerFacts): Promise<string> {
    const known = this.#known.get(status.id);
    if (known !== undefined) return known;
    const text = await readTerminationMessage(status, facts);
    this.#known.set(status.id, text);
    return text;
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
  }
}

async function readTerminationMessage(status: ContainerStatus, facts: ContainerFacts): Promise<string> {
  const fallback =
    facts.terminationMessagePolicy === 'FallbackToLogsOnError' &&
    status.exitCode !== 0 &&
    status.reason !== 'ContainerCannotRun';
  const path = absolute(facts.terminationMessagePath);
  const mount = path ? status.mounts.find(each => each.containerPath === path) : undefined;
  if (mount) {
    try {
      const text = await readEnd(mount.hostPath, maxMessageBytes);
      if (text !== '' || !fallback) return text;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
        return `Error on reading termination log ${mount.hostPath}: ${(cause as Error).message}`;
      }
    }
  }
  if (!fallback) return '';
  try {
    return await readLogTail(status.logPath, maxLogLines, maxLogBytes);
  } catch (cause) {
    return `Error on reading termination message from logs: ${(cause as Error).message}`;
  }
}

function absolute(path: string): string {
  return path === '' || path.startsWith('/') ? path : `/${path}`;
}

/** At most the last `bytes` of a file. */
async function readEnd(path: string, bytes: number): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    if (size <= bytes) return (await readFile(path)).toString('utf8');
    const buffer = Buffer.alloc(bytes);
    await file.read(buffer, 0, bytes, size - bytes);
    return buffer.toString('utf8');
  } finally {
    await file.close();
  }
}
