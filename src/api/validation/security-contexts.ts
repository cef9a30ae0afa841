/**
 * Security contexts of pods and containers. Upstream: pkg/apis/core/validation (ValidateSecurityContext,
 * validatePodSpecSecurityContext, validateWindowsSecurityContextOptions).
 */
import {
  append,
  byteLength,
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  isDNS1123Subdomain,
  isValidGroupID,
  isValidUserID,
  notSupported,
  required,
  tooLong,
} from '#apimachinery';
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  WindowsSecurityContextOptions,
} from '../types.ts';
import { checkLocalDescendingPath, checkSupported, type Errors, refuseEach } from './common.ts';
import { invalidInternal } from './internal-value.ts';

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function checkSeccomp(errors: Errors, path: FieldPath, profile: SeccompProfile | undefined): void {
  if (!profile) return;
  const at = path.child('type');
  if (!profile.type) errors.push(required(at, 'type is required when seccompProfile is set'));
  else if (!profileTypes.includes(profile.type)) errors.push(notSupported(at, profile.type, profileTypes));
  const localPath = path.child('localhostProfile');
  const local = profile.localhostProfile;
  if (profile.type === 'Localhost') {
    if (local === undefined) errors.push(required(localPath, 'must be set when seccomp type is Localhost'));
    else checkLocalDescendingPath(errors, localPath, local);
  } else if (local !== undefined) {
    const text = 'can only be set when seccomp type is Localhost';
    errors.push(invalidInternal(localPath, 'core.SeccompProfile', profile, text));
  }
}

const maxAppArmorProfile = 4095;

export function checkAppArmor(errors: Errors, path: FieldPath, profile: AppArmorProfile | undefined): void {
  if (!profile) return;
  const localPath = path.child('localhostProfile');
  const local = profile.localhostProfile;
  const typePath = path.child('type');
  if (profile.type === 'Localhost') {
    const needed = 'must be set when AppArmor type is Localhost';
    if (local === undefined) errors.push(required(localPath, needed));
    else {
      if (local.trim() !== local) errors.push(invalidValue(localPath, local, 'must not be padded with whitespace'));
      else if (local === '') errors.push(required(localPath, needed));
      if (byteLength(local) > maxAppArmorProfile) errors.push(tooLong(localPath, maxAppArmorProfile));
    }
  } else if (profileTypes.includes(profile.type)) {
    if (local !== undefined) {
      errors.push(invalidValue(localPath, local, 'can only be set when AppArmor type is Localhost'));
    }
  } else if (!profile.type) errors.push(required(typePath, 'type is required when appArmorProfile is set'));
  else errors.push(notSupported(typePath, profile.type, profileTypes));
}

const dnsLabel = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?';
const windowsDomain = new RegExp(`^${dnsLabel}(?:\\.${dnsLabel})*$`);
const netBiosDomain = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;

/** What is wrong with a Windows user name, `domain\user` or `user`. */
function userNameRefusals(name: string): string[] {
  if (name === '') return ['runAsUserName cannot be an empty string'];
  if (/[\u0000-\u001f\u007f]/.test(name)) return ['runAsUserName cannot contain control characters'];
  const parts = name.split('\\');
  if (parts.length > 2) return ['runAsUserName cannot contain more than one backslash'];
  const user = parts.at(-1)!;
  const domain = parts.length === 2 ? parts[0]! : '';
  const texts: string[] = [];
  if (byteLength(domain) >= 256) texts.push("runAsUserName's Domain length must be under 256 characters");
  if (parts.length === 2 && !netBiosDomain.test(domain) && !windowsDomain.test(domain)) {
    texts.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === '') texts.push("runAsUserName's User cannot be empty");
  else if (byteLength(user) > 104) texts.push("runAsUserName's User length must not be longer than 104 characters");
  if (/^[. ]+$/.test(user)) texts.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user)) {
    texts.push('runAsUserName\'s User cannot contain the following characters: "/\\:;|=,+*?<>@[]');
  }
  return texts;
}

function checkWindows(errors: Errors, path: FieldPath, options: WindowsSecurityContextOptions | undefined): void {
  if (!options) return;
  const { gmsaCredentialSpecName: specName, gmsaCredentialSpec: spec, runAsUserName: user } = options;
  if (specName !== undefined) {
    refuseEach(errors, path.child('gmsaCredentialSpecName'), specName, isDNS1123Subdomain(specName));
  }
  if (spec !== undefined) {
    const at = path.child('gmsaCredentialSpec');
    if (spec === '') errors.push(invalidValue(at, spec, 'gmsaCredentialSpec cannot be an empty string'));
    else if (byteLength(spec) > 64 * 1024) {
      errors.push(invalidValue(at, spec, 'gmsaCredentialSpec size must be under 64 KiB'));
    }
  }
  if (user !== undefined) refuseEach(errors, path.child('runAsUserName'), user, userNameRefusals(user));
}

function checkIds(
  errors: Errors,
  path: FieldPath,
  context: { readonly runAsUser?: number; readonly runAsGroup?: number },
): void {
  const { runAsUser, runAsGroup } = context;
  if (runAsUser !== undefined) refuseEach(errors, path.child('runAsUser'), runAsUser, isValidUserID(runAsUser));
  if (runAsGroup !== undefined) refuseEach(errors, path.child('runAsGroup'), runAsGroup, isValidGroupID(runAsGroup));
}

export interface SecurityOptions {
  readonly allowPrivileged: boolean;
  /** The pod uses the host's user namespace. */
  readonly hostUsers: boolean;
}

