/** Flags of authorization. Upstream: pkg/kubeapiserver/options/authorization.go. */
import { readFileSync } from 'node:fs';
import {
  type AuthorizationMode,
  type AuthorizationSettings,
  authorizationModes,
  loadAuthorizationConfiguration,
  modesAsConfiguration,
} from '#apiserver';
import { UserError } from '#base';
import type { FlagGroup, GivenFlags } from './flag.ts';

const modeFlag = 'authorization-mode';
const policyFlag = 'authorization-policy-file';
const configFlag = 'authorization-config';
const webhookFlag = 'authorization-webhook-config-file';
const versionFlag = 'authorization-webhook-version';
const authorizedFlag = 'authorization-webhook-cache-authorized-ttl';
const unauthorizedFlag = 'authorization-webhook-cache-unauthorized-ttl';

const olderFlags = [modeFlag, webhookFlag, versionFlag, authorizedFlag, unauthorizedFlag];

export const authorizationFlags: FlagGroup = {
  title: 'Authorization:',
  flags: [
    { name: modeFlag, value: 'modes', help: `of ${authorizationModes.join(', ')}, in order (default: Node,RBAC)` },
    { name: configFlag, value: 'path', help: 'an AuthorizationConfiguration, followed as it changes', isPath: true },
    { name: policyFlag, value: 'path', help: 'a policy a line, for the mode ABAC', isPath: true },
    { name: webhookFlag, value: 'path', help: 'a kubeconfig, for the mode Webhook', isPath: true },
    { name: versionFlag, value: 'version', help: 'of the reviews that the webhook gets (default: v1beta1)' },
    { name: authorizedFlag, value: 'duration', help: 'how long its yes is kept (default: 5m0s)' },
    { name: unauthorizedFlag, value: 'duration', help: 'how long its no is kept (default: 30s)' },
  ],
  settings(given) {
    const authorization = given.text(configFlag) ? fromFile(given) : fromModes(given);
    return { apiServer: authorization ? { authorization } : {} };
  },
};

function fromFile(given: GivenFlags): AuthorizationSettings {
  if (olderFlags.some(name => given.all(name).length > 0)) {
    throw new UserError(
      `--${configFlag} can not be specified when --${modeFlag} or --authorization-webhook-* flags are defined`,
    );
  }
  const path = given.path(configFlag)!;
  const policyFile = given.path(policyFlag);
  try {
    const text = readFileSync(path, 'utf8');
    return { ...loadAuthorizationConfiguration(text), file: { path, text }, policyFile };
  } catch (cause) {
    throw new UserError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Undefined where no flag says anything: the default holds. */
function fromModes(given: GivenFlags): AuthorizationSettings | undefined {
  const modes = given.list(modeFlag) ?? ['Node', 'RBAC'];
  const policyFile = given.path(policyFlag) || undefined;
  const kubeConfigFile = given.path(webhookFlag) || undefined;
  const problems: string[] = [];
  const known: readonly string[] = authorizationModes;
  if (modes.length === 0) problems.push('at least one authorization-mode must be passed');
  for (const mode of modes) {
    if (!known.includes(mode)) problems.push(`authorization-mode ${JSON.stringify(mode)} is not a valid mode`);
    if (mode === 'ABAC' && !policyFile) {
      problems.push("authorization-mode ABAC's authorization policy file not passed");
    }
    if (mode === 'Webhook' && !kubeConfigFile) {
      problems.push("authorization-mode Webhook's authorization config file not passed");
    }
  }
  if (policyFile && !modes.includes('ABAC')) {
    problems.push('cannot specify --authorization-policy-file without mode ABAC');
  }
  if (kubeConfigFile && !modes.includes('Webhook')) {
    problems.push('cannot specify --authorization-webhook-config-file without mode Webhook');
  }
  if (new Set(modes).size < modes.length) {
    const list = modes.map(mode => JSON.stringify(mode)).join(' ');
    problems.push(`authorization-mode [${list}] has mode specified more than once`);
  }
  if (problems.length > 0) throw new UserError(problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`);
  const authorizedTtlMs = given.durationMs(authorizedFlag) ?? 5 * 60_000;
  const unauthorizedTtlMs = given.durationMs(unauthorizedFlag) ?? 30_000;
  if (![modeFlag, policyFlag, webhookFlag].some(name => given.all(name).length > 0)) return undefined;
  const webhook = {
    authorizedTtlMs,
    cacheAuthorizedRequests: authorizedTtlMs !== 0,
    unauthorizedTtlMs,
    cacheUnauthorizedRequests: unauthorizedTtlMs !== 0,
    timeoutMs: 30_000,
    subjectAccessReviewVersion: given.text(versionFlag) ?? 'v1beta1',
    matchConditionSubjectAccessReviewVersion: '',
    failurePolicy: 'NoOpinion',
    connectionInfo: { type: 'KubeConfigFile', kubeConfigFile },
    matchConditions: [],
  };
  const { authorizers } = modesAsConfiguration(modes as AuthorizationMode[]);
  return {
    authorizers: authorizers.map(each => (each.type === 'Webhook' ? { ...each, name: 'default', webhook } : each)),
    policyFile,
  };
}
