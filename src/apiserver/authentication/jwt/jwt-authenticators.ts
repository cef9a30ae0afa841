/**
 * The tokens of all issuers of a configuration, which may change while the server runs: a new one takes over when the
 * keys of all its issuers were found, and what began under the old one may end. Upstream:
 * pkg/kubeapiserver/authenticator/config.go, pkg/kubeapiserver/options/authentication.go.
 */
import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { aggregateText, type FieldError, FieldPath, forbiddenField, invalidValue } from '#apimachinery';
import { type Clock, type Logger, type MetricsRegistry, UserError, watchFile } from '#base';
import { signatureAlgorithms } from '#pki';
import { type Authenticated, type TokenAuthenticator, unionFailingOnError } from '../authenticator.ts';
import type { AuthenticationConfiguration } from './configuration.ts';
import { ClaimsCompiler } from './expressions.ts';
import { JwtAuthenticator } from './jwt-authenticator.ts';
import { parseAuthenticationConfiguration } from './load.ts';
import { ConfigurationMetrics, JwtMetrics } from './metrics.ts';
import { type AuthenticatorExpressions, validateAuthenticationConfiguration } from './validate.ts';

export interface JwtAuthenticatorsDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly signal: AbortSignal;
  /** In metrics. */
  readonly serverId: string;
  /** Issuers of ServiceAccounts' tokens, which may not be configured. */
  readonly disallowedIssuers: readonly string[];
}

export interface JwtSettings {
  readonly configuration: AuthenticationConfiguration;
  readonly algorithms: readonly string[];
  /** Followed while the server runs; `text` is what it held when it was read. */
  readonly file?: { readonly path: string; readonly text: string };
}

/** How long a new configuration may take to find the keys of its issuers. */
const updateTimeoutMs = 60_000;
const healthPollMs = 10_000;
/** How long requests that began under a configuration may still use it. */
const retirementMs = 60_000;
const metricsLagMs = 30_000;

/** A configuration in use. */
interface Generation {
  readonly tokens: TokenAuthenticator;
  readonly members: readonly JwtAuthenticator[];
  readonly issuers: ReadonlySet<string>;
  readonly stop: AbortController;
}

export class JwtAuthenticators implements TokenAuthenticator {
  readonly #deps: JwtAuthenticatorsDeps;
  readonly #metrics: JwtMetrics;
  readonly #compiler = new ClaimsCompiler();
  readonly #algorithms: readonly string[];
  #current: Generation;

