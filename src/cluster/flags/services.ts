/**
 * Flags of the Services that the API server keeps, and of what pods may be. Upstream: cmd/kube-apiserver/app/options,
 * apimachinery pkg/util/net/port_range.go.
 */

import { goQuote } from '#apimachinery';
import { defaultConfig, endpointReconcilerTypes } from '#apiserver';
import { UserError } from '#base';
import { type FlagGroup, type GivenFlags, refused } from './flag.ts';

const reconcilerFlag = 'endpoint-reconciler-type';
const countFlag = 'apiserver-count';
const portsFlag = 'service-node-port-range';
const ownPortFlag = 'kubernetes-service-node-port';
const privilegedFlag = 'allow-privileged';

export const servicesFlags: FlagGroup = {
  title: 'Services and pods:',
  flags: [
    {
      name: reconcilerFlag,
      value: 'type',
      help: 'how the addresses of the kubernetes Service are agreed on: lease, master-count (deprecated) or none (default: lease)',
    },
    { name: countFlag, value: 'number', help: 'of API servers, for master-count (deprecated; default: 1)' },
    { name: portsFlag, value: 'ports', help: 'node ports of Services, as 30000-32767, which is the default' },
    { name: ownPortFlag, value: 'port', help: 'node port of the kubernetes Service; 0: none (default: 0)' },
    { name: privilegedFlag, help: 'pods may be privileged (default: true)' },
  ],
  settings(given) {
    const type = given.text(reconcilerFlag);
    const found = endpointReconcilerTypes.find(each => each === type);
    if (type !== undefined && !found) throw new UserError(`Reconciler not implemented: ${type}`);
    const count = given.integer(countFlag);
    if (count !== undefined && count <= 0) {
      throw new UserError(`--${countFlag} should be a positive number, but value '${count}' provided`);
    }
    const range = given.text(portsFlag);
    const nodePortRange = range === undefined ? defaultConfig.nodePortRange : portRange(portsFlag, range);
    const ownPort = ownNodePort(given, nodePortRange);
    const privileged = given.boolean(privilegedFlag);
    return {
      apiServer: {
        ...(found && { endpointReconcilerType: found }),
        ...(count !== undefined && { apiServerCount: count }),
        ...(range !== undefined && { nodePortRange }),
        ...(ownPort && { kubernetesServiceNodePort: ownPort }),
        ...(privileged !== undefined && { allowPrivileged: privileged }),
      },
    };
  },
};

function ownNodePort(given: GivenFlags, [low, high]: readonly [number, number]): number | undefined {
  const port = given.integer(ownPortFlag);
  if (port === undefined) return undefined;
  if (port < 0 || port > 65535) {
    throw new UserError(
      `--${ownPortFlag} ${port} must be between 0 and 65535, inclusive. If 0, the Kubernetes master service will be of type ClusterIP`,
    );
  }
  if (port > 0 && (port < low || port > high)) {
    throw new UserError(`kubernetes service node port range ${low}-${high} doesn't contain ${port}`);
  }
  return port;
}

/** `low-high`, `low+size` or one port; both ends included; empty: none. Upstream: PortRange.Set. */
function portRange(flag: string, written: string): readonly [number, number] {
  const text = written.trim();
  const port = (digits: string): number => {
    if (/^[+-]?\d+$/.test(digits)) return Number(digits);
    throw refused(flag, text, `strconv.Atoi: parsing ${goQuote(digits)}: invalid syntax`);
  };
  if (text === '') return [0, -1];
  const [hyphen, plus] = [text.indexOf('-'), text.indexOf('+')];
  if (hyphen >= 0 && plus >= 0) throw refused(flag, text, `unable to parse port range: ${text}`);
  const at = Math.max(hyphen, plus);
  const low = port(at < 0 ? text : text.slice(0, at));
  const last = at < 0 ? low : port(text.slice(at + 1));
  const high = plus < 0 ? last : low + last;
  if (low > 65535 || high > 65535) throw refused(flag, text, `the port range cannot be greater than 65535: ${text}`);
  if (high < low) throw refused(flag, text, `end port cannot be less than start port: ${text}`);
  return [low, high];
}
