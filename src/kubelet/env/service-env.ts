/** Environment variables that name Services, as Docker links did. Pure. Upstream: pkg/kubelet/envvars/envvars.go. */
import type { Service } from '../api-objects.ts';

/**
 * Of all Services in the pod's namespace (when `links`), and always of default/kubernetes, those with an address.
 */
export function serviceEnvironment(
  services: Iterable<Service>,
  namespace: string,
  links: boolean,
): Map<string, string> {
  const chosen = new Map<string, Service>();
  for (const service of services) {
    const { name = '', namespace: own = '' } = service.metadata;
    const ip = service.spec.clusterIP;
    if (!ip || ip === 'None' || !service.spec.ports?.length) continue;
    if (own === 'default' && name === 'kubernetes') {
      if (!chosen.has(name)) chosen.set(name, service);
    } else if (own === namespace && links) chosen.set(name, service);
  }
  const env = new Map<string, string>();
  for (const service of chosen.values()) addService(service, env);
  return env;
}

function variableName(name: string): string {
  return name.replaceAll('-', '_').toUpperCase();
}

function addService(service: Service, env: Map<string, string>): void {
  const prefix = variableName(service.metadata.name ?? '');
  const ip = service.spec.clusterIP ?? '';
  const host = ip.includes(':') ? `[${ip}]` : ip;
  const ports = service.spec.ports ?? [];
  env.set(`${prefix}_SERVICE_HOST`, ip);
  env.set(`${prefix}_SERVICE_PORT`, String(ports[0]!.port));
  for (const { name, port } of ports) {
    if (name) env.set(`${prefix}_SERVICE_PORT_${variableName(name)}`, String(port));
  }
  ports.forEach(({ port, protocol = 'TCP' }, index) => {
    const lower = protocol.toLowerCase();
    const url = `${lower}://${host}:${port}`;
    if (index === 0) env.set(`${prefix}_PORT`, url);
    const link = `${prefix}_PORT_${port}_${protocol}`;
    env.set(link, url);
    env.set(`${link}_PROTO`, lower);
    env.set(`${link}_PORT`, String(port));
    env.set(`${link}_ADDR`, ip);
  });
}
