/**
 * String formats that schemas of custom resources may name; an unknown one is ignored.
 * Upstream: kube-openapi pkg/validation/strfmt, apiextensions-apiserver pkg/apiserver/validation/formats.go.
 * Deviation: addresses of mail are taken by their usual form, without comments.
 */
import { parseGoDuration } from '../duration.ts';
import { parseCidr, parseIp } from '../validation/ip.ts';
import { isDNS1123Label, isDNS1123Subdomain } from '../validation/names.ts';

const byte = '(?:0|[1-9][0-9]?|1[0-9][0-9]?|2[0-4][0-9]|25[0-5])';

const patterns: Readonly<Record<string, RegExp>> = {
  bsonobjectid: /^[0-9a-fA-F]{24}$/,
  uuid: /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
  uuid3: /^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
  uuid4: /^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i,
  uuid5: /^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$/i,
  mac: /^(?:[0-9a-f]{2}([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}(?:(?:\1[0-9a-f]{2}){2}|(?:\1[0-9a-f]{2}){14})?|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}(?:\.[0-9a-f]{4}|(?:\.[0-9a-f]{4}){7})?)$/i,
  hexcolor: /^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/,
  rgbcolor: new RegExp(`^rgb\\(\\s*${byte}\\s*,\\s*${byte}\\s*,\\s*${byte}\\s*\\)$`),
  email:
    /^(?:[^<>@"]*<)?(?:"(?:[^"\\]|\\.)+"|[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@[A-Za-z0-9!#$%&'*+/=?^_`{|}~.[\]:-]+>?$/,
};

const formats: Readonly<Record<string, (text: string) => boolean>> = {
  ...Object.fromEntries(Object.entries(patterns).map(([name, regex]) => [name, (text: string) => regex.test(text)])),
  uri: isUri,
  hostname: isHostname,
  ipv4: text => text.includes('.') && parseIp(text) !== undefined,
  ipv6: text => text.includes(':') && parseIp(text) !== undefined,
  cidr: text => parseCidr(text) !== undefined,
  isbn: text => isIsbn10(text) || isIsbn13(text),
  isbn10: isIsbn10,
  isbn13: isIsbn13,
  creditcard: isCreditCard,
  ssn: text => text.length === 11 && /^\d{3}[- ]?\d{2}[- ]?\d{4}$/.test(text),
  byte: text => text !== '' && text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text),
  password: () => true,
  date: isDate,
  datetime: isDateTime,
  duration: isDuration,
  k8sshortname: text => isDNS1123Label(text).length === 0,
  k8slongname: text => isDNS1123Subdomain(text).length === 0,
};

/** The check of a format by its name, in which dashes do not count; undefined for an unknown format. */
export function formatCheck(name: string): ((text: string) => boolean) | undefined {
  const key = name.replaceAll('-', '');
  return Object.hasOwn(formats, key) ? formats[key] : undefined;
}

/** Go's url.ParseRequestURI: an absolute URI, or an absolute path. */
function isUri(text: string): boolean {
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text) || /%(?![0-9a-fA-F]{2})/.test(text)) return false;
  if (text.startsWith('/')) return true;
  const scheme = /^[a-zA-Z][a-zA-Z0-9+.-]*:/.exec(text);
  if (scheme === null) return false;
  const rest = text.slice(scheme[0].length);
  if (!rest.startsWith('//')) return rest !== '' || text.length > scheme[0].length;
  const host = /^\/\/([^/?#]*)/.exec(rest)![1]!;
  return !/[ "<>\\^`{|}]/.test(host) && /^(?:[^@]*@)?(?:\[[0-9a-fA-F:.%]+\]|[^:[\]]*)(?::[0-9]*)?$/.test(host);
}

function isHostname(text: string): boolean {
  if (text.length > 255) return false;
  const labels = text.split('.');
  if (!labels.every(label => label.length >= 1 && Buffer.byteLength(label) <= 63)) return false;
  if (
    !labels.every(label => /^[a-zA-Z0-9\p{S}\p{L}](?:[a-zA-Z0-9\-\p{S}\p{L}]*[a-zA-Z0-9\p{S}\p{L}])?$/u.test(label))
  ) {
    return false;
  }
  return labels.length === 1 || /^[a-zA-Z\p{L}]{2,63}$/u.test(labels.at(-1)!);
}

function isIsbn10(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '');
  if (!/^[0-9]{9}[0-9X]$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 10; i++) sum += (i + 1) * (digits[i] === 'X' ? 10 : Number(digits[i]));
  return sum % 11 === 0;
}

function isIsbn13(text: string): boolean {
  const digits = text.replace(/[\s-]+/g, '');
  if (!/^[0-9]{13}$/.test(digits)) return false;
  let sum = 0;
  for (let i = 0; i < 13; i++) sum += (i % 2 === 0 ? 1 : 3) * Number(digits[i]);
  return sum % 10 === 0;
}

const cards =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|(?:222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}|6[27][0-9]{14})$/;

function isCreditCard(text: string): boolean {
  const digits = text.replace(/[^0-9]+/g, '');
  if (!cards.test(digits)) return false;
  let sum = 0;
  for (let i = digits.length - 1, double = false; i >= 0; i--, double = !double) {
    const digit = Number(digits[i]) * (double ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0;
}

function isDate(text: string): boolean {
  const match = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/.exec(text);
  if (match === null) return false;
  const date = new Date(0);
  date.setUTCFullYear(Number(match[1]), Number(match[2]) - 1, Number(match[3]));
  return date.getUTCMonth() === Number(match[2]) - 1 && date.getUTCDate() === Number(match[3]);
}

function isDateTime(text: string): boolean {
  const parts = text.toLowerCase().split('t');
  if (parts.length < 2 || !isDate(parts[0]!)) return false;
  const time = /^([0-9]{2}):([0-9]{2}):([0-9]{2})(?:.[0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})$/.exec(parts[1]!);
  return time !== null && time[1]! <= '23' && time[2]! <= '59' && time[3]! <= '59';
}

const exactUnits: ReadonlySet<string> = new Set([
  'ns',
  'us',
  'µs',
  'ms',
  's',
  'm',
  'h',
  'd',
  'w',
  'hr',
  'wk',
  'min',
  'sec',
]);
const unitPrefixes = ['nano', 'micro', 'milli', 'sec', 'min', 'hour', 'day', 'week'];

/** From whole numbers alone, or a text of nothing but digits is looked through once for each of them. */
const amounts = /(?<![0-9])([0-9]+)(?![0-9])\s*([A-Za-zµ]+)/g;

/** Go's durations, and those such as `22 ns` and `3 weeks`. */
function isDuration(text: string): boolean {
  try {
    parseGoDuration(text);
    return true;
  } catch {
    for (const [, , unit] of text.matchAll(amounts)) {
      const name = unit!.toLowerCase();
      if (exactUnits.has(name) || unitPrefixes.some(prefix => name.startsWith(prefix))) return true;
    }
    return false;
  }
}

/** Whether a schema's format means something for its type. Upstream: apiserver/validation/formats.go. */
export function isKnownFormat(format: string, type: string): boolean {
  switch (type) {
    case '':
    case 'string':
      return formatCheck(format) !== undefined;
    case 'integer':
      return format === 'int32' || format === 'int64';
    case 'number':
      return format === 'float' || format === 'double';
    default:
      return false;
  }
}
