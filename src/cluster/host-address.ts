/**
 * The address that an API server without a node is said to stand at, in the endpoints of the `kubernetes` Service: the
 * host's own, of the interface with the default route, even where the server listens on loopback alone.
 * Upstream: apimachinery pkg/util/net ResolveBindAddress, ChooseHostInterface.
 */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';

/** Interfaces with an IPv4 default route, in the table's order; none where there is no such table. */
export function defaultRouteInterfaces(routes: string): string[] {
  const columns = routes.split('\n').map(line => line.trim().split(/\s+/));
  return columns.filter(([, destination, , flags]) => destination === '00000000' && isUp(flags)).map(([name]) => name!);
}

/** RTF_UP and RTF_GATEWAY. */
function isUp(flags: string | undefined): boolean {
  return (Number.parseInt(flags ?? '0', 16) & 3) === 3;
}

/** Every address of the machine, as one may listen on. */
export function isUnspecified(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** Where a client on this machine finds what listens on `address`, as it stands in a URL. */
export function localHost(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  if (address === '::') return '[::1]';
  return address.includes(':') ? `[${address}]` : address;
}

/** The first IPv4 address of `interfaces` that others can reach, those of `preferred` first. */
export function hostAddress(
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
  preferred: readonly string[] = defaultRouteInterfaces(readRoutes()),
): string | undefined {
  const names = [...preferred, ...Object.keys(interfaces)];
  const addresses = names.flatMap(name => interfaces[name] ?? []);
  return addresses.find(each => each.family === 'IPv4' && !each.internal && !each.address.startsWith('169.254.'))
    ?.address;
}

function readRoutes(): string {
  try {
    return readFileSync('/proc/net/route', 'utf8');
  } catch {
    return ''; // Not Linux: any interface will do.
  }
}
