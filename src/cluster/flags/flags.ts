/**
 * The flags of kube-apiserver that `kobune server` and `kobune up` take under upstream's names: one table for the
 * command line, for the settings they stand for, and for handing them on to a server in the background.
 */
import { resolve } from 'node:path';
import { admissionFlags } from './admission.ts';
import { aggregationFlags } from './aggregation.ts';
import { auditFlags } from './audit.ts';
import { authenticationFlags } from './authentication.ts';
import { authorizationFlags } from './authorization.ts';
import { behaviourFlags } from './behaviour.ts';
import { elsewhereFlags } from './elsewhere.ts';
import { encryptionFlags } from './encryption.ts';
import { etcdFlags } from './etcd.ts';
import { featureFlags } from './features.ts';
import type { FlagGroup, GivenFlags } from './flag.ts';
import { flowControlFlags } from './flow-control.ts';
import { kubeletFlags } from './kubelets.ts';
import { listeningFlags } from './listening.ts';
import { logFlags } from './logs.ts';
import { servicesFlags } from './services.ts';
import { servingFlags } from './serving.ts';
import type { ServerSettings } from './settings.ts';
import { shutdownFlags } from './shutdown.ts';
import { flagValues } from './values.ts';

/** All of them, in the order of the help. */
export const flagGroups: readonly FlagGroup[] = [
  admissionFlags,
  authenticationFlags,
  authorizationFlags,
  auditFlags,
  flowControlFlags,
  shutdownFlags,
  aggregationFlags,
  encryptionFlags,
  etcdFlags,
  listeningFlags,
  servingFlags,
  servicesFlags,
  kubeletFlags,
  behaviourFlags,
  featureFlags,
  logFlags,
  elsewhereFlags,
];

/** The settings that the given flags stand for. Reads files. Throws a UserError for what is wrong. */
export function serverSettings(given: GivenFlags): ServerSettings {
  const parts = flagGroups.map(group => group.settings(given));
  const remarks = parts.flatMap(each => each.remarks ?? []);
  return {
    ...Object.assign({}, ...parts),
    apiServer: Object.assign({ flags: flagValues(given) }, ...parts.map(each => each.apiServer)),
    ...(remarks.length > 0 && { remarks }),
  };
}

/** The same flags for another process, which may stand in another directory. */
export function serverArguments(given: GivenFlags): string[] {
  const flags = flagGroups.flatMap(group => group.flags);
  return flags.flatMap(({ name, isPath }) => {
    const absolute = (text: string): string => {
      if (typeof isPath === 'function') return isPath(text);
      return isPath && text !== '-' && text !== '' ? resolve(text) : text;
    };
    return given.all(name).map(text => `--${name}=${absolute(text)}`);
  });
}
