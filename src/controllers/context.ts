/** What every controller gets, and how one describes itself in the list. */
import type { Activity, Clock, Logger, Random } from '#base';
import type { Client, EventRecorder, InformerFactory } from '#client';
import type { Authority, TrustBundle } from '#pki';

export interface ControllerContext {
  /** Acts as the controller's own ServiceAccount. */
  readonly client: Client;
  /** Shared with the other controllers. */
  readonly informers: InformerFactory;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly activity: Activity;
  /** Whom the cluster's servers are believed by, for those who publish it. */
  readonly rootCa: TrustBundle;
  /** Certifies requests in the cluster's name; absent: nobody does. */
  readonly signer?: Pick<Authority, 'sign'>;
  /** Signs tokens of ServiceAccounts; absent: Secrets stay without them. */
  readonly signToken?: (claims: object) => string;
  /** `--cluster-signing-duration`: the longest that a certified request is good for; default a year. */
  readonly signingDurationMs?: number;
  /** `--legacy-service-account-token-clean-up-period`; default a year. */
  readonly legacyTokenPeriodMs?: number;
}

/** One controller. `setUp` registers informers and handlers; the result's `start` is called when they are synced. */
export interface ControllerDefinition {
  /** Upstream's name, as `--controllers` takes it. */
  readonly name: string;
  /** Its account in kube-system, as upstream's; the user is `system:serviceaccount:kube-system:<serviceAccount>`. */
  readonly serviceAccount: string;
  /** Acts as this user instead. */
  readonly user?: string;
  /** As its events name it; default its name. */
  readonly eventSource?: string;
  setUp(context: ControllerContext): StartableController;
}

export interface StartableController extends AsyncDisposable {
  start(signal: AbortSignal): void;
}
