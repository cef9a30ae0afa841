/** Runs one probe. Upstream: pkg/kubelet/prober/prober.go, pkg/probe/{exec,http,tcp,grpc}. */
import { connect } from 'node:net';
import type { Clock } from '#base';
import { CriError, type RuntimeService } from '#cri';
import type { Container, Probe } from '../api-objects.ts';
import { expand } from '../env/expansion.ts';
import { dialText, type HttpTarget, httpGet, httpTarget, resolvePort } from '../lifecycle/http-get.ts';
import { formatDuration } from '../pod-helpers.ts';

export interface ProbeAnswer {
  readonly result: 'success' | 'warning' | 'failure';
  readonly output: string;
}

export interface ProbeTarget {
  readonly container: Container;
  readonly containerId: string;
  readonly podIp: string;
}

export interface ProberDeps {
  readonly runtime: RuntimeService;
  readonly clock: Clock;
}

const maxOutput = 10 * 1024;
const maxRedirects = 10;

/** Rejects when the probe itself could not be run: then there is no result. */
export async function runProbe(probe: Probe, target: ProbeTarget, deps: ProberDeps): Promise<ProbeAnswer> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  if (probe.exec) return execProbe(probe.exec.command ?? [], target, timeoutMs, deps);
  if (probe.httpGet) {
    const request = httpTarget(probe.httpGet, target.container, target.podIp, 'probe');
    return httpProbe(request, timeoutMs, deps.clock);
  }
  if (probe.tcpSocket) {
    const port = resolvePort(probe.tcpSocket.port as number | string, target.container);
    return tcpProbe(probe.tcpSocket.host || target.podIp, port, timeoutMs, deps.clock);
  }
  if (probe.grpc) {
    const { grpcProbe } = await import('./grpc-probe.ts');
    return grpcProbe(target.podIp, probe.grpc.port, probe.grpc.service ?? '', timeoutMs);
  }
  throw new Error(`missing probe handler for ${target.container.name}`);
}

async function execProbe(
  template: readonly string[],
  { container, containerId }: ProbeTarget,
  timeoutMs: number,
  { runtime }: ProberDeps,
): Promise<ProbeAnswer> {
  const values = new Map((container.env ?? []).map(({ name, value }) => [name, value ?? '']));
  const command = template.map(text => expand(text, name => values.get(name)));
  try {
    const { stdout, stderr, exitCode } = await runtime.execSync(containerId, command, timeoutMs);
    const output = Buffer.concat([stdout, stderr]).subarray(0, maxOutput).toString('utf8');
    return { result: exitCode === 0 ? 'success' : 'failure', output };
  } catch (error) {
    if (!(error instanceof CriError && error.code === 'timeout')) throw error;
    const output = `command timed out: "${command.join(' ')}" timed out after ${formatDuration(timeoutMs)}`;
    return { result: 'failure', output };
  }
}

/** Redirects are followed on the same host alone. */
async function httpProbe(first: HttpTarget, timeoutMs: number, clock: Clock): Promise<ProbeAnswer> {
  let target = first;
  for (let redirects = 0; ; redirects++) {
    let answer: Awaited<ReturnType<typeof httpGet>>;
    try {
      answer = await httpGet(target, timeoutMs, clock);
    } catch (error) {
      return { result: 'failure', output: (error as Error).message };
    }
    const location = answer.headers['location'];
    if (answer.status >= 300 && answer.status < 400 && typeof location === 'string' && redirects < maxRedirects) {
      const scheme = `${target.scheme}://${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`;
      const next = new URL(location, `${scheme}${target.path}`);
      if (next.hostname.replace(/^\[|\]$/g, '') !== first.host) {
        return { result: 'warning', output: `Probe terminated redirects, Response body: ${answer.body}` };
      }
      const port = Number(next.port) || (next.protocol === 'https:' ? 443 : 80);
      target = { ...target, scheme: next.protocol.slice(0, -1), port, path: `${next.pathname}${next.search}` };
      continue;
    }
    if (answer.status >= 200 && answer.status < 400) return { result: 'success', output: answer.body };
    return { result: 'failure', output: `HTTP probe failed with statuscode: ${answer.status}` };
  }
}

function tcpProbe(host: string, port: number, timeoutMs: number, clock: Clock): Promise<ProbeAnswer> {
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>();
  const socket = connect({ host, port });
  const timer = clock.setTimer(() => {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    resolve({ result: 'failure', output: `dial tcp ${address}: i/o timeout` });
  }, timeoutMs);
  socket.on('connect', () => resolve({ result: 'success', output: '' }));
  socket.on('error', cause => resolve({ result: 'failure', output: dialText(cause, { host, port }) }));
  return promise.finally(() => {
    timer.cancel();
    socket.destroy();
  });
}
