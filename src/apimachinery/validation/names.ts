/**
 * Formats of names: each function answers what is wrong with a value, in upstream's words, or an empty list.
 * Upstream: apimachinery pkg/api/validate/content/*.go, pkg/util/validation/validation.go, pkg/api/validation/generic.go.
 */
import { byteLength } from '../input-error.ts';

/** What is wrong with a value; empty when it is valid. */
export type NameErrors = string[];

/** Text for a value with too many bytes, in the words of the older validators. */
function maxLengthError(length: number): string {
  return `must be no more than ${length} characters`;
}

/** Text for a value that does not have the form that a regular expression describes. */
export function regexError(message: string, regex: string, ...examples: string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${regex}')`;
  const list = examples.map(example => `'${example}', `).join(' or ');
  return `${message} (e.g. ${list}regex used for validation is '${regex}')`;
}

const emptyError = 'must be non-empty';

/** Text for a number out of bounds. */
export function inclusiveRangeError(low: number, high: number): string {
  return `must be between ${low} and ${high}, inclusive`;
}

const label1123 = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const label1123Underscore = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const subdomain1123 = `${label1123}(\\.${label1123})*`;
const subdomainUnderscore = `${label1123Underscore}(\\.${label1123Underscore})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const wildcardSubdomain = `\\*\\.${subdomain1123}`;
const labelKey = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValue = `(${labelKey})?`;
const cIdentifier = '[A-Za-z_][A-Za-z0-9_]*';

// Nested quantifiers over disjoint classes: linear in practice, and every caller bounds the length of bodies.
const whole = (regex: string): RegExp => new RegExp(`^(?:${regex})$`);
const label1123Regex = whole('[a-z0-9](?:[-a-z0-9]*[a-z0-9])?');
const subdomain1123Regex = whole('[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*');
const subdomainUnderscoreRegex = whole(subdomainUnderscore);
const label1035Regex = whole(label1035);
const wildcardRegex = whole(wildcardSubdomain);
const labelKeyRegex = whole('(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]');
const labelValueRegex = whole('(?:(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?');
const cIdentifierRegex = whole(cIdentifier);

const alphanumericEnds = 'and must start and end with an alphanumeric character';
const subdomainText = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${alphanumericEnds}`;

export function isDNS1123Label(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 63) errors.push(maxLengthError(63));
  if (!label1123Regex.test(value)) {
    if (subdomain1123Regex.test(value)) errors.push('must not contain dots');
    else {
      const text = `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ${alphanumericEnds}`;
      errors.push(regexError(text, label1123, 'my-name', '123-abc'));
    }
  }
  return errors;
}

export function isDNS1123Subdomain(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!subdomain1123Regex.test(value)) errors.push(regexError(subdomainText, subdomain1123, 'example.com'));
  return errors;
}

export function isDNS1123SubdomainWithUnderscore(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!subdomainUnderscoreRegex.test(value)) {
    const text = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', ${alphanumericEnds}`;
    errors.push(regexError(text, subdomainUnderscore, 'example.com'));
  }
  return errors;
}

export function isDNS1035Label(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 63) errors.push(maxLengthError(63));
  if (!label1035Regex.test(value)) {
    const text =
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character";
    errors.push(regexError(text, label1035, 'my-name', 'abc-123'));
  }
  return errors;
}

export function isWildcardDNS1123Subdomain(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!wildcardRegex.test(value)) {
    const text =
      "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character";
    errors.push(regexError(text, wildcardSubdomain, '*.example.com'));
  }
  return errors;
}

const maxBytesError = (length: number): string => `must be no more than ${length} bytes`;
const labelKeyText = `must consist of alphanumeric characters, '-', '_' or '.', ${alphanumericEnds}`;

