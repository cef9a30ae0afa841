/**
 * Flags of how the API server reaches kubelets. Upstream: cmd/kube-apiserver/app/options/options.go,
 * pkg/kubelet/client/kubelet_client.go.
 * Deviation: a node's InternalIP comes before its host name, which other machines may not resolve; kubelets of the
 * cluster's own authority are verified without `--kubelet-certificate-authority`.
 */
import { UserError } from '#base';
import type { FlagGroup, GivenFlags } from './flag.ts';
import { readable } from './readable.ts';
import type { KubeletSettings } from './settings.ts';

const authorityFlag = 'kubelet-certificate-authority';
const certFlag = 'kubelet-client-certificate';
const keyFlag = 'kubelet-client-key';
const typesFlag = 'kubelet-preferred-address-types';
const timeoutFlag = 'kubelet-timeout';
const portFlag = 'kubelet-port';

export const kubeletFlags: FlagGroup = {
  title: 'Kubelets:',
  flags: [
    {
      name: authorityFlag,
      value: 'path',
      help: "of the kubelets' certificates (default: the cluster's)",
      isPath: true,
    },
    { name: certFlag, value: 'path', help: "shown to kubelets (default: one of the cluster's)", isPath: true },
    { name: keyFlag, value: 'path', help: 'its key', isPath: true },
    {
      name: typesFlag,
      value: 'types',
      help: 'of the addresses of a node, in order (default: InternalIP,Hostname,InternalDNS,ExternalDNS,ExternalIP)',
    },
    { name: timeoutFlag, value: 'duration', help: 'is read and not used, as upstream' },
    { name: portFlag, value: 'port', help: 'of kubelets whose Node names none (deprecated; default: 10250)' },
  ],
  settings(given) {
    const kubelet = files(given);
    const types = given.list(typesFlag);
    const port = given.integer(portFlag);
    given.durationMs(timeoutFlag);
    return {
      ...(Object.keys(kubelet).length > 0 && { kubelet }),
      apiServer: {
        ...(types && { kubeletPreferredAddressTypes: types }),
        ...(port !== undefined && { kubeletPort: port }),
      },
    };
  },
};

function files(given: GivenFlags): KubeletSettings {
  const caFile = given.path(authorityFlag);
  const certFile = given.path(certFlag);
  const keyFile = given.path(keyFlag);
  if (Boolean(certFile) !== Boolean(keyFile)) {
    throw new UserError(`--${certFlag} and --${keyFlag} must be given together`);
  }
  for (const path of [caFile, certFile, keyFile]) if (path) readable(path);
  return { ...(caFile && { caFile }), ...(certFile && keyFile && { pair: { cert: certFile, key: keyFile } }) };
}
