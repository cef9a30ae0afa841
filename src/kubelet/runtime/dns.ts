/** Resolver settings and names of pods. Pure. Upstream: pkg/kubelet/network/dns/dns.go, kubelet_pods.go. */
import type { DnsConfig } from '#cri';
import type { Pod } from '../api-objects.ts';

export interface DnsSettings {
  readonly clusterDns: readonly string[];
  readonly clusterDomain: string;
  /** The host's own. */
  readonly host: DnsConfig;
}

export interface PodDns {
  readonly config: DnsConfig;
  /** Messages for events: limits that were exceeded, or a missing cluster DNS. */
  readonly warnings: ReadonlyArray<{ readonly reason: string; readonly message: string }>;
}

const maxServers = 3;
const maxSearches = 32;
const maxSearchChars = 2048;

export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  const options = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0]) servers.push(values[0]);
    if (keyword === 'search') searches = values.filter(value => value !== '.').map(value => value.replace(/\.$/, ''));
    if (keyword === 'options') for (const option of values) options.set(option.split(':')[0]!, option);
  }
  return { servers, searches, options: [...options.values()] };
}

export function podDns(pod: Pod, settings: DnsSettings): PodDns {
  const warnings: Array<{ reason: string; message: string }> = [];
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  const wantsCluster = policy === 'ClusterFirstWithHostNet' || (policy === 'ClusterFirst' && !pod.spec.hostNetwork);
  let config: DnsConfig = settings.host;
  if (policy === 'None') config = { servers: [], searches: [], options: [] };
  else if (wantsCluster && settings.clusterDns.length > 0) config = clusterConfig(pod, settings);
  else if (wantsCluster) {
    const text = `kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.`;
    const { name, namespace, uid } = pod.metadata;
    warnings.push({ reason: 'MissingClusterDNS', message: `pod: "${name}_${namespace}(${uid})". ${text}` });
  }
  return { config: withinLimits(merge(config, pod.spec.dnsConfig), warnings), warnings };
}

function clusterConfig(pod: Pod, { clusterDns, clusterDomain, host }: DnsSettings): DnsConfig {
  const own = clusterDomain
    ? [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
    : [];
  return { servers: clusterDns, searches: unique([...own, ...host.searches]), options: ['ndots:5'] };
}

function merge(config: DnsConfig, own: Pod['spec']['dnsConfig']): DnsConfig {
  if (!own) return config;
  const options = new Map(config.options.map(option => [option.split(':')[0]!, option]));
  for (const { name = '', value } of own.options ?? []) options.set(name, value ? `${name}:${value}` : name);
  return {
    servers: unique([...config.servers, ...(own.nameservers ?? [])]),
    searches: unique([...config.searches, ...(own.searches ?? [])]),
    options: [...options.values()],
  };
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}

function withinLimits(config: DnsConfig, warnings: Array<{ reason: string; message: string }>): DnsConfig {
  const reason = 'DNSConfigForming';
  let { servers } = config;
  if (servers.length > maxServers) {
    servers = servers.slice(0, maxServers);
    const applied = servers.join(' ');
    const message = `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${applied}`;
    warnings.push({ reason, message });
  }
  let searches = config.searches.slice(0, maxSearches).filter(search => search.length <= 253);
  while (searches.join(' ').length > maxSearchChars) searches = searches.slice(0, -1);
  if (searches.length < config.searches.length) {
    const applied = searches.join(' ');
    const message = `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${applied}`;
    warnings.push({ reason, message });
  }
  return { servers, searches, options: config.options };
}

/** Host name of at most 63 characters, and the domain after it, empty without a subdomain. */
function podHostname(pod: Pod, clusterDomain: string): { hostname: string; domain: string } {
  const { hostnameOverride, hostname, subdomain } = pod.spec;
  if (hostnameOverride) return { hostname: cut(hostnameOverride), domain: '' };
  const domain = subdomain ? `${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}` : '';
  return { hostname: cut(hostname || (pod.metadata.name ?? '')), domain };
}

function cut(name: string): string {
  return name.length <= 63 ? name : name.slice(0, 63).replace(/[-.]+$/, '');
}

/** Host name as the pod's kernel shows it. Upstream: util/node.GetNodeHostName of setHostnameAsFQDN pods. */
export function kernelHostname(pod: Pod, clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain);
  return pod.spec.setHostnameAsFQDN && domain ? `${hostname}.${domain}` : hostname;
}

/** Contents of /etc/hosts for a pod on its own network. */
export function hostsFile(pod: Pod, ips: readonly string[], clusterDomain: string): string {
  const { hostname, domain } = podHostname(pod, clusterDomain);
  const names = domain ? `${hostname}.${domain}\t${hostname}` : hostname;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...ips.map(ip => `${ip}\t${names}`),
  ];
  return `${lines.join('\n')}\n${hostAliases(pod)}`;
}

/** Contents of /etc/hosts for a pod on the host's network. */
export function hostNetworkHostsFile(pod: Pod, nodeHosts: string): string {
  return `# Kubernetes-managed hosts file (host network).\n${nodeHosts}${hostAliases(pod)}`;
}

function hostAliases(pod: Pod): string {
  const aliases = pod.spec.hostAliases ?? [];
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames = [] }) => `${ip}\t${hostnames.join('\t')}\n`);
  return `\n# Entries added by HostAliases.\n${lines.join('')}`;
}
