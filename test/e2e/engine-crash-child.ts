/**
 * Makes and removes pods without end, until it is killed: the victim of container-runtime.test.ts.
 * Arguments: directory of everything, cgroup prefix, image.
 */
import { join } from 'node:path';
import { silentLogger, systemClock } from '#base';
import { createContainerEngine } from '#container-runtime';
import { podConfig, runContainer } from '../../src/cri/suite/pods.ts';

const [dir = '', cgroupPrefix = '', image = ''] = process.argv.slice(2);
const engine = await createContainerEngine(
  {
    clock: systemClock,
    logger: silentLogger,
    cni: { add: async () => ({ ips: [] }), del: async () => {}, notReadyReason: async () => undefined },
  },
  { nodeDir: join(dir, 'node'), runDir: join(dir, 'run'), cgroupPrefix },
);
const target = { engine, image, logDirectory: join(dir, 'logs'), [Symbol.asyncDispose]: async () => {} };

async function churn(name: string): Promise<never> {
  for (let round = 0; ; round++) {
    const namespaces = { network: 'POD', pid: round % 2 ? 'POD' : 'CONTAINER', ipc: 'POD' } as const;
    const pod = podConfig(target, `${name}-${round}`, { namespaces });
    const sandbox = await engine.runtime.runPodSandbox(pod, '');
    const id = await runContainer(target, sandbox, pod, ['sleep', '1000']);
    console.log(`running ${id}`);
    if (round % 3 > 0) await engine.runtime.removePodSandbox(sandbox);
  }
}

await Promise.all(['a', 'b'].map(churn));
