/**
 * `--service-account-signing-endpoint`: tokens of ServiceAccounts whose key somebody else holds. This server keeps the
 * public keys and asks for them again as often as it is told to, and when a token names one that it does not know.
 * Upstream: pkg/serviceaccount/externaljwt/plugin, pkg/controlplane/apiserver/options (completeServiceAccountOptions).
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { type Clock, type Logger, UserError } from '#base';
import { jsonObject, publicTokenKeys, type TokenClaims, type TokenKeys } from '#pki';
import type { AuthenticationOptions } from '../../options.ts';
import { outcomeOf, type SignerClient, type SignerKeys, type SignerMetrics } from './signer-client.ts';

export interface ExternalKeysDeps {
  readonly client: SignerClient;
  readonly metrics: SignerMetrics;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the fetching. */
  readonly signal: AbortSignal;
}

const minTokenSeconds = 600;
const yearSeconds = 365 * 24 * 3600;
/** After keys could not be fetched. */
const retryMs = 10_000;
const algorithms = ['RS256', 'ES256', 'ES384', 'ES512'];

type PublicKeys = ReturnType<typeof publicTokenKeys>;

interface Known {
  readonly keys: ReadonlyMap<string, KeyObject>;
  readonly undisclosed: ReadonlySet<string>;
  readonly verifier: PublicKeys;
}

/** See the file header. Throws a UserError when the signer does not answer, or has no keys. */
export async function externalTokenKeys(deps: ExternalKeysDeps): Promise<TokenKeys> {
  const keys = new ExternalKeys(deps);
  try {
    await keys.fetch();
  } catch (cause) {
    const why = `while initially filling key cache: while performing initial cache fill: ${(cause as Error).message}`;
    throw new UserError(`while setting up external-jwt-signer: ${why}`, { cause });
  }
  keys.follow();
  return keys;
}

/** The options with what the signer says of how long its tokens hold. Throws a UserError where they contradict it. */
export async function withSignerLimits(
  options: AuthenticationOptions,
  client: SignerClient,
): Promise<AuthenticationOptions> {
  let seconds: number;
  try {
    seconds = (await client.metadata()).maxTokenExpirationSeconds;
  } catch (cause) {
    throw new UserError(`while setting up external-jwt-signer: ${(cause as Error).message}`, { cause });
  }
  if (seconds < minTokenSeconds) {
    throw new UserError(
      `max token life supported by external-jwt-signer (${seconds}s) is less than acceptable (min ${minTokenSeconds}s)`,
    );
  }
  const { serviceAccountMaxExpirationSeconds: asked = 0 } = options;
  if (asked > seconds) {
    throw new UserError(
      `service-account-max-token-expiration cannot be set longer than the token expiration supported by service-account-signing-endpoint: ${asked}s > ${seconds}s`,
    );
  }
  return {
    ...options,
    serviceAccountMaxExpirationSeconds: asked || seconds,
    serviceAccountMaxExtendedSeconds: Math.min(seconds, yearSeconds),
  };
}

class ExternalKeys implements TokenKeys {
  readonly #deps: ExternalKeysDeps;
  #known: Known = { keys: new Map(), undisclosed: new Set(), verifier: publicTokenKeys(new Map(), new Set()) };
  #fetching: Promise<number> | undefined;

  constructor(deps: ExternalKeysDeps) {
    this.#deps = deps;
  }

  sign(): string {
    throw new Error('the key of service account tokens is held by an external signer');
  }

  async signElsewhere(claims: TokenClaims): Promise<string> {
    const { client, metrics } = this.#deps;
    let failure: unknown;
    try {
      const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
      const { header, signature } = await client.sign(payload).catch(cause => {
        failure = cause;
        throw new Error(`while signing jwt: ${(cause as Error).message}`, { cause });
      });
      await this.#checkHeader(header);
      if (signature === '') throw new Error('empty signature returned');
      return `${header}.${payload}.${signature}`;
    } catch (error) {
      failure ??= error;
      throw error;
    } finally {
      metrics.signed.inc({ code: outcomeOf(failure) });
    }
  }

  check(token: string): ReturnType<TokenKeys['check']> {
    return this.#known.verifier.check(token);
  }

  verify(token: string): TokenClaims | undefined {
    return this.check(token).claims;
  }

  get jwks(): TokenKeys['jwks'] {
    return this.#known.verifier.jwks;
  }

