/**
 * `--runtime-config`: which versions and resources are served. Upstream: apiserver
 * pkg/server/{options/api_enablement,resourceconfig/helpers}.go.
 * Deviation: kinds of upstream that are off by default and not built in here are refused by name; switches for all of a
 * stage leave them out, and say so.
 */
import type { ResourceFacts } from '#api/kind';
import { registeredVersions } from '#api/openapi';
import { optionalResources, type ServedFacts, servedFacts } from '#api/tables';
import { UserError } from '#base';
import { FeatureGates, type FeatureSettings } from './feature-gates.ts';

/** What was said, by key: `api/beta`, `group/version`, `group/version/resource`. */
export type RuntimeConfig = Readonly<Record<string, string>>;

const stages: ReadonlyArray<readonly [key: string, matches: RegExp]> = [
  ['api/all', /./],
  ['api/ga', /^v\d+$/],
  ['api/beta', /^v\d+beta\d+$/],
  ['api/alpha', /^v\d+alpha\d+$/],
];
const stageKeys = new Set(stages.map(([key]) => key));

/** What upstream has behind switches and this server does not, by group and version. */
const notBuiltIn: Readonly<Record<string, readonly string[]>> = {
  'certificates.k8s.io/v1beta1': ['podcertificaterequests'],
  'coordination.k8s.io/v1beta1': ['leasecandidates'],
  'coordination.k8s.io/v1alpha2': ['leasecandidates'],
  'internal.apiserver.k8s.io/v1alpha1': ['storageversions'],
  'resource.k8s.io/v1alpha3': ['devicetaintrules', 'resourcepoolstatusrequests'],
  'resource.k8s.io/v1beta1': ['deviceclasses', 'resourceclaims', 'resourceclaimtemplates', 'resourceslices'],
  'resource.k8s.io/v1beta2': [
    'deviceclasses',
    'devicetaintrules',
    'resourceclaims',
    'resourceclaimtemplates',
    'resourceslices',
  ],
  'scheduling.k8s.io/v1alpha2': ['podgroups', 'workloads'],
  'storagemigration.k8s.io/v1beta1': ['storageversionmigrations'],
};

/** Behind features that are off, whatever was said of their version. */
const gated: Readonly<Record<string, string>> = {
  'certificates.k8s.io/v1beta1/podcertificaterequests': 'PodCertificateRequest',
  'scheduling.k8s.io/v1alpha2/podgroups': 'GenericWorkload',
  'scheduling.k8s.io/v1alpha2/workloads': 'GenericWorkload',
  'storagemigration.k8s.io/v1beta1/storageversionmigrations': 'StorageVersionMigrator',
};

/** Upstream reads an empty value as true. */
function switched(config: RuntimeConfig, key: string): boolean | undefined {
  const text = Object.hasOwn(config, key) ? config[key] : undefined;
  if (text === undefined) return undefined;
  if (text === '' || ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false;
  const why = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw new UserError(`invalid value of ${key}: ${text}, err: ${why}`);
}

/** `v1`, as the core group's version may be called. */
export function normalized(config: RuntimeConfig): RuntimeConfig {
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key]) => key !== 'api/legacy')
      .map(([key, value]) => [/^(api\/)?v1(\/|$)/.test(key) ? '/v1' : key, value]),
  );
}

/** Throws a UserError for what upstream refuses, in its words, and for kinds that this server does not have. */
export function checkRuntimeConfig(given: RuntimeConfig): void {
  const config = normalized(given);
  const keys = Object.keys(config);
  if (config['api/all'] === 'false' && keys.length === 1) {
    throw new UserError('invalid runtime-config with only api/all=false');
  }
  const groups = new Set(registeredVersions.map(each => each.slice(0, each.indexOf('/'))));
  const named = keys.filter(key => !stageKeys.has(key) && [2, 3].includes(key.split('/').length));
  const gv = (key: string): string => key.split('/').slice(0, 2).join('/');
  const unknown = [...new Set(named.map(gv))].filter(each => !groups.has(each.split('/')[0]!)).sort();
  if (unknown.length > 0) throw new UserError(`unknown api groups ${unknown.join(',')}`);
  for (const [key] of stages) {
    const value = config[key];
    if (value !== undefined && value !== 'true' && value !== 'false') {
      throw new UserError(`invalid value ${key}=${value}`);
    }
  }
  for (const key of named) {
    if (!registeredVersions.includes(gv(key)))
      throw new UserError(`group version ${gv(key)} that has not been registered`);
    const [, , resource] = key.split('/');
    if (resource !== undefined && resource.toLowerCase() !== resource) {
      const what = 'group/version/resource and resource is always lowercase plural';
      throw new UserError(`invalid key ${key}: ${what}, not ${JSON.stringify(resource)}`);
    }
    if (switched(config, key) && lacks(key)) {
      throw new UserError(`--runtime-config ${key}: this server does not have it (docs/security.md, Feature gates)`);
    }
  }
}

function lacks(key: string): boolean {
  const [group, version, resource] = key.split('/');
  const missing = notBuiltIn[`${group}/${version}`] ?? [];
  if (resource !== undefined) return missing.includes(resource);
  return missing.some(each => !Object.hasOwn(gated, `${key}/${each}`));
}

/** What is served. */
export function servedBy(given: RuntimeConfig, features: FeatureGates): ServedFacts {
  const config = normalized(given);
  return servedFacts((facts, byDefault) => {
    if ('gate' in facts && facts.gate !== undefined && !features.enabled(facts.gate)) return false;
    return isSwitchedOn(config, facts, byDefault);
  });
}

/** The most particular word counts. */
function isSwitchedOn(config: RuntimeConfig, { group, version, resource }: ResourceFacts, byDefault: boolean): boolean {
  const ofStages = stages.filter(([, matches]) => matches.test(version)).map(([key]) => switched(config, key));
  const said = [
    ...ofStages,
    switched(config, `${group}/${version}`),
    switched(config, `${group}/${version}/${resource}`),
  ];
  return said.findLast(each => each !== undefined) ?? byDefault;
}

/** The versions in which a kind is served, the preferred one first. */
export function servedVersions(
  { runtimeConfig = {}, featureGates = {} }: { runtimeConfig?: RuntimeConfig; featureGates?: FeatureSettings },
  group: string,
  resource: string,
): string[] {
  const { groups, resources } = servedBy(runtimeConfig, new FeatureGates(featureGates));
  const versions = groups.find(each => each.name === group)?.versions ?? [];
  const has = (version: string): boolean =>
    resources.some(each => each.group === group && each.version === version && each.resource === resource);
  return versions.filter(has);
}

/** What a switch for a whole stage asked for and this server does not have: `group/version/resource`, sorted. */
export function leftOut(given: RuntimeConfig): string[] {
  const config = normalized(given);
  const built = new Set(optionalResources.map(each => `${each.group}/${each.version}/${each.resource}`));
  return Object.entries(notBuiltIn)
    .flatMap(([gv, resources]) => resources.map(resource => `${gv}/${resource}`))
    .filter(key => {
      if (built.has(key) || Object.hasOwn(gated, key)) return false;
      const [group = '', version = '', resource = ''] = key.split('/');
      return isSwitchedOn(config, { group, version, resource } as ResourceFacts, false);
    })
    .sort();
}
