/** A gRPC health check. Upstream: pkg/probe/grpc/grpc.go. The library is loaded when the first such probe runs. */
import { Client, credentials, status } from '@grpc/grpc-js';
import { formatDuration } from '../pod-helpers.ts';
import type { ProbeAnswer } from './prober.ts';

const method = '/grpc.health.v1.Health/Check';
const states = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

export function grpcProbe(host: string, port: number, service: string, timeoutMs: number): Promise<ProbeAnswer> {
  const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  const client = new Client(address, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  const { promise, resolve } = Promise.withResolvers<ProbeAnswer>();
  const failure = (output: string): void => resolve({ result: 'failure', output });
  // The deadline is the library's, on the machine's clock, like all outside I/O.
  const options = { deadline: timeoutMs === 0 ? Infinity : performance.timeOrigin + performance.now() + timeoutMs };
  client.makeUnaryRequest(method, encodeRequest, decodeState, service, options, (error, state) => {
    if (!error) {
      const text = states[state ?? 0] ?? String(state);
      if (text === 'SERVING') resolve({ result: 'success', output: 'service healthy' });
      else failure(`service unhealthy (responded with "${text}")`);
    } else if (error.code === status.UNIMPLEMENTED) {
      failure(
        `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${error.details}`,
      );
    } else if (error.code === status.DEADLINE_EXCEEDED) {
      failure(`timeout: health rpc did not complete within ${formatDuration(timeoutMs)}`);
    } else if (error.code === status.UNAVAILABLE) {
      const within = formatDuration(timeoutMs);
      failure(`timeout: failed to connect service "${address}" within ${within}: ${error.details}`);
    } else failure(`error: health rpc probe failed: ${error.message}`);
  });
  return promise.finally(() => client.close());
}

/** HealthCheckRequest { 1: service }. */
function encodeRequest(service: string): Buffer {
  const text = Buffer.from(service);
  if (text.length === 0) return Buffer.alloc(0);
  const length: number[] = [];
  for (let rest = text.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Buffer.concat([Buffer.from([0x0a, ...length]), text]);
}

/** HealthCheckResponse { 1: status }. */
function decodeState(message: Buffer): number {
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