export function checkSecurityContext(
  errors: Errors,
  path: FieldPath,
  context: SecurityContext | undefined,
  options: SecurityOptions,
): void {
  if (!context) return;
  if (context.privileged && !options.allowPrivileged) {
    errors.push(forbiddenField(path.child('privileged'), 'disallowed by cluster policy'));
  }
  checkIds(errors, path, context);
  const { procMount } = context;
  if (procMount !== undefined) {
    const at = path.child('procMount');
    checkSupported(errors, at, procMount, ['Default', 'Unmasked']);
    if (options.hostUsers && procMount === 'Unmasked') {
      errors.push(invalidValue(at, procMount, '`hostUsers` must be false to use `Unmasked`'));
    }
  }
  checkSeccomp(errors, path.child('seccompProfile'), context.seccompProfile);
  if (context.allowPrivilegeEscalation === false) append(errors, escalations(path, context));
  checkWindows(errors, path.child('windowsOptions'), context.windowsOptions);
  checkAppArmor(errors, path.child('appArmorProfile'), context.appArmorProfile);
}

/** What allows an escalation that the context says it does not. */
function escalations(path: FieldPath, context: SecurityContext): FieldError[] {
  const refuse = (what: string): FieldError => {
    const text = `cannot set \`allowPrivilegeEscalation\` to false and ${what}`;
    return invalidInternal(path, 'core.SecurityContext', context, text);
  };
  const added = context.capabilities?.add ?? [];
  return [
    ...(context.privileged ? [refuse('`privileged` to true')] : []),
    ...added.filter(name => name === 'CAP_SYS_ADMIN').map(() => refuse('`capabilities.Add` CAP_SYS_ADMIN')),
  ];
}

const sysctlPattern = '^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$';
const maxSysctl = 253;
const ipcSysctls = ['kernel.sem'];
const ipcPrefixes = ['kernel.shm', 'kernel.msg', 'fs.mqueue.'];

/** Refuses sysctls of a namespace that the pod shares with the host. */
function hostSysctl(name: string, spec: PodSpec): string | undefined {
  const dotted = name.includes('/') && !/^[^/]*\./.test(name) ? name.replaceAll('/', '.') : name;
  if (spec.hostNetwork && dotted.startsWith('net.')) return "may not be specified when 'hostNetwork' is true";
  const ipc = ipcSysctls.includes(dotted) || ipcPrefixes.some(prefix => dotted.startsWith(prefix));
  return spec.hostIPC && ipc ? "may not be specified when 'hostIPC' is true" : undefined;
}

function checkSysctls(
  errors: Errors,
  path: FieldPath,
  sysctls: NonNullable<PodSecurityContext['sysctls']>,
  spec: PodSpec,
): void {
  const seen = new Set<string>();
  sysctls.forEach(({ name = '' }, i) => {
    const at = path.index(i).child('name');
    if (!name) errors.push(required(at));
    else if (byteLength(name) > maxSysctl || !isSysctlName(name)) {
      errors.push(invalidValue(at, name, `must have at most ${maxSysctl} characters and match regex ${sysctlPattern}`));
    } else if (seen.has(name)) errors.push(duplicate(at, name));
    const refusal = hostSysctl(name, spec);
    if (refusal) errors.push(invalidValue(at, name, refusal));
    seen.add(name);
  });
}

/** Each segment by itself: the whole pattern is quadratic. */
function isSysctlName(name: string): boolean {
  return name.split(/[./]/).every(part => /^[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/.test(part));
}

export function checkPodSecurityContext(
  errors: Errors,
  path: FieldPath,
  context: PodSecurityContext,
  spec: PodSpec,
  options: { allowAnySELinuxPolicy?: boolean },
): void {
  const { fsGroup, fsGroupChangePolicy, supplementalGroupsPolicy, seLinuxChangePolicy } = context;
  if (fsGroup !== undefined) refuseEach(errors, path.child('fsGroup'), fsGroup, isValidGroupID(fsGroup));
  checkIds(errors, path, context);
  context.supplementalGroups?.forEach((group, i) => {
    refuseEach(errors, path.child('supplementalGroups').index(i), group, isValidGroupID(group));
  });
  if (spec.shareProcessNamespace && spec.hostPID) {
    const text = 'ShareProcessNamespace and HostPID cannot both be enabled';
    errors.push(invalidValue(path.child('shareProcessNamespace'), true, text));
  }
  checkSysctls(errors, path.child('sysctls'), context.sysctls ?? [], spec);
  if (fsGroupChangePolicy !== undefined) {
    checkSupported(errors, path.child('fsGroupChangePolicy'), fsGroupChangePolicy, ['Always', 'OnRootMismatch']);
  }
  checkSeccomp(errors, path.child('seccompProfile'), context.seccompProfile);
  checkWindows(errors, path.child('windowsOptions'), context.windowsOptions);
  checkAppArmor(errors, path.child('appArmorProfile'), context.appArmorProfile);
  if (supplementalGroupsPolicy !== undefined) {
    checkSupported(errors, path.child('supplementalGroupsPolicy'), supplementalGroupsPolicy, ['Merge', 'Strict']);
  }
  if (seLinuxChangePolicy !== undefined) {
    const policies = options.allowAnySELinuxPolicy ? ['MountOption', 'Recursive'] : ['Recursive'];
    checkSupported(errors, path.child('seLinuxChangePolicy'), seLinuxChangePolicy, policies);
  }
}
