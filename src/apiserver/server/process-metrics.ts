/**
 * What the process uses and which version it serves, under upstream's names. Upstream: prometheus client_golang
 * process collector, component-base metrics/prometheus/version.
 */
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock, MetricsRegistry } from '#base';
import { versionInfo } from './version.ts';

const pageBytes = 4096;

/** A value that this system cannot tell is left out. */
function told(read: () => number): () => number | undefined {
  return () => {
    try {
      const value = read();
      return Number.isFinite(value) ? value : undefined;
    } catch {
      return undefined;
    }
  };
}

function maxOpenFiles(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
}

export function registerProcessMetrics(registry: MetricsRegistry, clock: Clock): void {
  const startedSeconds = clock.now() / 1000 - process.uptime();
  registry.valueFunction(
    'counter',
    'process_cpu_seconds_total',
    'Total user and system CPU time spent in seconds.',
    () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
  );
  const gauge = (name: string, help: string, read: () => number): void =>
    registry.valueFunction('gauge', name, help, told(read));
  gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss());
  gauge('process_virtual_memory_bytes', 'Virtual memory size in bytes.', () => {
    return Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]) * pageBytes;
  });
  gauge('process_open_fds', 'Number of open file descriptors.', () => readdirSync('/proc/self/fd').length - 1);
  gauge('process_max_fds', 'Maximum number of open file descriptors.', maxOpenFiles);
  gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', () => startedSeconds);
  const { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler, platform } = versionInfo;
  const build = registry.gauge(
    'kubernetes_build_info',
    "[ALPHA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
  );
  build.set(1, {
    build_date: buildDate!,
    compiler: compiler!,
    git_commit: gitCommit!,
    git_tree_state: gitTreeState!,
    git_version: gitVersion!,
    go_version: goVersion!,
    major: major!,
    minor: minor!,
    platform: platform!,
  });
}
