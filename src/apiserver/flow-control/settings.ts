/** How much a server does at once. Upstream: apiserver pkg/server/options/{server_run_options,feature}.go. */

export interface FlowControlSettings {
  /** `--enable-priority-and-fairness`. */
  readonly enabled: boolean;
  /** `--max-requests-inflight`; 0: no limit. With priority and fairness the sum of both is shared out. */
  readonly maxReads: number;
  /** `--max-mutating-requests-inflight`. */
  readonly maxWrites: number;
}

export const defaultFlowControl: FlowControlSettings = Object.freeze({ enabled: true, maxReads: 400, maxWrites: 200 });