  alsoAccepting(): TokenKeys {
    throw new Error('an external signer alone says which keys are accepted');
  }

  async prepare(token: string): Promise<void> {
    const [header = ''] = token.split('.', 1);
    const keyId = jsonObject(Buffer.from(header, 'base64url'))?.['kid'];
    if (typeof keyId === 'string') await this.#know(keyId);
  }

  /** Fetches the keys now; calls at the same time are one. Answers after how long to do so again. */
  fetch(): Promise<number> {
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  /** Fetches them again and again. */
  follow(afterMs = this.#refreshMs): void {
    const { clock, logger, signal } = this.#deps;
    const timer = clock.setTimer(() => {
      this.fetch().then(
        nextMs => this.follow(nextMs),
        error => {
          logger.error('keys of the external signer are those of before', { error });
          if (!signal.aborted) this.follow(retryMs);
        },
      );
    }, afterMs);
    signal.addEventListener('abort', () => timer.cancel(), { once: true });
  }

  #refreshMs = retryMs;

  async #know(keyId: string): Promise<void> {
    if (keyId === '' || this.#known.keys.has(keyId)) return;
    await this.fetch().catch(error => this.#deps.logger.error('keys of the external signer cannot be had', { error }));
  }

  async #fetch(): Promise<number> {
    const { client, metrics, clock } = this.#deps;
    let failure: unknown;
    try {
      const answer = await client.fetchKeys().catch(cause => {
        failure = cause;
        const why = `while getting externally supported jwt signing keys: ${(cause as Error).message}`;
        throw new Error(`while fetching token verification keys: ${why}`, { cause });
      });
      this.#known = known(answer);
      const { seconds, nanos } = answer.dataTimestamp!;
      metrics.keysOf(seconds + nanos / 1e9, clock.now() / 1000);
      this.#refreshMs = answer.refreshHintSeconds * 1000;
      return this.#refreshMs;
    } catch (error) {
      failure ??= error;
      throw error;
    } finally {
      metrics.fetched.inc({ code: outcomeOf(failure) });
    }
  }

  /** Nothing may be signed so that others could not tell by whom. */
  async #checkHeader(text: string): Promise<void> {
    const fail = (why: string): Error => new Error(`while validating header: ${why}`);
    const header = jsonObject(Buffer.from(text, 'base64url'));
    if (!header) throw fail('while parsing header JSON: invalid header');
    const unknown = Object.keys(header).find(each => !['alg', 'kid', 'typ'].includes(each));
    if (unknown !== undefined) throw fail(`while parsing header JSON: json: unknown field ${JSON.stringify(unknown)}`);
    const { alg, kid = '', typ } = header;
    if (typ !== 'JWT') throw fail('bad type');
    if (typeof kid !== 'string' || kid === '') throw fail('key id missing');
    if (kid.length > 1024) throw fail('key id longer than 1 kb');
    if (!algorithms.includes(String(alg))) throw fail(`bad signing algorithm ${JSON.stringify(alg ?? '')}`);
    await this.#know(kid);
    if (this.#known.undisclosed.has(kid)) {
      throw fail(`key used for signing JWT (kid: ${kid}) is excluded from OIDC discovery docs`);
    }
  }
}

function known({ keys, dataTimestamp, refreshHintSeconds }: SignerKeys): Known {
  const fail = (why: string): Error => new Error(`while fetching token verification keys: ${why}`);
  if (refreshHintSeconds <= 0) throw fail(`found invalid refresh hint (${refreshHintSeconds}s)`);
  if (keys.length === 0) throw fail('found no keys');
  if (!dataTimestamp) throw fail('invalid data timestamp: proto: invalid nil Timestamp');
  const found = new Map<string, KeyObject>();
  for (const { keyId, key } of keys) {
    if (keyId === '' || keyId.length > 1024) throw fail(`found invalid public key id ${JSON.stringify(keyId)}`);
    if (key.length === 0) throw fail('found empty public key');
    try {
      found.set(keyId, createPublicKey({ key: Buffer.from(key), format: 'der', type: 'spki' }));
    } catch (cause) {
      throw new Error(`while parsing external public keys: ${(cause as Error).message}`, { cause });
    }
  }
  const undisclosed = new Set(keys.filter(each => each.excludeFromOidcDiscovery).map(each => each.keyId));
  return { keys: found, undisclosed, verifier: publicTokenKeys(found, undisclosed) };
}
