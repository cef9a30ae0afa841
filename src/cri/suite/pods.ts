/** Configs of pods and containers for the suite, and small helpers to watch them. */
import type {
  ContainerConfig,
  ContainerEngine,
  ContainerEvent,
  ContainerStatus,
  PodSandboxConfig,
} from '../contract.ts';
import type { SuiteEngine } from './index.ts';

const namespaces = { network: 'NODE', pid: 'CONTAINER', ipc: 'POD' } as const;

/** A pod on the host's network, so that no pod network is needed. `uid` must be unique in a test. */
export function podConfig(target: SuiteEngine, uid: string, change: Partial<PodSandboxConfig> = {}): PodSandboxConfig {
  return {
    metadata: { name: `pod-${uid}`, uid, namespace: 'suite', attempt: 0 },
    hostname: `pod-${uid}`,
    logDirectory: target.logDirectory === undefined ? '' : `${target.logDirectory}/${uid}`,
    portMappings: [],
    labels: { app: 'suite' },
    annotations: { note: uid },
    cgroupParent: `/kubepods/besteffort/pod${uid}`,
    namespaces,
    sysctls: {},
    ...change,
  };
}

export function containerConfig(
  target: SuiteEngine,
  command: readonly string[],
  change: Partial<ContainerConfig> = {},
): ContainerConfig {
  return {
    metadata: { name: 'main', attempt: 0 },
    image: target.image,
    command,
    args: [],
    workingDir: '',
    envs: [],
    mounts: [],
    devices: [],
    labels: { container: 'main' },
    annotations: { tier: 'test' },
    logPath: target.logDirectory === undefined ? '' : 'main/0.log',
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    securityContext: {
      privileged: false,
      readonlyRootfs: false,
      supplementalGroups: [],
      addCapabilities: [],
      dropCapabilities: [],
      noNewPrivs: false,
      maskedPaths: [],
      readonlyPaths: [],
      namespaces,
    },
    ...change,
  };
}

/** Runs `body` with a fresh pod, which is removed afterwards whatever happened. */
export async function withPod(
  target: SuiteEngine,
  uid: string,
  body: (sandboxId: string, config: PodSandboxConfig) => Promise<void>,
): Promise<void> {
  const config = podConfig(target, uid);
  const id = await target.engine.runtime.runPodSandbox(config, '');
  try {
    await body(id, config);
  } finally {
    await target.engine.runtime.removePodSandbox(id);
  }
}

/** Creates and starts a container in the pod. */
export async function runContainer(
  target: SuiteEngine,
  sandboxId: string,
  pod: PodSandboxConfig,
  command: readonly string[],
  change: Partial<ContainerConfig> = {},
): Promise<string> {
  const { runtime } = target.engine;
  const id = await runtime.createContainer(sandboxId, containerConfig(target, command, change), pod);
  await runtime.startContainer(id);
  return id;
}

/** Collects events from now on. */
export function recordEvents(engine: ContainerEngine): {
  readonly seen: readonly ContainerEvent[];
  /** Resolves with the first event, seen or to come, that fits. */
  until(fits: (event: ContainerEvent) => boolean): Promise<ContainerEvent>;
  stop(): void;
} {
  const abort = new AbortController();
  const seen: ContainerEvent[] = [];
  let waiters: Array<() => void> = [];
  const stream = engine.runtime.events(abort.signal);
  void (async () => {
    for await (const event of stream) {
      seen.push(event);
      for (const wake of waiters.splice(0)) wake();
    }
    waiters.forEach(wake => wake());
  })();
  return {
    seen,
    async until(fits) {
      for (let at = 0; ; at++) {
        while (at >= seen.length) {
          if (abort.signal.aborted) throw new Error('stopped before the event came');
          await new Promise<void>(resolve => (waiters = [...waiters, resolve]));
        }
        if (fits(seen[at]!)) return seen[at]!;
      }
    },
    stop: () => abort.abort(),
  };
}

/** Waits, by events, until the container has ended. */
export async function untilExited(engine: ContainerEngine, id: string): Promise<ContainerStatus> {
  const events = recordEvents(engine);
  try {
    const now = await engine.runtime.containerStatus(id);
    if (now.state !== 'EXITED') await events.until(event => event.type === 'STOPPED' && event.containerId === id);
    return await engine.runtime.containerStatus(id);
  } finally {
    events.stop();
  }
}
