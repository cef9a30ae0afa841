/** Ports of containers that mean less than they seem to. Upstream: pkg/api/pod/warnings.go. */
import { type FieldPath, goQuote } from '#apimachinery';
import type { ContainerPort, PodSpec } from '../types.ts';
import { visitContainers } from '../validation/visit-containers.ts';

interface PlacedPort {
  readonly port: ContainerPort;
  readonly path: FieldPath;
}

function placedPorts(path: FieldPath, spec: PodSpec): PlacedPort[] {
  return visitContainers(spec, path).flatMap(({ container, path: at }) =>
    (container.ports ?? []).map((port, i) => ({ port, path: at.child('ports').index(i) })),
  );
}

/** As Go prints the struct. */
function shown({ name = '', hostPort = 0, containerPort = 0, protocol = '', hostIP = '' }: ContainerPort): string {
  return `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;
}

/** How a port and one before it with the same number and protocol get in each other's way. */
function relation(port: ContainerPort, other: ContainerPort): string | undefined {
  const [ip, otherIP] = [port.hostIP ?? '', other.hostIP ?? ''];
  const [host, otherHost] = [port.hostPort ?? 0, other.hostPort ?? 0];
  if (ip === otherIP && host === otherHost) return 'duplicate';
  if (host === 0 || otherHost === 0) return 'overlapping';
  return host === otherHost && (ip === '') !== (otherIP === '') ? 'dangerously ambiguous' : undefined;
}

function definitionWarnings(ports: readonly PlacedPort[]): string[] {
  const seen = new Map<string, PlacedPort[]>();
  return ports.flatMap(placed => {
    const { port, path } = placed;
    const alone = port.hostIP && !port.hostPort ? [`${path}: hostIP set without hostPort: ${shown(port)}`] : [];
    const key = `${port.containerPort}/${port.protocol}`;
    const others = seen.get(key) ?? [];
    seen.set(key, [...others, placed]);
    const met = others.flatMap(other => {
      const word = relation(port, other.port);
      return word === undefined ? [] : [`${path}: ${word} port definition with ${other.path}`];
    });
    return [...alone, ...met];
  });
}

function nameWarnings(ports: readonly PlacedPort[]): string[] {
  const seen = new Map<string, FieldPath>();
  return ports.flatMap(({ port: { name }, path }) => {
    if (!name) return [];
    const other = seen.get(name);
    if (other === undefined) {
      seen.set(name, path);
      return [];
    }
    const effect = `services and probes that select ports by name will use ${other}`;
    return [`${path}: duplicate port name ${goQuote(name)} with ${other}, ${effect}`];
  });
}

export function containerPortWarnings(path: FieldPath, spec: PodSpec): string[] {
  const ports = placedPorts(path, spec);
  return [...definitionWarnings(ports), ...nameWarnings(ports)];
}
