/**
 * How the API server of a cluster shows itself to other API servers, and by what these know it, unless flags say
 * otherwise: with keys of the cluster's own, as kubeadm sets them up. Upstream: kubeadm
 * app/phases/controlplane/manifests.go.
 */
import { join } from 'node:path';
import { type ApiServerConfig, defaultAggregation } from '#apiserver';
import { bundleFile } from './authority-files.ts';
import { frontProxyFiles } from './pki-files.ts';

/** The settings with what they leave open of aggregation. `pkiDir` holds the cluster's keys. */
export function withFrontProxy(settings: Partial<ApiServerConfig>, pkiDir: string): Partial<ApiServerConfig> {
  const file = (name: string, end: string): string => join(pkiDir, `${name}.${end}`);
  const { client, authority } = frontProxyFiles;
  const { aggregation = defaultAggregation, authentication = {} } = settings;
  const requestHeader = {
    clientCaFile: bundleFile(join(pkiDir, authority)),
    allowedNames: [client],
    usernameHeaders: ['X-Remote-User'],
    uidHeaders: [],
    groupHeaders: ['X-Remote-Group'],
    extraHeaderPrefixes: ['X-Remote-Extra-'],
  };
  return {
    ...settings,
    authentication: { requestHeader, ...authentication },
    aggregation: {
      ...aggregation,
      proxyClient: aggregation.proxyClient ?? { certFile: file(client, 'crt'), keyFile: file(client, 'key') },
    },
  };
}
