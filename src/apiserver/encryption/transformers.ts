/**
 * The forms that a configuration asks for, by resource. Upstream: getTransformerOverridesAndKMSPluginProbes in apiserver
 * pkg/server/options/encryptionconfig/config.go.
 * Deviation: KMS v1 is refused, as upstream does by default; its feature gate is not offered.
 */
import { type Clock, type Logger, type Random, UserError } from '#base';
import {
  cbcTransformer,
  type EnvelopeMetrics,
  gcmTransformer,
  identityTransformer,
  KmsPlugin,
  kmsService,
  type PrefixTransformer,
  prefixTransformers,
  secretboxTransformer,
  type TransformationMetrics,
  type Transformer,
} from '#storage';
import type { EncryptionConfig, KeysConfig, KmsConfig, ProviderConfig, ResourceConfig } from './config.ts';
import { type GroupResource, parseGroupResource } from './group-resource.ts';
import { decodeBase64, timeoutMs } from './validation.ts';

export interface TransformerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: EnvelopeMetrics;
  readonly transformations: TransformationMetrics;
}

export interface ResourceTransformers {
  of(resource: GroupResource): Transformer;
  /** In the order of the configuration. */
  readonly plugins: readonly KmsPlugin[];
  /** Those that write what the start of a server writes: nothing works before they do. */
  readonly neededAtStart: readonly KmsPlugin[];
  /** Twice what all plug-ins may take: old transformers stay usable for so long after a reload. */
  readonly closeGraceMs: number;
}

const nameOf = ({ group, resource }: GroupResource): string => `${resource}.${group}`;
/** As written in the file: `*.` is all of the core group. */
const written = ({ group, resource }: GroupResource): string =>
  group === '' && resource !== '*' ? resource : `${resource}.${group}`;

/** Everything that a server without a configuration does. */
export const noEncryption: ResourceTransformers = {
  of: () => identityTransformer,
  plugins: [],
  neededAtStart: [],
  closeGraceMs: 0,
};

/** Connects to KMS plug-ins, which are asked once and followed until `signal` aborts. Throws a UserError. */
export async function buildTransformers(
  deps: TransformerDeps,
  { resources }: EncryptionConfig,
  signal: AbortSignal,
): Promise<ResourceTransformers> {
  const lists = new Map<string, PrefixTransformer[]>();
  const plugins: KmsPlugin[] = [];
  const neededAtStart: KmsPlugin[] = [];
  let timeoutsMs = 0;
  for (const each of resources) {
    const made = await transformersOf(deps, each, signal);
    plugins.push(...made.plugins);
    const isFirst = each.providers[0]?.kms !== undefined;
    if (isFirst && each.resources.some(isWrittenAtStart)) neededAtStart.push(made.plugins[0]!);
    timeoutsMs += made.timeoutsMs;
    for (const name of each.resources) {
      const resource = parseGroupResource(name);
      for (const earlier of [
        { group: resource.group, resource: '*' },
        { group: '*', resource: '*' },
      ])
        if (lists.has(nameOf(earlier)))
          throw refused(
            `resource ${JSON.stringify(written(resource))} is masked by earlier rule ${JSON.stringify(written(earlier))}`,
          );
      lists.set(nameOf(resource), [...(lists.get(nameOf(resource)) ?? []), ...made.list]);
    }
  }
  const byName = new Map(
    [...lists].map(([name, all]) => [name, prefixTransformers(all, 'no matching prefix found', deps.transformations)]),
  );
  return {
    plugins,
    neededAtStart,
    closeGraceMs: 2 * timeoutsMs,
    of: resource =>
      byName.get(nameOf(resource)) ?? byName.get(`*.${resource.group}`) ?? byName.get('*.*') ?? identityTransformer,
  };
}

/** Secrets and events are written when somebody asks for it, and nobody else's kinds are. */
function isWrittenAtStart(name: string): boolean {
  const { group, resource } = parseGroupResource(name);
  const isBuiltIn = group === '' || group === '*' || !group.includes('.') || group.endsWith('.k8s.io');
  return isBuiltIn && resource !== 'secrets' && resource !== 'events';
}

const refused = (why: string): UserError => new UserError(`error while building transformers: ${why}`);

async function transformersOf(
  deps: TransformerDeps,
  { providers }: ResourceConfig,
  signal: AbortSignal,
): Promise<{ list: PrefixTransformer[]; plugins: KmsPlugin[]; timeoutsMs: number }> {
  const list: PrefixTransformer[] = [];
  const plugins: KmsPlugin[] = [];
  let timeoutsMs = 0;
  for (const provider of providers) {
    if (provider.kms) {
      const plugin = await kmsPlugin(deps, provider.kms, signal);
      plugins.push(plugin);
      timeoutsMs += timeoutMs(provider.kms);
      list.push({ prefix: `k8s:enc:kms:v2:${plugin.name}:`, transformer: plugin.transformer });
    } else list.push(await keyedTransformer(provider));
  }
  return { list, plugins, timeoutsMs };
}

async function kmsPlugin(deps: TransformerDeps, config: KmsConfig, signal: AbortSignal): Promise<KmsPlugin> {
  const { apiVersion, name, endpoint } = config;
  if (apiVersion === 'v1')
    throw refused(
      'KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.',
    );
  const service = await kmsService(deps, { endpoint, providerName: name, timeoutMs: timeoutMs(config) }).catch(
    cause => {
      throw refused(`could not configure KMSv2-Plugin's probe ${JSON.stringify(name)}, error: ${cause.message}`);
    },
  );
  const plugin = new KmsPlugin(deps, service, name, signal);
  await plugin.start();
  return plugin;
}

async function keyedTransformer({ aesgcm, aescbc, secretbox }: ProviderConfig): Promise<PrefixTransformer> {
  if (aesgcm) return byKeys('k8s:enc:aesgcm:v1:', 'AES', aesgcm, gcmTransformer);
  if (aescbc) return byKeys('k8s:enc:aescbc:v1:', 'AES', aescbc, cbcTransformer);
  if (secretbox) return byKeys('k8s:enc:secretbox:v1:', 'Secretbox', secretbox, secretboxTransformer);
  return { prefix: '', transformer: identityTransformer };
}

/** One provider with its keys: the first writes, any reads what has its name. */
async function byKeys(
  prefix: string,
  what: string,
  { keys }: KeysConfig,
  make: (key: Uint8Array) => Transformer | Promise<Transformer>,
): Promise<PrefixTransformer> {
  const list = await Promise.all(
    keys.map(async ({ name, secret }) => ({ prefix: `${name}:`, transformer: await make(decodeBase64(secret)!) })),
  );
  const noMatch = `no matching key was found for the provided ${what} transformer`;
  return { prefix, transformer: prefixTransformers(list, noMatch) };
}
