/** Go's names of fields, as the errors of the generated decoders show them. Upstream: the types.go of each group. */
import type { FieldPlan, MessagePlan } from './plan.ts';

/** Words that Go writes in capitals where a name begins with them. */
const initialism =
  /^(?:api|aws|ca|cel|cidr|csi|dns|fc|fs|gce|gid|gmsa|grpc|http|id|ip|iqn|iscsi|json|nfs|os|pd|qos|rbd|se|ssl|tcp|tls|ttl|tty|uid|url|wwid)(?=s?(?:[A-Z]|$))/;

/** Fields that are called otherwise than their JSON, by name or by message and name. */
const others: Readonly<Record<string, string>> = {
  cephfs: 'CephFS',
  chapAuthDiscovery: 'DiscoveryCHAPAuth',
  chapAuthSession: 'SessionCHAPAuth',
  diskURI: 'DataDiskURI',
  externalID: 'DoNotUseExternalID',
  lastState: 'LastTerminationState',
  reportingComponent: 'ReportingController',
  storageos: 'StorageOS',
  'APIResourceList.resources': 'APIResources',
  'DeviceAttribute.bool': 'BoolValue',
  'DeviceAttribute.bools': 'BoolValues',
  'DeviceAttribute.int': 'IntValue',
  'DeviceAttribute.ints': 'IntValues',
  'DeviceAttribute.string': 'StringValue',
  'DeviceAttribute.strings': 'StringValues',
  'DeviceAttribute.version': 'VersionValue',
  'DeviceAttribute.versions': 'VersionValues',
  'GlusterfsPersistentVolumeSource.endpoints': 'EndpointsName',
  'GlusterfsVolumeSource.endpoints': 'EndpointsName',
  'PodSpec.serviceAccount': 'DeprecatedServiceAccount',
  'RBDPersistentVolumeSource.image': 'RBDImage',
  'RBDPersistentVolumeSource.monitors': 'CephMonitors',
  'RBDPersistentVolumeSource.pool': 'RBDPool',
  'RBDPersistentVolumeSource.user': 'RadosUser',
  'RBDVolumeSource.image': 'RBDImage',
  'RBDVolumeSource.monitors': 'CephMonitors',
  'RBDVolumeSource.pool': 'RBDPool',
  'RBDVolumeSource.user': 'RadosUser',
  'StatusCause.reason': 'Type',
};

/** `ObjectMeta` of `metadata`, `APIVersion` of `apiVersion`, `XListType` of `x-kubernetes-list-type`. */
export function goFieldName({ name: message }: MessagePlan, { name, value }: FieldPlan): string {
  const known = others[`${message}.${name}`] ?? others[name];
  if (known !== undefined) return known;
  if (name === 'metadata' && value.node.kind === 'struct') {
    return value.node.name.slice(value.node.name.lastIndexOf('.') + 1);
  }
  const plain = name
    .replace(/^\$/, '')
    .replace(/^x-kubernetes/, 'x')
    .replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    .replace(initialism, word => word.toUpperCase());
  return plain.slice(0, 1).toUpperCase() + plain.slice(1);
}
