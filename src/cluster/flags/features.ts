/**
 * Flags of what the server can do and which API it serves, and of the version as which it does. Upstream: apiserver
 * pkg/server/options/{server_run_options,api_enablement}.go, component-base compatibility/registry.go.
 * Deviation: no other version than v1.36 is emulated.
 */
import { checkFeatures, checkRuntimeConfig, type FeatureSettings, leftOut } from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup, GivenFlags } from './flag.ts';

const gatesFlag = 'feature-gates';
const runtimeFlag = 'runtime-config';
const emulatedFlag = 'emulated-version';
const compatibilityFlag = 'min-compatibility-version';
const forwardFlag = 'emulation-forward-compatible';
const runtimeForwardFlag = 'runtime-config-emulation-forward-compatible';

/** Of the API, and the oldest that upstream's v1.36 can emulate. */
const own = '1.36';
const oldest = 33;

export const featureFlags: FlagGroup = {
  title: 'Features and API:',
  flags: [
    { name: gatesFlag, value: 'name=bool', help: 'features to turn on or off, with commas between' },
    {
      name: runtimeFlag,
      value: 'key=bool',
      help: 'APIs to turn on or off: group/version, group/version/resource, api/beta …',
    },
    { name: emulatedFlag, value: 'version', help: 'version to behave as; 1.36 is the only one' },
    {
      name: compatibilityFlag,
      value: 'version',
      help: 'oldest version of other servers of the same store (default: 1.35)',
    },
    { name: forwardFlag, help: 'newer versions of an emulated version’s APIs (default: false)' },
    {
      name: runtimeForwardFlag,
      help: 'APIs of --runtime-config that are newer than the emulated version (default: false)',
    },
  ],
  settings(given) {
    checkVersions(given);
    const featureGates = checkFeatures(features(given));
    const runtimeConfig = Object.fromEntries(pairs(given, runtimeFlag).map(({ key, value }) => [key, value ?? '']));
    checkRuntimeConfig(runtimeConfig);
    const missing = leftOut(runtimeConfig);
    return {
      ...(missing.length > 0 && {
        remarks: [`--${runtimeFlag} leaves out what this server does not have: ${missing.join(', ')}`],
      }),
      apiServer: {
        ...(given.all(gatesFlag).length > 0 && { featureGates }),
        ...(given.all(runtimeFlag).length > 0 && { runtimeConfig }),
      },
    };
  },
};

function pairs(given: GivenFlags, flag: string): Array<{ key: string; value: string | undefined }> {
  return (given.list(flag) ?? []).map(each => {
    const at = each.indexOf('=');
    return at < 0
      ? { key: each, value: undefined }
      : { key: each.slice(0, at).trim(), value: each.slice(at + 1).trim() };
  });
}

function features(given: GivenFlags): FeatureSettings {
  return Object.fromEntries(
    pairs(given, gatesFlag).map(({ key, value }) => {
      const [component, name = component!] = key.includes(':') ? key.split(':') : ['kube', key];
      if (component !== 'kube') throw new UserError(`component not registered: ${component}`);
      if (value === undefined) throw new UserError(`missing bool value for ${name}`);
      if (/^(1|t|T|true|TRUE|True)$/.test(value)) return [name, true];
      if (/^(0|f|F|false|FALSE|False)$/.test(value)) return [name, false];
      const why = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
      throw new UserError(`invalid value of ${name}=${value}, err: ${why}`);
    }),
  );
}

function minorOf(text: string): number {
  const [, major, minor] = /^v?(\d+)\.(\d+)$/.exec(text) ?? [];
  if (major === undefined) throw new UserError(`illegal version string ${JSON.stringify(text)}`);
  return Number(major) === 1 ? Number(minor) : Number.NaN;
}

function versionOf(given: GivenFlags, flag: string): string | undefined {
  const text = given.list(flag)?.at(-1);
  if (text === undefined) return undefined;
  const [component, version = component!] = text.includes('=') ? text.split('=') : ['kube', text];
  if (component !== 'kube') throw new UserError(`component not registered: ${component}`);
  return version;
}

function checkVersions(given: GivenFlags): void {
  const emulated = versionOf(given, emulatedFlag);
  if (emulated !== undefined) {
    const minor = minorOf(emulated);
    if (!(minor >= oldest && minor <= 36)) {
      throw new UserError(`emulation version ${emulated} is not between [1.${oldest}, ${own}.0]`);
    }
    if (minor !== 36) {
      throw new UserError(
        `--${emulatedFlag}=${emulated}: this server is v${own} only (docs/security.md, Feature gates)`,
      );
    }
  }
  const compatible = versionOf(given, compatibilityFlag);
  if (compatible !== undefined && !(minorOf(compatible) >= oldest && minorOf(compatible) <= 36)) {
    throw new UserError(`minCompatibilityVersion version ${compatible} is not between [1.${oldest}, ${own}]`);
  }
  const forward = [
    [forwardFlag, 'EmulationForwardCompatible'],
    [runtimeForwardFlag, 'RuntimeConfigEmulationForwardCompatible'],
  ] as const;
  for (const [flag, option] of forward) {
    if (!given.boolean(flag)) continue;
    throw new UserError(
      `ServerRunOptions.${option} cannot be set to true if the emulation version is the same as the binary version`,
    );
  }
}
