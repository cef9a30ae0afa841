/**
 * Encryption at rest of one API server: the store with its values transformed, the health of KMS plug-ins, and the
 * configuration read again when its file changes. Upstream: apiserver pkg/server/options/etcd.go,
 * pkg/server/options/encryptionconfig/{config.go,controller/controller.go}.
 * Deviation: while a KMS plug-in that writes what every start writes (anything but Secrets, events and custom kinds) does
 * not answer, the server waits for it before it opens its port; upstream's opens it and fails its checks.
 */
import { hostname } from 'node:os';
import { type Clock, type Logger, type MetricsRegistry, type Random, UserError } from '#base';
import {
  aggregate,
  EnvelopeMetrics,
  hashOf,
  type Store,
  TransformationMetrics,
  transformedStore,
  type ValueTransformer,
} from '#storage';
import { leaseName } from '../bootstrap/identity-lease.ts';
import type { ApiServerConfig } from '../config.ts';
import type { Scheme } from '../scheme/scheme.ts';
import type { HealthCheck } from '../server/health.ts';
import { loadEncryptionFile, readEncryptionConfig } from './config.ts';
import { groupResourceText, resourcesByKey } from './group-resource.ts';
import { ReloadMetrics } from './reload-metrics.ts';
import { buildTransformers, noEncryption, type ResourceTransformers, type TransformerDeps } from './transformers.ts';

export interface EncryptionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: MetricsRegistry;
  readonly scheme: Scheme;
}

export interface EncryptionOptions {
  /** Path of the configuration; undefined: everything stands as it is. */
  readonly file: string | undefined;
  readonly reload: boolean;
  readonly keyPrefix: string;
  /** The server's identity. */
  readonly serverId: string;
}

/** What a server's settings say of it. */
export function encryptionOptions(config: ApiServerConfig): EncryptionOptions {
  return {
    file: config.encryptionProviderConfig,
    reload: config.encryptionProviderConfigAutomaticReload,
    keyPrefix: config.keyPrefix,
    serverId: leaseName(hostname()),
  };
}

export interface Encryption {
  /** `store` as the API server is to see it. */
  over(store: Store): Store;
  /** Those of the KMS plug-ins: on /healthz and /readyz, never on /livez. */
  readonly checks: readonly HealthCheck[];
}

const pollMs = 60_000;
const minRetryMs = 5;
const healthTimeoutMs = 10_000;
const healthPauseMs = 100;

/** Reads the file, dials the plug-ins. What it started ends with `signal`. Throws a UserError for a wrong file. */
export async function startEncryption(
  deps: EncryptionDeps,
  options: EncryptionOptions,
  signal: AbortSignal,
): Promise<Encryption> {
  const { file, reload } = options;
  const resourceOf = resourcesByKey(deps.scheme, options.keyPrefix);
  if (file === undefined) {
    if (reload)
      throw new UserError(
        '--encryption-provider-config-automatic-reload must be set with --encryption-provider-config',
      );
    return {
      over: store =>
        transformedStore(
          store,
          valueTransformer(resourceOf, () => noEncryption),
        ),
      checks: [],
    };
  }
  const { clock, metrics } = deps;
  const transformerDeps = {
    ...deps,
    metrics: new EnvelopeMetrics(metrics, clock, options.serverId),
    transformations: new TransformationMetrics(metrics, clock),
  };
  const reloads = new ReloadMetrics(metrics, clock, hashOf(options.serverId));
  const loaded = await load(transformerDeps, file, reload, signal);
  reloads.applied(loaded.hash);
  const held = { current: loaded };
  await untilAnswering(deps, loaded.transformers, signal);
  if (reload) void followFile(transformerDeps, { file, held, reloads }, signal);
  return {
    over: store =>
      transformedStore(
        store,
        valueTransformer(resourceOf, () => held.current.transformers),
      ),
    checks: healthChecks(held, reload),
  };
}

const waitMs = 1000;

/** What the start writes cannot be written before these plug-ins answer. */
async function untilAnswering(
  { clock, logger }: Pick<EncryptionDeps, 'clock' | 'logger'>,
  { neededAtStart }: ResourceTransformers,
  signal: AbortSignal,
): Promise<void> {
  for (const plugin of neededAtStart) {
    for (let problem = await plugin.check(); problem; problem = await plugin.check()) {
      logger.warn('waiting for a kms plugin', { name: plugin.name, reason: problem.message });
      await clock.sleep(waitMs, signal);
    }
  }
}

