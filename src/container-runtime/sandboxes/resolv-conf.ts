/** The resolv.conf of a pod. Upstream: containerd internal/cri/server/sandbox_run_linux.go parseDNSOptions. */
import type { DnsConfig } from '#cri';

/** Undefined means the host's own file is to be used. */
export function resolvConf(dns: DnsConfig | undefined): string | undefined {
  if (!dns || (dns.servers.length === 0 && dns.searches.length === 0 && dns.options.length === 0)) return undefined;
  const lines = [
    ...(dns.searches.length > 0 ? [`search ${dns.searches.join(' ')}`] : []),
    ...dns.servers.map(server => `nameserver ${server}`),
    ...(dns.options.length > 0 ? [`options ${dns.options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}
