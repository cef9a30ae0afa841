/** `pod-security.admission.config.k8s.io/v1 PodSecurityConfiguration`. Upstream: pod-security-admission admission/api. */
import { type LevelVersion, type Policy, parseLevel, parseVersion, privileged } from './policy.ts';

export interface PodSecurityConfiguration {
  /** Of namespaces whose labels do not say. */
  readonly defaults: Policy;
  readonly exemptions: {
    readonly usernames: readonly string[];
    readonly namespaces: readonly string[];
    readonly runtimeClasses: readonly string[];
  };
}

export const defaultPodSecurity: PodSecurityConfiguration = {
  defaults: { enforce: privileged, audit: privileged, warn: privileged },
  exemptions: { usernames: [], namespaces: [], runtimeClasses: [] },
};

interface Document {
  readonly defaults?: Readonly<Record<string, string>>;
  readonly exemptions?: Readonly<Record<string, readonly string[] | undefined>>;
}

/** Reads the document of a configuration file. Throws with what is wrong. */
export function readPodSecurity(document: Document): PodSecurityConfiguration {
  const levelOf = (mode: keyof Policy): LevelVersion => {
    const { [mode]: level = 'privileged', [`${mode}-version`]: version = 'latest' } = document.defaults ?? {};
    const parsed = parseLevel(level);
    const minor = parseVersion(version);
    if (!parsed)
      throw new Error(
        `defaults.${mode}: Invalid value: ${JSON.stringify(level)}: must be one of privileged, baseline, restricted`,
      );
    if (minor === undefined) {
      throw new Error(
        `defaults.${mode}-version: Invalid value: ${JSON.stringify(version)}: must be "latest" or "v1.x"`,
      );
    }
    return { level: parsed, minor };
  };
  const { usernames, namespaces, runtimeClasses } = document.exemptions ?? {};
  return {
    defaults: { enforce: levelOf('enforce'), audit: levelOf('audit'), warn: levelOf('warn') },
    exemptions: {
      usernames: usernames ?? [],
      namespaces: namespaces ?? [],
      runtimeClasses: runtimeClasses ?? [],
    },
  };
}
