import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '#base';
import { type ContainerConfig, CriError } from '../contract.ts';
import { criSuite, type SuiteTarget } from '../suite/index.ts';
import { type ContainerScript, createFakeEngine, type ExecAnswer } from './index.ts';

/** The suite's commands as scripts. */
function script({ command }: ContainerConfig): ContainerScript {
  const [word, ...rest] = command;
  const exec = (words: readonly string[]): ExecAnswer => {
    if (words[0] === 'printing') return { stdout: `${words[1]}\n`, stderr: `${words[2]}\n` };
    if (words[0] === 'exiting') return { exitCode: Number(words[1]) };
    if (words[0] === 'ignoring') return { takesMs: Number.POSITIVE_INFINITY };
    if (words[0] === 'missing') return { startError: 'exec: "missing": executable file not found in $PATH' };
    return {};
  };
  switch (word) {
    case 'until-term':
      return { exitCode: Number(rest[0]), exec };
    case 'ignoring':
      return { stopTakesMs: Number.POSITIVE_INFINITY, exec };
    case 'exiting':
      return { exitAfterMs: 1, exitCode: Number(rest[0]), exec };
    case 'printing':
      return { exitAfterMs: 1, output: [rest[0] ?? ''], errors: [rest[1] ?? ''], exec };
    case 'missing':
      return { startError: 'exec: "missing": executable file not found in $PATH', exec };
    default:
      return { exec };
  }
}

const target: SuiteTarget = {
  name: 'fake',
  commands: {
    untilTerm: code => ['until-term', String(code)],
    ignoringTerm: () => ['ignoring'],
    exiting: code => ['exiting', String(code)],
    printing: (out, err) => ['printing', out, err],
    echoing: () => ['cat'],
    missing: () => ['missing'],
  },
  async start() {
    const logDirectory = await mkdtemp(join(tmpdir(), 'fake-engine-'));
    const engine = createFakeEngine({
      clock: systemClock,
      script,
      images: ['suite:1'],
      async pull(image) {
        throw new CriError('imagePull', `failed to pull ${image}`);
      },
    });
    return {
      engine,
      image: 'suite:1',
      logDirectory,
      async [Symbol.asyncDispose]() {
        await engine[Symbol.asyncDispose]();
        await rm(logDirectory, { recursive: true, force: true });
      },
    };
  },
};

criSuite({ test, after }, target);