interface Loaded {
  readonly transformers: ResourceTransformers;
  readonly hash: string;
  /** Ends the plug-ins' connections. */
  readonly close: AbortController;
}

async function load(deps: TransformerDeps, file: string, reload: boolean, signal: AbortSignal): Promise<Loaded> {
  const { config, hash } = readEncryptionConfig(file, reload);
  const close = new AbortController();
  const onAbort = (): void => close.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  close.signal.addEventListener('abort', () => signal.removeEventListener('abort', onAbort), { once: true });
  try {
    return { transformers: await buildTransformers(deps, config, close.signal), hash, close };
  } catch (error) {
    close.abort();
    throw error;
  }
}

function valueTransformer(
  resourceOf: ReturnType<typeof resourcesByKey>,
  transformers: () => ResourceTransformers,
): ValueTransformer {
  const at = (key: string) => {
    const resource = resourceOf(key);
    return { transformer: transformers().of(resource), context: { key, resource: groupResourceText(resource) } };
  };
  return {
    seal(key, value) {
      const { transformer, context } = at(key);
      return transformer.seal(value, context);
    },
    open(key, stored) {
      const { transformer, context } = at(key);
      return transformer.open(stored, context);
    },
  };
}

function healthChecks(held: { readonly current: Loaded }, reload: boolean): HealthCheck[] {
  if (!reload && held.current.transformers.plugins.length === 0) return [];
  const check = async (): Promise<string | undefined> => (await problemOf(held.current.transformers))?.message;
  const kms: HealthCheck = { name: 'kms-providers', on: ['healthz', 'readyz'], check };
  if (!reload) return [kms];
  const following = 'poststarthook/start-encryption-provider-config-automatic-reload';
  return [kms, { name: following, on: ['healthz', 'livez', 'readyz'], check: () => undefined }];
}

/** Of all plug-ins, one after the other. */
async function problemOf({ plugins }: ResourceTransformers): Promise<Error | undefined> {
  const errors: Error[] = [];
  for (const [at, plugin] of plugins.entries()) {
    const problem = await plugin.check();
    if (problem) errors.push(new Error(`kms-provider-${at}: ${problem.message}`));
  }
  return errors.length === 0 ? undefined : aggregate(errors);
}

interface Followed {
  readonly file: string;
  readonly held: { current: Loaded };
  readonly reloads: ReloadMetrics;
}

/** Looks at the file every minute; after a failure sooner, each time after twice the pause. */
async function followFile(deps: TransformerDeps, followed: Followed, signal: AbortSignal): Promise<void> {
  for (let failures = 0; ; ) {
    const pauseMs = failures === 0 ? pollMs : Math.min(pollMs, minRetryMs * 2 ** failures);
    try {
      await deps.clock.sleep(pauseMs, signal);
    } catch {
      return;
    }
    try {
      await reloadIfChanged(deps, followed, signal);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      followed.reloads.failed();
      deps.logger.error('error processing encryption config file', { file: followed.file, error });
    }
  }
}

/** What stands stays in use unless all of the new configuration is sound and its plug-ins answer. */
async function reloadIfChanged(
  deps: TransformerDeps,
  { file, held, reloads }: Followed,
  signal: AbortSignal,
): Promise<void> {
  if (loadEncryptionFile(file).hash === held.current.hash) return;
  const next = await load(deps, file, true, signal);
  try {
    await untilHealthy(deps.clock, next.transformers, signal);
  } catch (error) {
    next.close.abort();
    throw error;
  }
  const before = held.current;
  held.current = next;
  reloads.succeeded(next.hash);
  deps.logger.info('loaded new encryption config', { file });
  // Reads under way may still be asking the old plug-ins.
  const timer = deps.clock.setTimer(() => before.close.abort(), before.transformers.closeGraceMs);
  signal.addEventListener('abort', () => timer.cancel(), { once: true });
}

async function untilHealthy(clock: Clock, transformers: ResourceTransformers, signal: AbortSignal): Promise<void> {
  const end = clock.monotonicMs() + Math.max(healthTimeoutMs, transformers.closeGraceMs);
  for (;;) {
    const problem = await problemOf(transformers);
    if (!problem) return;
    if (clock.monotonicMs() + healthPauseMs > end)
      throw new Error(
        `health check for new transformers failed, polling error timed out waiting for the condition: ${problem.message}`,
      );
    await clock.sleep(healthPauseMs, signal);
  }
}
