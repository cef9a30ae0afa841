/** The container engine with real containers: CRI's suite, then what only a real engine can show. Needs root and crun or runc. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger, systemClock } from '#base';
import type { Cni } from '#cni';
import { createContainerEngine, type KobuneEngine } from '#container-runtime';
import { criSuite, type SuiteEngine } from '#cri/suite';
import { buildNative } from '../../hack/build-native.ts';

const image = 'kobune.test/host:1';

/** Leaves the namespace with a loopback alone. */
const loopbackOnly: Cni = {
  add: async () => ({ ips: ['127.0.0.1'] }),
  del: async () => {},
  notReadyReason: async () => undefined,
};

function reasonToSkip(): string | undefined {
  if (process.platform !== 'linux') return 'containers run on Linux only';
  if (process.getuid?.() !== 0) return 'containers need root';
  const runtimes = ['crun', 'runc'].filter(name => spawnSync(name, ['--version']).status === 0);
  if (runtimes.length === 0) return 'neither crun nor runc is installed';
  return buildNative();
}

async function startEngine(dir: string): Promise<KobuneEngine> {
  return createContainerEngine(
    { clock: systemClock, logger: silentLogger, cni: loopbackOnly },
    { nodeDir: join(dir, 'node'), runDir: join(dir, 'run'), cgroupPrefix: `/kobune-test-${process.pid}` },
  );
}

const shell = (script: string): string[] => ['sh', '-c', script];

criSuite(
  { test, after },
  {
    name: 'container engine',
    ...(reasonToSkip() === undefined ? {} : { skipAll: reasonToSkip()! }),
    commands: {
      untilTerm: code => shell(`trap 'exit ${code}' TERM; while :; do sleep 1000 & wait $!; done`),
      ignoringTerm: () => shell(`trap '' TERM; while :; do sleep 1000; done`),
      exiting: code => shell(`exit ${code}`),
      printing: (out, err) => shell(`echo '${out}'; echo '${err}' >&2`),
      echoing: () => ['cat'],
      missing: () => ['no-such-command'],
    },
    async start(): Promise<SuiteEngine> {
      const dir = mkdtempSync(join(tmpdir(), 'kb-cri-'));
      const engine = await startEngine(dir);
      await engine.buildFromHost({ names: [image], node: false });
      return {
        engine,
        image,
        logDirectory: join(dir, 'logs'),
        async [Symbol.asyncDispose]() {
          await engine.removeEverything({ images: true });
          await engine[Symbol.asyncDispose]();
          await rm(dir, { recursive: true, force: true });
        },
      };
    },
  },
);
