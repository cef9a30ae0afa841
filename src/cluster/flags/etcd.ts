/**
 * Flags of the store. Upstream: apiserver pkg/server/options/etcd.go.
 * Deviation: `--storage-media-type=application/yaml` is refused; `--etcd-servers-overrides` is not offered.
 */
import { type ApiServerConfig, storageMediaTypes } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup, GivenFlags } from './flag.ts';
import { readable } from './readable.ts';
import type { EtcdSettings } from './settings.ts';

const protobuf = 'application/vnd.kubernetes.protobuf';

export const etcdFlags: FlagGroup = {
  title: 'Store:',
  flags: [
    { name: 'etcd-servers', value: 'urls', help: 'members of an etcd cluster that is the store, with commas between' },
    { name: 'etcd-cafile', value: 'path', help: 'authority of the certificates of etcd', isPath: true },
    { name: 'etcd-certfile', value: 'path', help: 'client certificate for etcd', isPath: true },
    { name: 'etcd-keyfile', value: 'path', help: 'its key', isPath: true },
    { name: 'etcd-prefix', value: 'prefix', help: 'what every key begins with (default: /registry)' },
    { name: 'etcd-compaction-interval', value: 'duration', help: 'how long history is kept, 0 for ever (default: 5m)' },
    { name: 'etcd-healthcheck-timeout', value: 'duration', help: 'of the health check etcd (default: 2s)' },
    { name: 'etcd-readycheck-timeout', value: 'duration', help: 'of the health check etcd-readiness (default: 2s)' },
    { name: 'storage-backend', value: 'name', help: 'etcd3, which is what --etcd-servers are' },
    {
      name: 'storage-media-type',
      value: 'type',
      help: `how built-in kinds are stored (default: ${protobuf} with etcd, else application/json)`,
    },
  ],
  settings(given) {
    const etcd = etcdSettings(given);
    const backend = given.text('storage-backend');
    if (backend !== undefined && backend !== '' && backend !== 'etcd3')
      throw new UserError(
        "--storage-backend invalid, allowed values: etcd3. If not specified, it will default to 'etcd3'",
      );
    const prefix = given.text('etcd-prefix');
    const compactionIntervalMs = given.durationMs('etcd-compaction-interval');
    const storeHealthTimeoutMs = given.durationMs('etcd-healthcheck-timeout');
    const storeReadyTimeoutMs = given.durationMs('etcd-readycheck-timeout');
    const storageMediaType = mediaType(given) ?? (etcd ? protobuf : undefined);
    return {
      ...(etcd && { etcd }),
      apiServer: {
        ...(prefix !== undefined && { keyPrefix: `/${prefix.split('/').filter(Boolean).join('/')}` }),
        ...(compactionIntervalMs !== undefined && { compactionIntervalMs }),
        ...(storeHealthTimeoutMs !== undefined && { storeHealthTimeoutMs }),
        ...(storeReadyTimeoutMs !== undefined && { storeReadyTimeoutMs }),
        ...(storageMediaType && { storageMediaType }),
      },
    };
  },
};

function mediaType(given: GivenFlags): ApiServerConfig['storageMediaType'] | undefined {
  const text = given.text('storage-media-type');
  if (text === undefined || text === '') return undefined;
  const found = storageMediaTypes.find(each => each === text);
  if (!found)
    throw new UserError(
      `--storage-media-type ${JSON.stringify(text)} invalid, allowed values: ${storageMediaTypes.join(', ')}`,
    );
  return found;
}

function etcdSettings(given: GivenFlags): EtcdSettings | undefined {
  const endpoints = given.list('etcd-servers');
  const files = {
    ca: given.path('etcd-cafile'),
    cert: given.path('etcd-certfile'),
    key: given.path('etcd-keyfile'),
  };
  if (!endpoints || endpoints.length === 0) {
    if (endpoints || Object.values(files).some(Boolean)) throw new UserError('--etcd-servers must be specified');
    return undefined;
  }
  for (const endpoint of endpoints)
    if (!/^https?:\/\/[^/]+$/.test(endpoint))
      throw new UserError(`--etcd-servers: ${JSON.stringify(endpoint)} is no URL of the form scheme://host:port`);
  if ((files.cert === undefined) !== (files.key === undefined))
    throw new UserError(
      'KeyFile and CertFile must both be present[key: %K, cert: %C]'
        .replace('%K', files.key ?? '')
        .replace('%C', files.cert ?? ''),
    );
  for (const path of Object.values(files)) if (path) readable(path);
  const { ca, cert, key } = files;
  return { endpoints, files: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) } };
}
