/**
 * The behaviour that every container engine owes its kubelet (`../contract.ts`), as tests for node:test. An engine's own
 * test file calls {@link criSuite} with a target. What an engine cannot do is skipped with a printed reason.
 */
import type { ContainerEngine } from '../contract.ts';
import { containerTests } from './containers.ts';
import { imageTests } from './images.ts';
import { sandboxTests } from './sandboxes.ts';
import { streamTests } from './streams.ts';

/** Commands with a known behaviour, in words of the target's image (or of the fake). */
export interface SuiteCommands {
  /** Runs until SIGTERM, then ends with `exitCode`. */
  untilTerm(exitCode: number): readonly string[];
  /** Runs for ever and ignores SIGTERM. */
  ignoringTerm(): readonly string[];
  exiting(exitCode: number): readonly string[];
  /** Writes one line to stdout and one to stderr, then ends with 0. */
  printing(stdoutLine: string, stderrLine: string): readonly string[];
  /** Copies stdin to stdout until its end, then ends with 0. */
  echoing(): readonly string[];
  /** Names a program that is not in the image. */
  missing(): readonly string[];
}

/** An engine under test, ready for pods. */
export interface SuiteEngine extends AsyncDisposable {
  readonly engine: ContainerEngine;
  /** An image that is present, and whose commands are those of the target. */
  readonly image: string;
  /** A directory for pods' logs; undefined when the engine writes none that can be read as files. */
  readonly logDirectory: string | undefined;
  /** Resolves when a started `untilTerm` container minds SIGTERM; absent when it does so from its start. */
  settled?(containerId: string): Promise<void>;
}

export interface SuiteTarget {
  readonly name: string;
  readonly commands: SuiteCommands;
  /** Called once; disposed of when all tests have run. */
  start(): Promise<SuiteEngine>;
  /** Titles of tests that this engine cannot pass, with the reason. */
  readonly skips?: Readonly<Record<string, string>>;
  /** Why nothing can run here; every test is then skipped with it. */
  readonly skipAll?: string;
}

/** A test of the suite: gets the engine and must clean up after itself. */
export interface SuiteCase {
  readonly title: string;
  run(engine: SuiteEngine, commands: SuiteCommands): Promise<void>;
}

const cases: readonly SuiteCase[] = [...sandboxTests, ...containerTests, ...streamTests, ...imageTests];

/** What of node:test the suite uses; passed in so that this layer stays free of it at run time. */
export interface TestRunner {
  test(title: string, options: { skip?: string }, body: () => Promise<void>): unknown;
  after(body: () => Promise<void>): unknown;
}

/** Registers the tests. */
export function criSuite(runner: TestRunner, target: SuiteTarget): void {
  let started: Promise<SuiteEngine> | undefined;
  for (const { title, run } of cases) {
    const skip = target.skipAll ?? target.skips?.[title];
    runner.test(`${target.name}: ${title}`, skip === undefined ? {} : { skip }, async () => {
      await run(await (started ??= target.start()), target.commands);
    });
  }
  runner.after(async () => {
    await (await started)?.[Symbol.asyncDispose]();
  });
}
