/** Runs postStart and preStop hooks. Upstream: pkg/kubelet/lifecycle/handlers.go. */
import type { Clock } from '#base';
import type { RuntimeService } from '#cri';
import type { Container, LifecycleHandler } from '../api-objects.ts';
import { httpGet, httpTarget } from './http-get.ts';

export interface HookDeps {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
}

const execTimeoutMs = 2 ** 31 - 1;
const httpTimeoutMs = 60_000;

/** Rejects with an Error when the hook failed. `podIp` may be empty. */
export async function runHook(
  handler: LifecycleHandler,
  target: { readonly containerId: string; readonly container: Container; readonly podIp: string },
  { runtime, clock }: HookDeps,
): Promise<void> {
  if (handler.exec) {
    const command = handler.exec.command ?? [];
    const { exitCode, stdout, stderr } = await runtime.execSync(target.containerId, command, execTimeoutMs);
    if (exitCode === 0) return;
    const output = Buffer.concat([stdout, stderr]).toString('utf8');
    const text = `Exec lifecycle hook ([${command.join(' ')}]) for Container "${target.container.name}" failed - error:`;
    throw new Error(`${text} command '${command.join(' ')}' exited with ${exitCode}: ${output}`);
  }
  if (handler.httpGet) {
    const request = httpTarget(handler.httpGet, target.container, target.podIp, 'lifecycle');
    const { status } = await httpGet(request, httpTimeoutMs, clock);
    if (status >= 400) throw new Error(`Http lifecycle hook failed: status ${status}`);
    return;
  }
  if (handler.sleep) {
    await clock.sleep(handler.sleep.seconds * 1000);
    return;
  }
  throw new Error('invalid handler: no action specified');
}
