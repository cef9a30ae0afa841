/** Health, pods, and what containers use. Upstream: server.go, stats/summary.go, metrics/collectors/resource_metrics.go. */
import { formatTime } from '#apimachinery';
import type { ContainerStats } from '#cri';
import type { KubeletConfig, KubeletDeps } from '../config.ts';
import { availableMemoryBytes } from '../node/machine.ts';
import { containerNameLabel, podNameLabel, podNamespaceLabel, podUidLabel } from '../runtime/labels.ts';
import { type Exchange, HttpError, type Route, sendJson, sendText } from './http.ts';
import type { ServerParts } from './server.ts';

export function statsRoutes(deps: KubeletDeps, config: KubeletConfig, parts: ServerParts): Route[] {
  const { runtime } = deps.engine;
  const get = (pattern: RegExp, handle: Route['handle']): Route => ({ methods: ['GET', 'HEAD'], pattern, handle });
  const run = async ({ url, response, names }: Exchange): Promise<void> => {
    const [namespace = '', name = '', uid = '', container = ''] = names;
    const pod = parts.agent.findPod(namespace, name, uid || undefined);
    if (!pod) throw new HttpError(404, 'pod does not exist');
    const found = await parts.agent.container(pod, container);
    if (!found) throw new HttpError(404, `container not found ("${container}")`);
    const command = (url.searchParams.get('cmd') ?? '').split(' ').filter(Boolean);
    const { stdout, stderr, exitCode } = await runtime.execSync(found.id, command, 2 ** 31 - 1);
    const output = Buffer.concat([stdout, stderr]).toString('utf8');
    if (exitCode === 0) sendText(response, 200, output);
    else throw new HttpError(500, `command '${command.join(' ')}' exited with ${exitCode}: ${output}`);
  };
  return [
    get(/^\/healthz(?:\/(?:ping|log|syncloop))?$/, ({ response }) => sendText(response, 200, 'ok')),
    get(/^\/pods\/?$/, ({ response }) => {
      const items = parts.agent
        .pods()
        .map(pod => ({ ...pod, status: parts.agent.status(pod.metadata.uid ?? '') ?? pod.status }));
      sendJson(response, { kind: 'PodList', apiVersion: 'v1', metadata: {}, items });
    }),
    get(/^\/stats\/summary$/, async ({ response }) => {
      sendJson(response, await summary(deps, config, parts, await runtime.listContainerStats()));
    }),
    get(/^\/metrics\/resource$/, async ({ response }) => {
      sendText(response, 200, resourceMetrics(await runtime.listContainerStats()), 'text/plain; version=0.0.4');
    }),
    get(/^\/metrics$/, ({ response }) => sendText(response, 200, deps.metrics.render(), 'text/plain; version=0.0.4')),
    get(/^\/configz$/, ({ response }) => sendJson(response, { kubeletconfig: config })),
    { methods: ['POST', 'GET'], pattern: /^\/run\/([^/]+)\/([^/]+)()\/([^/]+)$/, handle: run },
    { methods: ['POST', 'GET'], pattern: /^\/run\/([^/]+)\/([^/]+)\/([^/]+)\/([^/]+)$/, handle: run },
  ];
}

async function summary(
  { paths, clock, engine }: KubeletDeps,
  config: KubeletConfig,
  { machine, agent }: ServerParts,
  stats: readonly ContainerStats[],
): Promise<object> {
  const time = formatTime(clock.now());
  const availableBytes = await availableMemoryBytes(paths.procfs);
  const images = await engine.images.imageFsInfo().catch(() => undefined);
  const byPod = Map.groupBy(stats, each => each.labels[podUidLabel] ?? '');
  const pods = [...byPod].map(([uid, list]) => {
    const labels = list[0]!.labels;
    const sum = (read: (each: ContainerStats) => number): number => list.reduce((all, each) => all + read(each), 0);
    const pod = agent.findPod(labels[podNamespaceLabel] ?? '', labels[podNameLabel] ?? '');
    return {
      podRef: { name: labels[podNameLabel], namespace: labels[podNamespaceLabel], uid },
      startTime: pod?.status?.startTime ?? time,
      containers: list.map(containerSummary),
      cpu: { time, usageCoreNanoSeconds: sum(each => each.cpuUsageCoreNanoSeconds) },
      memory: {
        time,
        usageBytes: sum(each => each.memoryUsageBytes),
        workingSetBytes: sum(each => each.memoryWorkingSetBytes),
        rssBytes: sum(each => each.memoryRssBytes),
      },
    };
  });
  const used = machine.memoryBytes - availableBytes;
  return {
    node: {
      nodeName: config.nodeName,
      systemContainers: [],
      startTime: time,
      memory: { time, availableBytes, usageBytes: used, workingSetBytes: used },
      runtime: { imageFs: { time, usedBytes: images?.usedBytes ?? 0, inodesUsed: images?.inodesUsed ?? 0 } },
    },
    pods,
  };
}

function containerSummary(stats: ContainerStats): object {
  const time = formatTime(stats.atMs);
  return {
    name: stats.labels[containerNameLabel],
    startTime: time,
    cpu: { time, usageCoreNanoSeconds: stats.cpuUsageCoreNanoSeconds },
    memory: {
      time,
      usageBytes: stats.memoryUsageBytes,
      workingSetBytes: stats.memoryWorkingSetBytes,
      rssBytes: stats.memoryRssBytes,
    },
    rootfs: { time, usedBytes: stats.writableLayerBytes, inodesUsed: stats.writableLayerInodes },
  };
}

function resourceMetrics(stats: readonly ContainerStats[]): string {
  const labels = (each: ContainerStats): string =>
    `{container="${each.labels[containerNameLabel]}",namespace="${each.labels[podNamespaceLabel]}",pod="${each.labels[podNameLabel]}"}`;
  const family = (name: string, help: string, type: string, read: (each: ContainerStats) => number): string => {
    const lines = stats.map(each => `${name}${labels(each)} ${read(each)} ${Math.trunc(each.atMs)}`);
    return `# HELP ${name} [STABLE] ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
  };
  return [
    family(
      'container_cpu_usage_seconds_total',
      'Cumulative cpu time consumed by the container in core-seconds',
      'counter',
      each => each.cpuUsageCoreNanoSeconds / 1e9,
    ),
    family(
      'container_memory_working_set_bytes',
      'Current working set of the container in bytes',
      'gauge',
      each => each.memoryWorkingSetBytes,
    ),
    '# HELP scrape_error [ALPHA] 1 if there was an error while getting container metrics, 0 otherwise\n# TYPE scrape_error gauge\nscrape_error 0\n',
  ].join('');
}
