/** How a server ends. Upstream: apiserver pkg/server/options/server_run_options.go. */

export interface ShutdownSettings {
  /** `--shutdown-delay-duration`: how long everything is served as before once the end has begun. */
  readonly delayMs: number;
  /** `--shutdown-watch-termination-grace-period`: how long watches may take to be ended one after another; 0: at once. */
  readonly watchGraceMs: number;
  /** `--shutdown-send-retry-after`: listen until all is answered, and send newcomers away with 429. */
  readonly sendRetryAfter: boolean;
  /** `--goaway-chance`: of a request's connection (HTTP/2) to be told to end. */
  readonly goawayChance: number;
}

export const defaultShutdown: ShutdownSettings = Object.freeze({
  delayMs: 0,
  watchGraceMs: 0,
  sendRetryAfter: false,
  goawayChance: 0,
});
