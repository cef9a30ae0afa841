/**
 * What each flag of kube-apiserver counts as, for /flagz: the value given, as upstream's flag library prints one of its
 * kind, or what this server does when none is given. Upstream: apiserver pkg/server/flagz/flagreader.go.
 */
import { formatGoDuration, parseGoDuration } from '#apimachinery';
import type { GivenFlags } from './flag.ts';

/** Without a value: by name, in the form of its kind (`[a,b]`: a list). */
const defaults: ReadonlyMap<string, string> = new Map(
  `
  admission-control=[]
  admission-control-config-file=
  advertise-address=
  aggregator-reject-forwarding-redirect=true
  allow-metric-labels=[]
  allow-metric-labels-manifest=
  allow-privileged=true
  anonymous-auth=true
  api-audiences=[]
  apiserver-count=1
  audit-log-batch-buffer-size=10000
  audit-log-batch-max-size=1
  audit-log-batch-max-wait=0s
  audit-log-batch-throttle-burst=0
  audit-log-batch-throttle-enable=false
  audit-log-batch-throttle-qps=0
  audit-log-compress=false
  audit-log-format=json
  audit-log-maxage=366
  audit-log-maxbackup=100
  audit-log-maxsize=100
  audit-log-mode=blocking
  audit-log-path=
  audit-log-truncate-enabled=false
  audit-log-truncate-max-batch-size=10485760
  audit-log-truncate-max-event-size=102400
  audit-log-version=audit.k8s.io/v1
  audit-policy-file=
  audit-webhook-batch-buffer-size=10000
  audit-webhook-batch-initial-backoff=10s
  audit-webhook-batch-max-size=400
  audit-webhook-batch-max-wait=30s
  audit-webhook-batch-throttle-burst=15
  audit-webhook-batch-throttle-enable=true
  audit-webhook-batch-throttle-qps=10
  audit-webhook-config-file=
  audit-webhook-initial-backoff=10s
  audit-webhook-mode=batch
  audit-webhook-truncate-enabled=false
  audit-webhook-truncate-max-batch-size=10485760
  audit-webhook-truncate-max-event-size=102400
  audit-webhook-version=audit.k8s.io/v1
  authentication-config=
  authentication-token-webhook-cache-ttl=2m0s
  authentication-token-webhook-config-file=
  authentication-token-webhook-version=v1beta1
  authorization-config=
  authorization-mode=[Node,RBAC]
  authorization-policy-file=
  authorization-webhook-cache-authorized-ttl=5m0s
  authorization-webhook-cache-unauthorized-ttl=30s
  authorization-webhook-config-file=
  authorization-webhook-version=v1beta1
  bind-address=127.0.0.1
  cert-dir=
  client-ca-file=
  contention-profiling=false
  coordinated-leadership-lease-duration=15s
  coordinated-leadership-renew-deadline=10s
  coordinated-leadership-retry-period=2s
  cors-allowed-origins=[]
  debug-socket-path=
  default-not-ready-toleration-seconds=300
  default-unreachable-toleration-seconds=300
  default-watch-cache-size=100
  delete-collection-workers=1
  disable-admission-plugins=[]
  disable-http2-serving=false
  disabled-metrics=[]
  egress-selector-config-file=
  emulated-version=[]
  emulation-forward-compatible=false
  enable-admission-plugins=[NodeRestriction]
  enable-aggregator-routing=false
  enable-bootstrap-token-auth=true
  enable-garbage-collector=true
  enable-logs-handler=false
  enable-priority-and-fairness=true
  encryption-provider-config=
  encryption-provider-config-automatic-reload=false
  endpoint-reconciler-type=lease
  etcd-cafile=
  etcd-certfile=
  etcd-compaction-interval=5m0s
  etcd-count-metric-poll-period=1m0s
  etcd-db-metric-poll-interval=30s
  etcd-healthcheck-timeout=2s
  etcd-keyfile=
  etcd-prefix=/registry
  etcd-readycheck-timeout=2s
  etcd-servers=[]
  etcd-servers-overrides=[]
  event-ttl=1h0m0s
  external-hostname=
  feature-gates=
  goaway-chance=0
  http2-max-streams-per-connection=0
  kubelet-certificate-authority=
  kubelet-client-certificate=
  kubelet-client-key=
  kubelet-port=10250
  kubelet-preferred-address-types=[InternalIP,Hostname,InternalDNS,ExternalDNS,ExternalIP]
  kubelet-read-only-port=10255
  kubelet-timeout=5s
  kubernetes-service-node-port=0
  lease-reuse-duration-seconds=60
  livez-grace-period=0s
  log-flush-frequency=5s
  log-json-info-buffer-size=0
  log-json-split-stream=false
  log-text-info-buffer-size=0
  log-text-split-stream=false
  logging-format=json
  max-connection-bytes-per-sec=0
  max-mutating-requests-inflight=200
  max-requests-inflight=400
  min-compatibility-version=[]
  min-request-timeout=1800
  oidc-ca-file=
  oidc-client-id=
  oidc-groups-claim=
  oidc-groups-prefix=
  oidc-issuer-url=
  oidc-required-claim=
  oidc-signing-algs=[RS256]
  oidc-username-claim=sub
  oidc-username-prefix=
  peer-advertise-ip=
  peer-advertise-port=
  peer-ca-file=
  permit-address-sharing=false
  permit-port-sharing=false
  profiling=true
  proxy-client-cert-file=
  proxy-client-key-file=
  request-timeout=1m0s
  requestheader-allowed-names=[]
  requestheader-client-ca-file=
  requestheader-extra-headers-prefix=[]
  requestheader-group-headers=[]
  requestheader-uid-headers=[]
  requestheader-username-headers=[]
  runtime-config=
  runtime-config-emulation-forward-compatible=false
  service-account-extend-token-expiration=true
  service-account-issuer=[https://kubernetes.default.svc.cluster.local]
  service-account-jwks-uri=
  service-account-key-file=[]
  service-account-lookup=true
  service-account-max-token-expiration=0s
  service-account-signing-endpoint=
  service-account-signing-key-file=
  service-node-port-range=30000-32767
  show-hidden-metrics-for-version=
  shutdown-delay-duration=0s
  shutdown-send-retry-after=false
  shutdown-watch-termination-grace-period=0s
  storage-backend=
  storage-initialization-timeout=1m0s
  storage-media-type=application/json
  strict-transport-security-directives=[]
  tls-cert-file=
  tls-cipher-suites=[]
  tls-curve-preferences=[]
  tls-min-version=
  tls-private-key-file=
  tls-sni-cert-key=[]
  token-auth-file=
  tracing-config-file=
  v=0
  vmodule=
  watch-cache=true
  watch-cache-sizes=[events#0,events.events.k8s.io#0]
`
    .trim()
    .split('\n')
    .map(line => {
      const text = line.trim();
      const at = text.indexOf('=');
      return [text.slice(0, at), text.slice(at + 1)];
    }),
);

const isDuration = (text: string): boolean => /^\d+[hms]/.test(text);

function written(given: GivenFlags, name: string, byDefault: string): string {
  const text = given.text(name);
  if (text === undefined) return byDefault;
  if (byDefault.startsWith('[')) return `[${given.list(name)!.join(',')}]`;
  if (byDefault === 'true' || byDefault === 'false') return String(given.boolean(name));
  if (isDuration(byDefault)) return formatGoDuration(parseGoDuration(text));
  return maps.has(name) ? given.all(name).join(',') : text;
}

/** May come several times, each with some of its pairs. */
const maps: ReadonlySet<string> = new Set(['feature-gates', 'runtime-config', 'oidc-required-claim']);

/** By name, but for what a cluster keeps for its later starts: its port and its addresses of Services. */
export function flagValues(given: GivenFlags): Readonly<Record<string, string>> {
  return Object.fromEntries([...defaults].map(([name, byDefault]) => [name, written(given, name, byDefault)]));
}
