/** Container logs over HTTP. Upstream: server.go (getContainerLogs), kubelet_pods.go (validateContainerLogStatus). */
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { parseTimeMs } from '#apimachinery';
import type { PodStatus } from '../api-objects.ts';
import type { KubeletDeps } from '../config.ts';
import { type LogOptions, readLogs } from '../logs/read-logs.ts';
import { findContainer, findStatus } from '../pod-helpers.ts';
import { type Exchange, HttpError, isTrue, type Route } from './http.ts';
import type { ServerParts } from './server.ts';

export function logRoutes(deps: KubeletDeps, { agent }: ServerParts): Route[] {
  const handle = async ({ response, url, names }: Exchange): Promise<void> => {
    const [namespace = '', podName = '', containerName = ''] = names;
    const options = logOptions(url.searchParams, deps.clock.now());
    const pod = agent.findPod(namespace, podName);
    if (!pod) throw new HttpError(404, `pod "${podName}" does not exist`);
    if (!findContainer(pod.spec, containerName)) {
      throw new HttpError(404, `container "${containerName}" not found in pod "${podName}"`);
    }
    const status = agent.status(pod.metadata.uid ?? '') ?? pod.status ?? {};
    const id = containerToRead(podName, status, containerName, isTrue(url.searchParams.get('previous')));
    const { runtime } = deps.engine;
    const container = await runtime.containerStatus(id).catch(() => {
      throw new HttpError(400, `unable to retrieve container logs for ${id}`);
    });
    const stop = new AbortController();
    response.on('close', () => stop.abort());
    const source = {
      path: container.logPath,
      running: async () => (await runtime.containerStatus(id).catch(() => undefined))?.state === 'RUNNING',
    };
    await access(container.logPath).catch(error => {
      throw new HttpError(400, `failed to open log file "${container.logPath}": ${(error as Error).message}`);
    });
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.flushHeaders();
    for await (const piece of readLogs(source, options, { clock: deps.clock, signal: stop.signal })) {
      if (response.write(piece) || stop.signal.aborted) continue;
      await once(response, 'drain', { signal: stop.signal }).catch(() => {});
    }
    response.end();
  };
  return [{ methods: ['GET'], pattern: /^\/containerLogs\/([^/]+)\/([^/]+)\/([^/]+)$/, handle }];
}

function logOptions(query: URLSearchParams, nowMs: number): LogOptions {
  const integer = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || (name === 'tail' && text === 'all')) return undefined;
    const value = Number(text);
    if (!/^-?\d+$/.test(text)) throw new HttpError(400, '{"message": "Unable to decode query."}');
    if (value < least) throw new HttpError(422, '{"message": "Invalid request."}');
    return value;
  };
  const since = query.get('sinceTime');
  const sinceSeconds = integer('sinceSeconds', 1);
  const sinceMs = sinceSeconds === undefined ? (since ? parseTimeMs(since) : undefined) : nowMs - sinceSeconds * 1000;
  return {
    follow: isTrue(query.get('follow')),
    timestamps: isTrue(query.get('timestamps')),
    tailLines: integer('tail', 0) ?? integer('tailLines', 0),
    limitBytes: integer('limitBytes', 1),
    sinceMs,
    stream: (query.get('stream') ?? 'All') as LogOptions['stream'],
  };
}

/** Id of the container whose log is meant; throws with upstream's text when there is none. */
function containerToRead(podName: string, status: PodStatus, name: string, previous: boolean): string {
  const found =
    findStatus(status.containerStatuses, name) ??
    findStatus(status.initContainerStatuses, name) ??
    findStatus(status.ephemeralContainerStatuses, name);
  const what = `container "${name}" in pod "${podName}"`;
  if (!found) throw new HttpError(400, `${what} is not available`);
  const { state = {}, lastState } = found;
  const last = lastState?.terminated;
  const idOf = (text: string | undefined): string => text?.slice(text.indexOf('://') + 3) ?? '';
  if (previous) {
    if (!last?.containerID) throw new HttpError(400, `previous terminated ${what} not found`);
    return idOf(last.containerID);
  }
  if (state.running) return idOf(found.containerID);
  const ended = state.terminated?.containerID || last?.containerID;
  if (state.terminated || last) {
    if (!ended) throw new HttpError(400, `${what} is terminated`);
    return idOf(ended);
  }
  const reason = state.waiting?.reason ?? '';
  const why =
    reason === 'ErrImagePull'
      ? "image can't be pulled"
      : reason === 'ImagePullBackOff'
        ? 'trying and failing to pull image'
        : reason;
  throw new HttpError(400, `${what} is waiting to start: ${why}`);
}
