/** Flags of how much the API server does at once. Upstream: apiserver pkg/server/options/{server_run_options,feature}.go. */
import { defaultFlowControl, type FlowControlSettings } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup, GivenFlags } from './flag.ts';

const enableFlag = 'enable-priority-and-fairness';
const readsFlag = 'max-requests-inflight';
const writesFlag = 'max-mutating-requests-inflight';

function limit(given: GivenFlags, flag: string): number | undefined {
  const value = given.integer(flag);
  if (value !== undefined && value < 0) throw new UserError(`--${flag} can not be negative value.`);
  return value;
}

export const flowControlFlags: FlagGroup = {
  title: 'Priority and fairness:',
  flags: [
    { name: enableFlag, help: 'let requests wait for their turn by flow schemas and priority levels (default: true)' },
    { name: readsFlag, value: 'number', help: 'seats of the server, with the next; else reads at once (default: 400)' },
    {
      name: writesFlag,
      value: 'number',
      help: 'seats of the server, with the last; else writes at once (default: 200)',
    },
  ],
  settings(given) {
    const flowControl: FlowControlSettings = {
      enabled: given.boolean(enableFlag) ?? defaultFlowControl.enabled,
      maxReads: limit(given, readsFlag) ?? defaultFlowControl.maxReads,
      maxWrites: limit(given, writesFlag) ?? defaultFlowControl.maxWrites,
    };
    if (flowControl.enabled && flowControl.maxReads + flowControl.maxWrites <= 0) {
      throw new UserError(
        `invalid configuration: MaxRequestsInFlight=${flowControl.maxReads} and MaxMutatingRequestsInFlight=${flowControl.maxWrites}; they must add up to something positive.`,
      );
    }
    return { apiServer: { flowControl } };
  },
};
