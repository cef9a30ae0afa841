/**
 * What the process uses, which version it serves, and what the families say of themselves, under upstream's names.
 * Upstream: prometheus client_golang process collector, component-base metrics/prometheus/version.
 * Deviation: of upstream's families those are left out that count what is not here: go_* (Go's runtime),
 * grpc_client_*, etcd_lease_object_counts and etcd_bookmark_* (the client of
 * etcd has no such parts), apiserver_storage_db_total_size_in_bytes, apiserver_storage_size_bytes and
 * apiserver_storage_consistency_checks_total (an embedded store), rest_client_exec_plugin_* and rest_client_transport_*
 * (no plug-ins, no cache of transports), *_x509_insecure_sha1_total and *_x509_missing_san_total (such certificates are
 * refused), apiserver_validation_declarative_* and apiserver_validation_duplicate_* (validation is written once),
 * cardinality_enforcement_* (labels are made for what is served alone), aggregator_discovery_peer_* and
 * aggregator_discovery_nopeer_* (no peers),
 * apiextensions_openapi_*_regeneration_count (documents are made when they are asked for), the allocators of addresses
 * and node ports and their repair (an allocation is a key in the object's own transaction),
 * field_validation_request_duration_seconds, apiserver_request_timestamp_comparison_time,
 * apiextensions_apiserver_validation_ratcheting_seconds,
 * node_authorizer_graph_actions_duration_seconds (no graph is kept) and kube_apiserver_pod_logs_*.
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

/** Of memory that a process may address; without a limit all that a word can count. */
function maxAddressSpace(): number {
  const limit = /^Max address space\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return limit === 'unlimited' ? 2 ** 64 : Number(limit);
}

/** Octets of the network namespace that the process is in. */
function octets(direction: 'In' | 'Out'): number {
  const [names = '', values = ''] = readFileSync('/proc/self/net/netstat', 'utf8')
    .split('\n')
    .filter(line => line.startsWith('IpExt:'));
  const at = names.split(' ').indexOf(`${direction}Octets`);
  return at < 0 ? Number.NaN : Number(values.split(' ')[at]);
}

function network(registry: MetricsRegistry): void {
  const counter = (name: string, help: string, direction: 'In' | 'Out'): void =>
    registry.valueFunction(
      'counter',
      name,
      help,
      told(() => octets(direction)),
    );
  const over = 'by the process over the network.';
  counter('process_network_receive_bytes_total', `Number of bytes received ${over}`, 'In');
  counter('process_network_transmit_bytes_total', `Number of bytes sent ${over}`, 'Out');
}

/** What the families say of themselves. None is turned off or hidden here. */
function registerMetaMetrics(registry: MetricsRegistry): void {
  registry.collected(
    'counter',
    'registered_metrics_total',
    '[BETA] The count of registered metrics broken by stability level and deprecation version.',
    sample => {
      for (const [level, count] of registry.countByStability()) {
        sample(count, { deprecated_version: '', stability_level: level });
      }
    },
  );
  const none = (name: string, help: string): void => registry.valueFunction('counter', name, help, () => 0);
  none('disabled_metrics_total', '[BETA] The count of disabled metrics.');
  none('hidden_metrics_total', '[BETA] The count of hidden metrics.');
  const { major, minor } = versionInfo;
  const version = `${major}.${minor}`;
  registry
    .gauge(
      'version_info',
      '[ALPHA] Provides the compatibility version info of the component. The component label is the name of the component, usually kube, but is relevant for aggregated-apiservers.',
    )
    .set(1, {
      binary: version,
      component: 'kube',
      emulation: version,
      min_compat: `${major}.${Number(minor) - 1}`,
    });
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
  gauge('process_virtual_memory_max_bytes', 'Maximum amount of virtual memory available in bytes.', maxAddressSpace);
  network(registry);
  gauge('process_open_fds', 'Number of open file descriptors.', () => readdirSync('/proc/self/fd').length - 1);
  gauge('process_max_fds', 'Maximum number of open file descriptors.', maxOpenFiles);
  gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', () => startedSeconds);
  registerMetaMetrics(registry);
  const { major, minor, gitVersion, gitCommit, gitTreeState, buildDate, goVersion, compiler, platform } = versionInfo;
  const build = registry.gauge(
    'kubernetes_build_info',
    "[BETA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
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
