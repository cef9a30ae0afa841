/**
 * Verifies the tokens of one issuer: what may sign them, for whom and when they are. Upstream: coreos/go-oidc
 * {oidc,verify}.go, apiserver plugin/pkg/authenticator/token/oidc/oidc.go (idTokenVerifier).
 */
import type { Clock } from '#base';
import { type CompactJws, jsonObject, MalformedToken, parseCompactJws, type TokenClaims } from '#pki';
import { Refused } from '../authenticator.ts';
import { type KeySetObserver, RemoteKeySet } from './key-set.ts';
import type { ProviderClient } from './provider-client.ts';

export interface VerifierOptions {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly clock: Clock;
  readonly keys: RemoteKeySet;
}

const leewayMs = 60_000;
const google = 'https://accounts.google.com';

/** Go's %q of strings. */
const quoted = (all: readonly string[]): string => `[${all.map(each => JSON.stringify(each)).join(' ')}]`;

/** Go's %v of a time in UTC. */
const goTime = (ms: number): string => new Date(ms).toISOString().replace(/T(.*)\.000Z$/, ' $1 +0000 UTC');

export class IdTokenVerifier {
  readonly #options: VerifierOptions;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** The claims. Throws a Refused. */
  async verify(token: string): Promise<TokenClaims> {
    const { algorithms, keys } = this.#options;
    const jws = parse(token);
    if (!algorithms.includes(jws.algorithm)) {
      const expected = `expected ${quoted(algorithms)} got ${JSON.stringify(jws.algorithm)}`;
      throw new Refused(`oidc: id token signed with unsupported algorithm, ${expected}`);
    }
    try {
      await keys.verify(jws);
    } catch (error) {
      throw new Refused(`failed to verify signature: ${(error as Error).message}`);
    }
    const claims = jsonObject(jws.payload);
    if (!claims) throw new Refused('oidc: failed to unmarshal claims: the payload is no JSON object');
    this.#check(claims);
    return claims;
  }

  #check(claims: TokenClaims): void {
    const { issuer, audiences } = this.#options;
    for (const name of ['iss', 'sub', 'nonce', 'at_hash']) checkText(claims, name);
    checkSources(claims);
    const given = claims['iss'] ?? '';
    if (given !== issuer && !(issuer === google && given === 'accounts.google.com')) {
      const expected = `expected ${JSON.stringify(issuer)} got ${JSON.stringify(given)}`;
      throw new Refused(`oidc: id token issued by a different provider, ${expected}`);
    }
    const own = audiencesOf(claims);
    if (!audiences.some(each => own.includes(each))) {
      const wanted = audiences.length === 1 ? JSON.stringify(audiences[0]) : quoted(audiences.toSorted());
      const expected = audiences.length === 1 ? 'expected audience' : 'expected audience in';
      throw new Refused(`oidc: ${expected} ${wanted} got ${quoted(own)}`);
    }
    this.#checkTime(claims);
  }

  #checkTime(claims: TokenClaims): void {
    const nowMs = this.#options.clock.now();
    const expiryMs = dateOf(claims, 'exp');
    if (expiryMs === undefined || expiryMs < nowMs) {
      const when = expiryMs === undefined ? '0001-01-01 00:00:00 +0000 UTC' : goTime(expiryMs);
      throw new Refused(`oidc: token is expired (Token Expiry: ${when})`);
    }
    const notBeforeMs = dateOf(claims, 'nbf');
    if (notBeforeMs !== undefined && nowMs + leewayMs < notBeforeMs) {
      const now = goTime(Math.floor(nowMs / 1000) * 1000);
      throw new Refused(`oidc: current time ${now} before the nbf (not before) time: ${goTime(notBeforeMs)}`);
    }
  }
}

function parse(token: string): CompactJws {
  if (token.split('.', 4).length > 3) throw new Refused('oidc: malformed jwt');
  try {
    return parseCompactJws(token);
  } catch (error) {
    if (!(error instanceof MalformedToken)) throw error;
    throw new Refused(`oidc: malformed jwt: ${error.message}`);
  }
}

/** Throws a Refused unless it is a string, null or absent. */
function checkText(claims: TokenClaims, name: string): void {
  const value = claims[name];
  if (value === undefined || value === null || typeof value === 'string') return;
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  const where = `Go struct field idToken.${name} of type string`;
  throw new Refused(`oidc: failed to unmarshal claims: json: cannot unmarshal ${kind} into ${where}`);
}

function dateOf(claims: TokenClaims, name: string): number | undefined {
  const value = claims[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || Math.abs(value) > 8.64e12) {
    throw new Refused(`oidc: failed to unmarshal claims: ${name} is no date`);
  }
  return Math.trunc(value) * 1000;
}

function audiencesOf(claims: TokenClaims): string[] {
  const all = [claims['aud'] ?? []].flat();
  if (all.every(each => typeof each === 'string')) return all;
  throw new Refused('oidc: failed to unmarshal claims: aud is neither a string nor strings');
}

/** Every distributed claim has to name a source that is there. */
function checkSources(claims: TokenClaims): void {
  const names = claims['_claim_names'] ?? {};
  const sources = (claims['_claim_sources'] ?? {}) as Readonly<Record<string, unknown>>;
  for (const source of Object.values(names)) {
    if (typeof source !== 'string') throw new Refused('oidc: failed to unmarshal claims: a source is no string');
    if (source === '') throw new Refused('oidc: failed to obtain source from claim name');
    if (!Object.hasOwn(sources, source)) throw new Refused('oidc: source does not exist');
  }
}

export interface DiscoveryOptions extends Omit<VerifierOptions, 'keys'> {
  readonly client: ProviderClient;
  /** Where the discovery document is, unless under the issuer. */
  readonly discoveryUrl: string;
  readonly observer: KeySetObserver;
}

/** A verifier of what the issuer's discovery document says. Throws an Error that says why there is none. */
export async function discoverVerifier(options: DiscoveryOptions): Promise<IdTokenVerifier> {
  const { issuer, client, clock, discoveryUrl, observer } = options;
  const wellKnown = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { status, statusText, contentType, body } = await client.get(discoveryUrl || wellKnown);
  if (status !== 200) throw new Error(`${statusText}: ${body}`);
  const document = jsonObject(Buffer.from(body));
  if (!document) {
    const got = `expected Content-Type = application/json, got ${JSON.stringify(contentType)}`;
    throw new Error(`oidc: failed to decode provider discovery object: ${got}`);
  }
  const { issuer: said, jwks_uri: keysUrl } = document;
  if (said !== issuer) {
    const expected = `expected ${JSON.stringify(issuer)} got ${JSON.stringify(said ?? '')}`;
    throw new Error(`oidc: issuer did not match the issuer returned by provider, ${expected}`);
  }
  if (typeof keysUrl !== 'string' || keysUrl === '') throw new Error('provider did not return JWKS URL');
  return new IdTokenVerifier({ ...options, keys: new RemoteKeySet(keysUrl, client, clock, observer) });
}
