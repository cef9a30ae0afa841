/**
 * What `--service-cluster-ip-range` may be. Upstream: cmd/kube-apiserver/app/options/{completion,validation}.go,
 * pkg/controlplane/apiserver/options.go ServiceIPRange.
 * Deviation: one range of IPv4; a second one, and IPv6, are refused.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { UserError } from '#base';

const smallest = 8;

/** Throws a UserError for a range that Services cannot have. */
export function checkServiceRange(text: string): void {
  const ranges = text.split(',');
  if (ranges.length > 2) throw new UserError('--service-cluster-ip-range must not contain more than two entries');
  for (const [index, range] of ranges.entries()) {
    const [address = '', bits = ''] = range.trim().split('/');
    const width = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0;
    if (width === 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > width) {
      throw new UserError(`service-cluster-ip-range[${index}] is not a valid cidr`);
    }
    if (2 ** (width - Number(bits)) < smallest) {
      const why = `the service cluster IP range must be at least ${smallest} IP addresses`;
      throw new UserError(`error determining service IP ranges for primary service cidr: ${why}`);
    }
    if (width === 128 || index > 0) {
      throw new UserError(`--service-cluster-ip-range=${text}: Services have one range, of IPv4 (docs/security.md).`);
    }
  }
}
