/**
 * The authorizers of a server in the order of its configuration, which may change while it runs. Upstream:
 * pkg/kubeapiserver/authorizer/{config,reload}.go.
 */
import { readFileSync } from 'node:fs';
import { type Clock, type Logger, type MetricsRegistry, type Random, UserError, watchFile } from '#base';
import type { UserInfo } from '../authentication/user.ts';
import { kubeconfigWebhook } from '../webhook/kubeconfig-client.ts';
import { type Abac, readAbacPolicy } from './abac.ts';
import {
  type AuthorizationAttributes,
  type Authorizer,
  alwaysAllow,
  alwaysDeny,
  type Decision,
  privilegedGroup,
  type RuleResolver,
  type UserRules,
  unionAuthorizer,
  unionRules,
} from './authorizer.ts';
import type {
  AuthorizationConfiguration,
  AuthorizationSettings,
  AuthorizerConfiguration,
} from './config/configuration.ts';
import { parseConfiguration } from './config/load.ts';
import { checkConfiguration } from './config/validate.ts';
import { AuthorizationMetrics, ReloadMetrics } from './metrics.ts';
import { MatchConditionCompiler } from './webhook/match-conditions.ts';
import { WebhookAuthorizer } from './webhook/webhook.ts';

export interface AuthorizerChainDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly rbac: Authorizer & RuleResolver;
  readonly node: Authorizer & RuleResolver;
  /** In metrics of the configuration file. */
  readonly serverId: string;
}

interface Built {
  readonly authorizer: Authorizer;
  readonly rules: RuleResolver;
  readonly webhooks: readonly WebhookAuthorizer[];
}

export class AuthorizerChain implements Authorizer, RuleResolver {
  readonly #deps: AuthorizerChainDeps;
  readonly #metrics: AuthorizationMetrics;
  readonly #compiler = new MatchConditionCompiler();
  readonly #abac: Abac | undefined;
  /** Types that the server began with; other than webhooks, no type comes later and none goes. */
  readonly #types: ReadonlySet<string>;
  #current: Built;

