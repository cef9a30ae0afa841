/** An engine in memory, for tests of a kubelet: containers behave as their script says, on the clock given. */
export { createFakeEngine, type FakeEngine, type FakeEngineOptions } from './fake-engine.ts';
export type { ContainerScript, ExecAnswer } from './script.ts';
