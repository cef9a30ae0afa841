/**
 * Flags of what the API server does with objects and shows of itself. Upstream: pkg/controlplane/apiserver/options,
 * apiserver pkg/server/options/{feature,etcd}.go, plugin/pkg/admission/defaulttolerationseconds.
 */
import type { FlagGroup } from './flag.ts';

const eventTtlFlag = 'event-ttl';
const notReadyFlag = 'default-not-ready-toleration-seconds';
const unreachableFlag = 'default-unreachable-toleration-seconds';
const profilingFlag = 'profiling';

export const behaviourFlags: FlagGroup = {
  title: 'Behaviour:',
  flags: [
    { name: eventTtlFlag, value: 'duration', help: 'how long events are kept (default: 1h0m0s)' },
    { name: notReadyFlag, value: 'seconds', help: 'that pods stay on a node that is not ready (default: 300)' },
    { name: unreachableFlag, value: 'seconds', help: 'that pods stay on a node that cannot be reached (default: 300)' },
    { name: profilingFlag, help: 'serve /debug/pprof (default: true)' },
  ],
  settings(given) {
    const eventTtlMs = given.durationMs(eventTtlFlag);
    const notReady = given.integer(notReadyFlag);
    const unreachable = given.integer(unreachableFlag);
    const profiling = given.boolean(profilingFlag);
    return {
      apiServer: {
        ...(eventTtlMs !== undefined && { eventTtlSeconds: Math.floor(eventTtlMs / 1000) }),
        ...((notReady !== undefined || unreachable !== undefined) && {
          tolerationSeconds: { notReady: notReady ?? 300, unreachable: unreachable ?? 300 },
        }),
        ...(profiling !== undefined && { profiling }),
      },
    };
  },
};