  /** Throws a UserError or an Error with upstream's text for a configuration that cannot be. */
  constructor(deps: AuthorizerChainDeps, settings: AuthorizationSettings, signal: AbortSignal) {
    this.#deps = deps;
    this.#metrics = new AuthorizationMetrics(deps.metrics);
    this.#types = new Set(settings.authorizers.map(({ type }) => type));
    try {
      if (this.#types.has('ABAC')) this.#abac = readAbacPolicy(settings.policyFile ?? '');
      this.#current = this.#build(settings);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new UserError(`invalid authorization config: ${why}`, { cause });
    }
    if (settings.file) this.#follow(settings.file, settings, signal);
    signal.addEventListener('abort', () => dispose(this.#current), { once: true });
  }

  authorize(attributes: AuthorizationAttributes): Promise<Decision> | Decision {
    return this.#current.authorizer.authorize(attributes);
  }

  rulesFor(user: UserInfo, namespace: string): UserRules {
    return this.#current.rules.rulesFor(user, namespace);
  }

  #build({ authorizers }: AuthorizationConfiguration): Built {
    if (authorizers.length === 0) throw new Error('at least one authorization mode must be passed');
    const made = authorizers.map(each => ({ each, authorizer: this.#authorizer(each) }));
    const counted = made.map(({ each, authorizer }) => this.#metrics.counted(each.type, each.name, authorizer));
    return {
      authorizer: unionAuthorizer([privilegedGroup, ...counted]),
      rules: unionRules(made.map(({ authorizer }) => authorizer)),
      webhooks: made.map(({ authorizer }) => authorizer).filter(each => each instanceof WebhookAuthorizer),
    };
  }

  #authorizer(configuration: AuthorizerConfiguration): Authorizer & RuleResolver {
    const { type } = configuration;
    const { rbac, node } = this.#deps;
    if (['Node', 'RBAC', 'ABAC'].includes(type) && !this.#types.has(type)) {
      throw new Error(`authorizer type ${type} is not allowed if it was not enabled at initial server startup`);
    }
    switch (type) {
      case 'AlwaysAllow':
        return alwaysAllow;
      case 'AlwaysDeny':
        return alwaysDeny;
      case 'Node':
        return node;
      case 'RBAC':
        return rbac;
      case 'ABAC':
        return this.#abac!;
      case 'Webhook':
        return this.#webhook(configuration);
      default:
        throw new Error(`unknown authorization mode ${type} specified`);
    }
  }

  #webhook({ name, webhook }: AuthorizerConfiguration): WebhookAuthorizer {
    const { clock, random } = this.#deps;
    const { connectionInfo, timeoutMs, subjectAccessReviewVersion: version, matchConditions } = webhook!;
    if (version !== 'v1' && version !== 'v1beta1') {
      const quoted = JSON.stringify(version);
      throw new Error(`unsupported webhook authorizer version ${quoted}, supported versions are "v1", "v1beta1"`);
    }
    const conditions = matchConditions.map(text => {
      const compiled = this.#compiler.compile(text);
      if ('error' in compiled) throw new Error(compiled.error);
      return compiled.condition;
    });
    return new WebhookAuthorizer({
      name,
      client: kubeconfigWebhook({ path: connectionInfo.kubeConfigFile!, clock, timeoutMs }),
      version,
      authorizedTtlMs: webhook!.cacheAuthorizedRequests ? webhook!.authorizedTtlMs : 0,
      unauthorizedTtlMs: webhook!.cacheUnauthorizedRequests ? webhook!.unauthorizedTtlMs : 0,
      onFailure: webhook!.failurePolicy === 'Deny' ? 'deny' : 'noOpinion',
      conditions,
      metrics: this.#metrics,
      clock,
      random,
    });
  }

  /** Takes over what the file says whenever that changes and is right; else what held goes on holding. */
  #follow(
    file: { readonly path: string; readonly text: string },
    first: AuthorizationConfiguration,
    signal: AbortSignal,
  ) {
    const { clock, logger, metrics, serverId } = this.#deps;
    const reloads = new ReloadMetrics(metrics, clock, serverId);
    reloads.applied(file.text);
    let read = file.text;
    let loaded = JSON.stringify(first.authorizers);
    const onChange = (): void => {
      try {
        const text = readFileSync(file.path, 'utf8');
        if (text === read) return;
        read = text;
        const configuration = this.#load(text);
        const fresh = JSON.stringify(configuration.authorizers);
        if (fresh === loaded) return;
        loaded = fresh;
        const before = this.#current;
        this.#current = this.#build(configuration);
        dispose(before);
        reloads.applied(text);
        reloads.reloaded('success');
        logger.info('reloaded authz config');
      } catch (error) {
        reloads.reloaded('failure');
        logger.error('reloading authorization config', { error });
      }
    };
    watchFile(file.path, { clock, signal, onChange });
  }

  #load(text: string): AuthorizationConfiguration {
    const requiredTypes = [...this.#types].filter(type => type !== 'Webhook');
    return loadConfiguration(text, this.#compiler, requiredTypes);
  }
}

function dispose({ webhooks }: Built): void {
  for (const webhook of webhooks) webhook[Symbol.dispose]();
}

/** Throws an Error with upstream's text. */
export function loadConfiguration(
  text: string,
  compiler: MatchConditionCompiler = new MatchConditionCompiler(),
  requiredTypes: readonly string[] = [],
): AuthorizationConfiguration {
  let configuration: AuthorizationConfiguration;
  try {
    configuration = parseConfiguration(text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`failed to load AuthorizationConfiguration from file: ${why}`, { cause });
  }
  checkConfiguration(configuration, { compiler, requiredTypes });
  return configuration;
}
