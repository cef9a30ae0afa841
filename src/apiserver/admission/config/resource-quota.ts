/** `apiserver.config.k8s.io/v1 ResourceQuotaConfiguration`. Upstream: apiserver pkg/admission/plugin/resourcequota/apis. */
import type { Scope } from '#api/quota/helpers';

/** Consumption that is refused unless a quota covers it. */
export interface LimitedResource {
  readonly apiGroup?: string;
  readonly resource: string;
  /** Names of amounts that contain one of these. */
  readonly matchContains?: readonly string[];
  readonly matchScopes?: readonly Scope[];
}

export type QuotaLimits = readonly LimitedResource[];