/** A label key, which upstream also calls a qualified name: an optional DNS prefix, a slash, a name. */
export function isLabelKey(value: string): NameErrors {
  const slash = value.indexOf('/');
  const errors: string[] = [];
  const form = regexError(labelKeyText, labelKey, 'MyName', 'my.name', '123-abc');
  if (slash >= 0 && value.indexOf('/', slash + 1) >= 0) {
    return [`a valid label key ${form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = value.slice(slash + 1);
  if (slash >= 0) {
    const prefix = value.slice(0, slash);
    if (prefix === '') errors.push(`prefix part ${emptyError}`);
    else {
      if (byteLength(prefix) > 253) errors.push(`prefix part ${maxBytesError(253)}`);
      if (!subdomain1123Regex.test(prefix)) {
        errors.push(`prefix part ${regexError(subdomainText, subdomain1123, 'example.com')}`);
      }
    }
  }
  if (name === '') errors.push(`name part ${emptyError}`);
  else if (byteLength(name) > 63) errors.push(`name part ${maxBytesError(63)}`);
  if (!labelKeyRegex.test(name)) errors.push(`name part ${form}`);
  return errors;
}

/** Upstream's other name for {@link isLabelKey}. */
export const isQualifiedName: (value: string) => NameErrors = isLabelKey;

export function isLabelValue(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 63) errors.push(maxBytesError(63));
  if (!labelValueRegex.test(value)) {
    const text = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${alphanumericEnds}`;
    errors.push(regexError(text, labelValue, 'MyValue', 'my_value', '12345'));
  }
  return errors;
}

export function isCIdentifier(value: string): NameErrors {
  if (cIdentifierRegex.test(value)) return [];
  const text =
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'";
  return [regexError(text, cIdentifier, 'my_name', 'MY_NAME', 'MyName')];
}

function isPathSegmentPrefix(name: string): NameErrors {
  return ['/', '%'].filter(part => name.includes(part)).map(part => `may not contain '${part}'`);
}

export function isPathSegmentName(name: string): NameErrors {
  return name === '.' || name === '..' ? [`may not be '${name}'`] : isPathSegmentPrefix(name);
}

/** As {@link isPathSegmentName}, or for a generateName base when `prefix`. */
export function validatePathSegmentName(name: string, prefix: boolean): NameErrors {
  return prefix ? isPathSegmentPrefix(name) : isPathSegmentName(name);
}

export function isValidPortNum(port: number): NameErrors {
  return isInRange(port, 1, 65535);
}

function isInRange(value: number, low: number, high: number): NameErrors {
  return value >= low && value <= high ? [] : [inclusiveRangeError(low, high)];
}

/** Unix user and group ids. */
export function isValidUserID(id: number): NameErrors {
  return isInRange(id, 0, 2147483647);
}
export const isValidGroupID: (id: number) => NameErrors = isValidUserID;

export function isValidPortName(port: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(port) > 15) errors.push(maxLengthError(15));
  if (!/^[-a-z0-9]+$/.test(port)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(port)) errors.push('must contain at least one letter (a-z)');
  if (port.includes('--')) errors.push('must not contain consecutive hyphens');
  if (port.startsWith('-') || port.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
}

export function isValidPercent(percent: string): NameErrors {
  if (/^[0-9]+%$/.test(percent)) return [];
  const text = "a valid percent string must be a numeric string followed by an ending '%'";
  return [regexError(text, '[0-9]+%', '1%', '93%')];
}

export function isHTTPHeaderName(value: string): NameErrors {
  if (/^[-A-Za-z0-9]+$/.test(value)) return [];
  return [
    regexError("a valid HTTP header must consist of alphanumeric characters or '-'", '[-A-Za-z0-9]+', 'X-Header-Name'),
  ];
}

function hasChDirPrefix(value: string): NameErrors {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}

/** What a Pod's environment accepts: printable ASCII without `=`. */
export function isRelaxedEnvVarName(value: string): NameErrors {
  const errors = value === '' ? [`environment variable name ${emptyError}`] : [];
  if (!/^[ -<>-~]*$/.test(value)) {
    errors.push("a valid environment variable name must consist only of printable ASCII characters other than '='");
  }
  return errors;
}

export function isConfigMapKey(value: string): NameErrors {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!/^[-._a-zA-Z0-9]+$/.test(value)) {
    const text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'";
    errors.push(regexError(text, '[-._a-zA-Z0-9]+', 'key.name', 'KEY_NAME', 'key-name'));
  }
  return [...errors, ...hasChDirPrefix(value)];
}

/** A generateName base may end in a dash; upstream replaces the last two characters, and so does this. */
function maskTrailingDash(name: string): string {
  return name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name;
}

/** Checks a name, or a generateName base when `prefix`. */
export type NameValidator = (name: string, prefix: boolean) => NameErrors;

export const nameIsDNSSubdomain: NameValidator = (name, prefix) =>
  isDNS1123Subdomain(prefix ? maskTrailingDash(name) : name);
/**
 * As {@link nameIsDNSSubdomain}, with the text of newer checks, which count bytes and look at names alone. Upstream:
 * apimachinery pkg/api/validate/strfmt.go.
 */
export const nameIsLongName: NameValidator = (name, prefix) =>
  (prefix ? [] : isDNS1123Subdomain(name)).map(text =>
    text.replace(/^(must be no more than \d+) characters$/, '$1 bytes'),
  );
export const nameIsDNSLabel: NameValidator = (name, prefix) => isDNS1123Label(prefix ? maskTrailingDash(name) : name);
export const nameIsDNS1035Label: NameValidator = (name, prefix) =>
  isDNS1035Label(prefix ? maskTrailingDash(name) : name);
