/**
 * Levels, versions and modes: what a namespace's labels ask for, and how a pod does against it.
 * Upstream: pod-security-admission api/helpers.go, policy/registry.go.
 */
import type { Pod } from '#api/types';
import { type FieldError, FieldPath, invalidValue } from '#apimachinery';
import { baselineChecks, type Check, type PodCheck, type Violation } from './baseline-checks.ts';
import { restrictedChecks } from './restricted-checks.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

export interface LevelVersion {
  readonly level: Level;
  /** Minor version; infinite is `latest`. */
  readonly minor: number;
}

export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

export const privileged: LevelVersion = { level: 'privileged', minor: Number.POSITIVE_INFINITY };
export const labelPrefix = 'pod-security.kubernetes.io/';

const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];
const versionPattern = /^v1\.([0-9]|[1-9][0-9]*)$/;
const labelsPath = FieldPath.of('metadata', 'labels');

export function parseLevel(text: string): Level | undefined {
  return levels.find(level => level === text);
}

/** The minor version; undefined when it is none. */
export function parseVersion(text: string): number | undefined {
  if (text === 'latest') return Number.POSITIVE_INFINITY;
  const match = versionPattern.exec(text);
  return match ? Number(match[1]) : undefined;
}

/** `restricted:latest`, `baseline:v1.25`. */
export function levelText({ level, minor }: LevelVersion): string {
  return `${level}:${Number.isFinite(minor) ? `v1.${minor}` : 'latest'}`;
}

export function compareLevels(a: Level, b: Level): number {
  return levels.indexOf(a) - levels.indexOf(b);
}

export function sameLevel(a: LevelVersion, b: LevelVersion): boolean {
  return a.level === b.level && a.minor === b.minor;
}

export function isFullyPrivileged({ enforce, audit, warn }: Policy): boolean {
  return [enforce, audit, warn].every(({ level }) => level === 'privileged');
}

/** What labels ask for, with what is wrong in them. Wrong labels enforce strictly, and neither audit nor warn. */
export function policyOf(
  labels: Readonly<Record<string, string>> | undefined,
  defaults: Policy,
): { readonly policy: Policy; readonly errors: FieldError[] } {
  const errors: FieldError[] = [];
  const wrong = (key: string, value: string, text: string): void => {
    errors.push(invalidValue(labelsPath.key(key), value, text));
  };
  const read = (mode: keyof Policy, fallback: Level): { value: LevelVersion; level: boolean; version: boolean } => {
    let { level, minor } = defaults[mode];
    const levelKey = labelPrefix + mode;
    const levelValue = labels?.[levelKey];
    const parsedLevel = levelValue === undefined ? undefined : parseLevel(levelValue);
    if (levelValue !== undefined) {
      level = parsedLevel ?? fallback;
      if (!parsedLevel) wrong(levelKey, levelValue, `must be one of ${levels.join(', ')}`);
    }
    const versionKey = `${levelKey}-version`;
    const versionValue = labels?.[versionKey];
    if (versionValue !== undefined) {
      const parsed = parseVersion(versionValue);
      minor = parsed ?? Number.POSITIVE_INFINITY;
      if (parsed === undefined) wrong(versionKey, versionValue, 'must be "latest" or "v1.x"');
    }
    const said = mode === 'enforce' ? parsedLevel !== undefined : levelValue !== undefined;
    return { value: { level, minor }, level: said, version: versionValue !== undefined };
  };
  const enforce = read('enforce', 'restricted');
  const audit = read('audit', 'privileged');
  const warn = read('warn', 'privileged');
  let warned = warn.value;
  if (!warn.level && enforce.level && compareLevels(enforce.value.level, warned.level) > 0) {
    warned = { level: enforce.value.level, minor: warn.version ? warned.minor : enforce.value.minor };
  }
  return { policy: { enforce: enforce.value, audit: audit.value, warn: warned }, errors };
}

function checkAt({ versions }: Check, minor: number): PodCheck | undefined {
  return versions.findLast(({ since }) => since <= minor)?.check;
}

/** What a pod does that the level forbids, baseline's rules first, each group by name. */
export function violations({ level, minor }: LevelVersion, pod: Pick<Pod, 'metadata' | 'spec'>): Violation[] {
  if (level === 'privileged') return [];
  const restricted = level === 'restricted' ? restrictedChecks.filter(each => checkAt(each, minor)) : [];
  const overridden = new Set(restricted.flatMap(each => each.overrides ?? []));
  const standing = [...baselineChecks.filter(({ id }) => !overridden.has(id)), ...restricted];
  return standing.map(each => checkAt(each, minor)?.(pod)).filter(each => each !== undefined);
}

export function violationText(found: readonly Violation[]): string {
  return found.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
}
