/**
 * Semantic versions. Upstream: k8s.io/apiserver pkg/cel/library/semverlib.go, version 1; blang/semver v4.
 */
import { goQuote } from '../../field.ts';
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { structType, type Type, types } from '../check/types.ts';
import { CelError, ObjectValue } from '../values/value.ts';

const semverType: Type = structType('kubernetes.Semver');
const { bool, int, string } = types;

class VersionError extends Error {}

class Semver extends ObjectValue {
  readonly type: Type = semverType;
  readonly numbers: readonly bigint[];
  /** Numbers and words behind the dash. */
  readonly prerelease: readonly (bigint | string)[];

  constructor(numbers: readonly bigint[], prerelease: readonly (bigint | string)[]) {
    super();
    this.numbers = numbers;
    this.prerelease = prerelease;
  }

  equals(other: ObjectValue): boolean {
    return other instanceof Semver && this.compare(other) === 0;
  }

  /** -1, 0 or 1; build metadata plays no part. */
  compare(other: Semver): number {
    for (const [index, own] of this.numbers.entries()) {
      const order = compareParts(own, other.numbers[index] as bigint);
      if (order !== 0) return order;
    }
    const [mine, theirs] = [this.prerelease, other.prerelease];
    if (mine.length === 0 || theirs.length === 0) return Math.sign(theirs.length - mine.length);
    for (const [index, own] of mine.entries()) {
      const others = theirs[index];
      if (others === undefined) return 1;
      const order = compareParts(own, others);
      if (order !== 0) return order;
    }
    return mine.length < theirs.length ? -1 : 0;
  }
}

/** Numbers are before words. */
function compareParts(left: bigint | string, right: bigint | string): number {
  if (typeof left !== typeof right) return typeof left === 'bigint' ? -1 : 1;
  return left < right ? -1 : left > right ? 1 : 0;
}

function number(text: string, what: string): bigint {
  if (!/^[0-9]*$/.test(text)) {
    throw new VersionError(`Invalid character(s) found in ${what.toLowerCase()} number ${goQuote(text)}`);
  }
  if (text.length > 1 && text.startsWith('0')) {
    throw new VersionError(`${what} number must not contain leading zeroes ${goQuote(text)}`);
  }
  return unsigned(text);
}

function unsigned(text: string): bigint {
  const failed = (why: string): VersionError => new VersionError(`strconv.ParseUint: parsing ${goQuote(text)}: ${why}`);
  if (text === '') throw failed('invalid syntax');
  const value = BigInt(text);
  if (value >= 2n ** 64n) throw failed('value out of range');
  return value;
}

function prereleasePart(text: string): bigint | string {
  if (text === '') throw new VersionError('Prerelease is empty');
  if (/^[0-9]+$/.test(text)) {
    if (text.length > 1 && text.startsWith('0')) {
      throw new VersionError(`Numeric PreRelease version must not contain leading zeroes ${goQuote(text)}`);
    }
    return unsigned(text);
  }
  if (!/^[0-9A-Za-z-]+$/.test(text)) {
    throw new VersionError(`Invalid character(s) found in prerelease ${goQuote(text)}`);
  }
  return text;
}

/** At most three parts between points. */
function threeParts(text: string): string[] {
  const parts = text.split('.');
  return parts.length <= 3 ? parts : [...parts.slice(0, 2), parts.slice(2).join('.')];
}

function parseStrict(text: string): Semver {
  if (text === '') throw new VersionError('Version string empty');
  const parts = threeParts(text);
  if (parts.length !== 3) throw new VersionError('No Major.Minor.Patch elements found');
  const [major, minor, rest] = parts as [string, string, string];
  const numbers = [number(major, 'Major'), number(minor, 'Minor')];
  const plus = rest.indexOf('+');
  const core = plus < 0 ? rest : rest.slice(0, plus);
  const dash = core.indexOf('-');
  numbers.push(number(dash < 0 ? core : core.slice(0, dash), 'Patch'));
  const prerelease =
    dash < 0
      ? []
      : core
          .slice(dash + 1)
          .split('.')
          .map(prereleasePart);
  for (const part of plus < 0 ? [] : rest.slice(plus + 1).split('.')) {
    if (part === '') throw new VersionError('Build meta data is empty');
    if (!/^[0-9A-Za-z-]+$/.test(part)) {
      throw new VersionError(`Invalid character(s) found in build meta data ${goQuote(part)}`);
    }
  }
  return new Semver(numbers, prerelease);
}

/** Takes a leading v, leading zeros and missing parts. */
function parseLoose(text: string): Semver {
  const parts = threeParts(text.replace(/^v/, '')).map(part => {
    if (part.length <= 1) return part;
    const trimmed = part.replace(/^0+/, '');
    return /^[0-9]/.test(trimmed) ? trimmed : `0${trimmed}`;
  });
  if (parts.length < 3 && /[+-]/.test(parts.at(-1) as string)) {
    throw new VersionError('short version cannot contain PreRelease/Build meta data');
  }
  while (parts.length < 3) parts.push('0');
  return parseStrict(parts.join('.'));
}

function parse(text: string, normalize = false): Semver | CelError {
  try {
    return normalize ? parseLoose(text) : parseStrict(text);
  } catch (error) {
    if (error instanceof VersionError) return new CelError(error.message);
    throw error;
  }
}

const isSemver = (text: string, normalize = false): boolean => parse(text, normalize) instanceof Semver;
const pair = [semverType, semverType];
const component = (index: number) => (version: Semver) => BigInt.asIntN(64, version.numbers[index] as bigint);

export const semverLibrary: Library = [
  fn(
    'semver',
    overload('string_to_semver', [string], semverType, parse),
    overload('string_bool_to_semver', [string, bool], semverType, parse),
  ),
  fn(
    'isSemver',
    overload('is_semver_string', [string], bool, isSemver),
    overload('is_semver_string_bool', [string, bool], bool, isSemver),
  ),
  fn(
    'isGreaterThan',
    method('semver_is_greater_than', pair, bool, (one, other) => one.compare(other) > 0),
  ),
  fn(
    'isLessThan',
    method('semver_is_less_than', pair, bool, (one, other) => one.compare(other) < 0),
  ),
  fn(
    'compareTo',
    method('semver_compare_to', pair, int, (one, other) => BigInt(one.compare(other))),
  ),
  fn('major', method('semver_major', [semverType], int, component(0))),
  fn('minor', method('semver_minor', [semverType], int, component(1))),
  fn('patch', method('semver_patch', [semverType], int, component(2))),
];
