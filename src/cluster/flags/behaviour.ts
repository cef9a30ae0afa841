/**
 * Flags of what the API server does with objects and shows of itself. Upstream: pkg/controlplane/apiserver/options,
 * apiserver pkg/server/options/{feature,etcd}.go, plugin/pkg/admission/defaulttolerationseconds.
 */
import type { FlagGroup } from './flag.ts';

const eventTtlFlag = 'event-ttl';
const notReadyFlag = 'default-not-ready-toleration-seconds';
const unreachableFlag = 'default-unreachable-toleration-seconds';
const profilingFlag = 'profiling';
const socketFlag = 'debug-socket-path';
const legacyFlag = 'legacy-service-account-token-clean-up-period';
const collectorFlag = 'enable-garbage-collector';

export const behaviourFlags: FlagGroup = {
  title: 'Behaviour:',
  flags: [
    { name: eventTtlFlag, value: 'duration', help: 'how long events are kept (default: 1h0m0s)' },
    { name: notReadyFlag, value: 'seconds', help: 'that pods stay on a node that is not ready (default: 300)' },
    { name: unreachableFlag, value: 'seconds', help: 'that pods stay on a node that cannot be reached (default: 300)' },
    { name: collectorFlag, help: 'deletion heeds what is to become of dependents (default: true)' },
    { name: profilingFlag, help: 'serve /debug/pprof (default: true)' },
    {
      name: socketFlag,
      value: 'path',
      help: 'a unix socket that serves the same to whoever may open it',
      isPath: true,
    },
    { name: legacyFlag, value: 'duration', help: 'that unused tokens of Secrets stay, twice (default: 8760h)' },
  ],
  settings(given) {
    const eventTtlMs = given.durationMs(eventTtlFlag);
    const notReady = given.integer(notReadyFlag);
    const unreachable = given.integer(unreachableFlag);
    const profiling = given.boolean(profilingFlag);
    const collects = given.boolean(collectorFlag);
    const debugSocketPath = given.path(socketFlag);
    const legacyTokenPeriodMs = given.durationMs(legacyFlag);
    return {
      ...(debugSocketPath && { debugSocketPath }),
      ...(legacyTokenPeriodMs !== undefined && { legacyTokenPeriodMs }),
      apiServer: {
        ...(eventTtlMs !== undefined && { eventTtlSeconds: Math.floor(eventTtlMs / 1000) }),
        ...((notReady !== undefined || unreachable !== undefined) && {
          tolerationSeconds: { notReady: notReady ?? 300, unreachable: unreachable ?? 300 },
        }),
        ...(profiling !== undefined && { profiling }),
        ...(collects !== undefined && { enableGarbageCollector: collects }),
      },
    };
  },
};
