/**
 * `--authentication-token-webhook-config-file`: tokens that nobody else knew are shown to a webhook in a TokenReview,
 * whose answers are kept for a while; what it could not be asked is not. Upstream: apiserver
 * plugin/pkg/authenticator/token/webhook/webhook.go.
 */
import { type Clock, type Random, UserError } from '#base';
import {
  type KubeconfigWebhook,
  kubeconfigWebhook,
  WebhookCallError,
  withRetries,
} from '../webhook/kubeconfig-client.ts';
import { answeredStatus } from '../webhook/review-answer.ts';
import { type Authenticated, commonAudiences, Refused, type TokenAuthenticator } from './authenticator.ts';
import type { TokenWebhookOptions } from './options.ts';
import { cachedTokens } from './token-cache.ts';
import { user } from './user.ts';

/** Of one call, its answer included. */
const timeoutMs = 30_000;
const versions = ['v1', 'v1beta1'];

interface WebhookDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

/** Throws a UserError for a kubeconfig that cannot be used and a version that is not known. */
export function webhookTokens(
  { configFile, version, cacheTtlMs }: TokenWebhookOptions,
  apiAudiences: readonly string[],
  deps: WebhookDeps,
): TokenAuthenticator {
  if (!versions.includes(version)) {
    const supported = versions.map(each => JSON.stringify(each)).join(', ');
    const what = `unsupported authentication webhook version ${JSON.stringify(version)}`;
    throw new UserError(`${what}, supported versions are ${supported}`);
  }
  const { clock, random, signal } = deps;
  const client = kubeconfigWebhook({ path: configFile, clock, timeoutMs });
  signal.addEventListener('abort', () => client[Symbol.dispose](), { once: true });
  const asking: TokenAuthenticator = {
    async authenticate(token, { audiences: wanted }) {
      const status = await ask(client, { token, wanted, version }, { clock, random, signal });
      return recognised(status, wanted, apiAudiences);
    },
  };
  return cachedTokens(asking, { clock, successTtlMs: cacheTtlMs, failureTtlMs: cacheTtlMs, cacheErrors: false });
}

interface Question {
  readonly token: string;
  readonly wanted: readonly string[] | undefined;
  readonly version: string;
}

interface Status {
  readonly authenticated?: boolean;
  readonly user?: {
    readonly username?: string;
    readonly uid?: string;
    readonly groups?: readonly string[];
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly audiences?: readonly string[];
  readonly error?: string;
}

async function ask(
  client: KubeconfigWebhook,
  { token, wanted, version }: Question,
  deps: WebhookDeps,
): Promise<Status> {
  const review = {
    kind: 'TokenReview',
    apiVersion: `authentication.k8s.io/${version}`,
    metadata: {},
    spec: { token, ...(wanted && { audiences: wanted }) },
    status: { user: {} },
  };
  try {
    return await withRetries(deps, async () => statusOf(await client.post(review, deps.signal), version));
  } catch (error) {
    if (error instanceof WebhookCallError) throw new Refused(error.message);
    throw error;
  }
}

function recognised(
  status: Status,
  wanted: readonly string[] | undefined,
  apiAudiences: readonly string[],
): Authenticated | undefined {
  const said = status.audiences?.length ? status.audiences : apiAudiences;
  const audiences = wanted && commonAudiences(said, wanted);
  if (audiences?.length === 0) return undefined;
  if (!status.authenticated) {
    if (status.error) throw new Refused(status.error);
    return undefined;
  }
  const { username = '', uid = '', groups = [], extra = {} } = status.user ?? {};
  return { user: user(username, groups, { uid, extra }), ...(audiences && { audiences }) };
}

const isText = (value: unknown): boolean => value === undefined || value === null || typeof value === 'string';
const areTexts = (value: unknown): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.every(each => typeof each === 'string'));

/** Throws a WebhookCallError for an answer that is no TokenReview of the version: nothing of it is guessed at. */
function statusOf(answer: unknown, version: string): Status {
  const told = answeredStatus(answer, `authentication.k8s.io/${version}`, 'TokenReview');
  const { username, uid, groups, extra } = (told['user'] ?? {}) as Readonly<Record<string, unknown>>;
  const isExtra = typeof (extra ?? {}) === 'object' && Object.values(extra ?? {}).every(areTexts);
  const isGood =
    ['boolean', 'undefined'].includes(typeof told['authenticated']) &&
    [told['error'], username, uid].every(isText) &&
    [told['audiences'], groups].every(areTexts) &&
    isExtra;
  if (isGood) return withoutNulls(told) as Status;
  throw new WebhookCallError('the status of the answer has fields of other types than a TokenReview has');
}

/** Go reads null as nothing. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value) || value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(members.map(([name, member]) => [name, withoutNulls(member)]));
}