  /** Throws a UserError with upstream's text for a configuration that is not valid. */
  constructor(deps: JwtAuthenticatorsDeps, { configuration, algorithms, file }: JwtSettings) {
    this.#deps = deps;
    this.#metrics = new JwtMetrics(deps.metrics, deps.clock, deps.serverId);
    this.#algorithms = algorithms;
    // As upstream does: whose issuers ServiceAccounts' tokens have is known only after the file was found valid.
    const { errors, expressions } = validateAuthenticationConfiguration(configuration, this.#compiler, []);
    if (errors.length > 0) throw new UserError(`invalid authentication configuration: ${aggregateText(errors)}`);
    checkIssuers(configuration, deps.disallowedIssuers);
    checkSupported(configuration, algorithms);
    this.#current = this.#build(configuration, expressions);
    deps.signal.addEventListener('abort', () => this.#current.stop.abort(), { once: true });
    if (file) this.#follow(file, configuration);
  }

  authenticate(
    token: string,
    context: Parameters<TokenAuthenticator['authenticate']>[1],
  ): Promise<Authenticated | undefined> {
    return this.#current.tokens.authenticate(token, context);
  }

  #validate(configuration: AuthenticationConfiguration): ReturnType<typeof validateAuthenticationConfiguration> {
    return validateAuthenticationConfiguration(configuration, this.#compiler, this.#deps.disallowedIssuers);
  }

  #build({ jwt }: AuthenticationConfiguration, expressions: readonly AuthenticatorExpressions[]): Generation {
    const stop = new AbortController();
    const deps = { ...this.#deps, metrics: this.#metrics, signal: stop.signal };
    const members = jwt.map((configuration, index) => {
      return new JwtAuthenticator(deps, {
        configuration,
        expressions: expressions[index]!,
        algorithms: this.#algorithms,
      });
    });
    const issuers = new Set(jwt.map(({ issuer }) => issuer.url));
    return { tokens: unionFailingOnError(members), members, issuers, stop };
  }

  #follow({ path, text }: NonNullable<JwtSettings['file']>, first: AuthenticationConfiguration): void {
    const { clock, logger, signal } = this.#deps;
    const metrics = new ConfigurationMetrics(this.#deps.metrics, clock, this.#deps.serverId);
    metrics.applied(text);
    let known = text;
    const onChange = async (): Promise<void> => {
      let read: string | undefined;
      try {
        read = readFileSync(path, 'utf8');
        if (read === known) return;
        const next = this.#load(read, first);
        await this.#update(next);
        known = read;
        metrics.applied(read);
        metrics.reloaded('success');
        logger.info('reloaded authentication config', { path });
      } catch (error) {
        // What is wrong with the text stays wrong; what is wrong with a provider or the file system may not.
        if (error instanceof InvalidConfiguration && read !== undefined) known = read;
        if (signal.aborted) return;
        metrics.reloaded('failure');
        logger.error('the authentication config cannot be used; the one before stays', { path, error });
      }
    };
    watchFile(path, { clock, signal, onChange });
  }

  /** Throws an InvalidConfiguration. */
  #load(text: string, first: AuthenticationConfiguration): Loaded {
    let configuration: AuthenticationConfiguration;
    try {
      configuration = parseAuthenticationConfiguration(text);
    } catch (cause) {
      throw new InvalidConfiguration((cause as Error).message, { cause });
    }
    const { errors, expressions } = this.#validate(configuration);
    const all: FieldError[] = [...errors];
    if (!isDeepStrictEqual(first.anonymous, configuration.anonymous)) {
      all.push(forbiddenField(FieldPath.of('anonymous'), 'changed from initial configuration file'));
    }
    if (all.length > 0) throw new InvalidConfiguration(aggregateText(all));
    return { configuration, expressions };
  }

  async #update({ configuration, expressions }: Loaded): Promise<void> {
    const { clock, signal } = this.#deps;
    checkSupported(configuration, this.#algorithms);
    const next = this.#build(configuration, expressions);
    const problem = await this.#untilHealthy(next);
    if (problem !== undefined || signal.aborted) {
      next.stop.abort();
      throw new Error(problem ?? 'the server stops');
    }
    const before = this.#current;
    this.#current = next;
    void this.#retire(before, clock);
  }

  async #untilHealthy({ members }: Generation): Promise<string | undefined> {
    const { clock, signal } = this.#deps;
    const deadlineMs = clock.monotonicMs() + updateTimeoutMs;
    await Promise.all(members.map(each => each.tried));
    for (;;) {
      const problems = members.map(each => each.problem).filter(each => each !== undefined);
      if (problems.length === 0) return undefined;
      const leftMs = deadlineMs - clock.monotonicMs();
      if (leftMs <= 0) return `[${[...problems, 'context deadline exceeded'].join(', ')}]`;
      await clock.sleep(Math.min(healthPollMs, leftMs), signal);
    }
  }

  async #retire({ stop, issuers }: Generation, clock: Clock): Promise<void> {
    const { signal } = this.#deps;
    await clock.sleep(retirementMs, signal).catch(() => {});
    stop.abort();
    if (signal.aborted) return;
    await clock.sleep(metricsLagMs, signal).catch(() => {});
    for (const issuer of issuers) if (!this.#current.issuers.has(issuer)) this.#metrics.forget(issuer);
  }
}

interface Loaded {
  readonly configuration: AuthenticationConfiguration;
  readonly expressions: readonly AuthenticatorExpressions[];
}

/** A text that can never be used, however often it is tried. */
class InvalidConfiguration extends Error {
  override readonly name = 'InvalidConfiguration';
}

/** Throws a UserError for an issuer that is judged by other rules. */
function checkIssuers({ jwt }: AuthenticationConfiguration, disallowed: readonly string[]): void {
  const url = jwt.map(({ issuer }) => issuer.url).find(each => disallowed.includes(each));
  if (url === undefined) return;
  const detail = `URL must not overlap with disallowed issuers: [${disallowed.toSorted().join(' ')}]`;
  throw new UserError(aggregateText([invalidValue(FieldPath.of('issuer', 'url'), url, detail)]));
}

/** Throws a UserError. */
function checkSupported({ jwt }: AuthenticationConfiguration, algorithms: readonly string[]): void {
  const unknown = algorithms.find(each => !signatureAlgorithms.includes(each));
  if (unknown !== undefined) throw new UserError(`oidc: unsupported signing alg: ${JSON.stringify(unknown)}`);
  const egress = jwt.map(({ issuer }) => issuer.egressSelectorType).find(type => type !== '');
  if (egress === undefined) return;
  throw new UserError(`oidc: egress lookup required with egress selector type ${JSON.stringify(egress)}`);
}
