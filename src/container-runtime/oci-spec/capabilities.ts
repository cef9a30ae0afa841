/** Capabilities of a container: the default set, what the pod adds and drops, what this process can give at all. */
import type { LinuxSecurityContext } from '#cri';

/** Upstream: containerd pkg/oci/spec.go, defaultUnixCaps. */
export const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

const withPrefix = (name: string): string =>
  (name.toUpperCase().startsWith('CAP_') ? name : `CAP_${name}`).toUpperCase();

/**
 * The sorted set; `ALL` in either list means every capability that this process can pass on (`available`), and what it
 * cannot pass on is left out, because the kernel would refuse the whole set.
 */
export function containerCapabilities(
  security: Pick<LinuxSecurityContext, 'privileged' | 'addCapabilities' | 'dropCapabilities'>,
  available: readonly string[],
): string[] {
  if (security.privileged) return [...available].sort();
  const add = security.addCapabilities.map(withPrefix);
  const drop = security.dropCapabilities.map(withPrefix);
  const set = new Set(drop.includes('CAP_ALL') ? [] : add.includes('CAP_ALL') ? available : defaultCapabilities);
  for (const name of add) if (name !== 'CAP_ALL') set.add(name);
  for (const name of drop) set.delete(name);
  return [...set].filter(name => available.includes(name)).sort();
}
