/**
 * Named formats: `format.dns1123Label().validate(text)` gives what is wrong, or none. Upstream: k8s.io/apiserver
 * pkg/cel/library/format.go, pkg/cel/format.go.
 */
import { formatCheck } from '../../schema/formats.ts';
import {
  isLabelValue,
  isQualifiedName,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
} from '../../validation/names.ts';
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { listOf, optionalOf, structType, type Type, types } from '../check/types.ts';
import { ArrayList, type ObjectValue, Optional, type Value } from '../values/value.ts';
import { FormatValue } from './format-value.ts';
import { parseUrl, UrlError } from './go-url.ts';

const { string } = types;
const formatType: Type = structType('kubernetes.NamedFormat');

/** A check that has one thing to say. */
const named = (name: string, fault: string) => (text: string) => (formatCheck(name)?.(text) ? [] : [fault]);

function uriFaults(text: string): string[] {
  try {
    parseUrl(text);
    return [];
  } catch (error) {
    if (error instanceof UrlError) return [error.message];
    throw error;
  }
}

/** Name, check, and how long its regular expression is taken to be. */
const formats: readonly (readonly [
  key: string,
  name: string,
  faults: (text: string) => string[],
  regexSize: number,
])[] = [
  ['dns1123Label', 'DNS1123Label', text => nameIsDNSLabel(text, false), 30],
  ['dns1123Subdomain', 'DNS1123Subdomain', text => nameIsDNSSubdomain(text, false), 60],
  ['dns1035Label', 'DNS1035Label', text => nameIsDNS1035Label(text, false), 30],
  ['qualifiedName', 'QualifiedName', isQualifiedName, 60],
  ['dns1123LabelPrefix', 'DNS1123LabelPrefix', text => nameIsDNSLabel(text, true), 30],
  ['dns1123SubdomainPrefix', 'DNS1123SubdomainPrefix', text => nameIsDNSSubdomain(text, true), 60],
  ['dns1035LabelPrefix', 'DNS1035LabelPrefix', text => nameIsDNS1035Label(text, true), 30],
  ['labelValue', 'LabelValue', isLabelValue, 40],
  ['uri', 'URI', uriFaults, 1103],
  ['uuid', 'uuid', named('uuid', 'does not match the UUID format'), 70],
  ['byte', 'byte', named('byte', 'invalid base64'), 84],
  ['date', 'date', named('date', 'invalid date'), 71],
  ['datetime', 'datetime', named('datetime', 'invalid datetime'), 71],
];

const values: ReadonlyMap<string, FormatValue> = new Map(
  formats.map(([key, name, faults, regexSize]) => [key, new FormatValue(formatType, name, faults, regexSize)]),
);

export const formatLibrary: Library = [
  fn(
    'validate',
    method('format-validate', [formatType, string], optionalOf(listOf(string)), (format: ObjectValue, text: string) => {
      const faults = (format as FormatValue).faults(text);
      return faults.length === 0 ? Optional.none : new Optional(new ArrayList(faults));
    }),
  ),
  fn(
    'format.named',
    overload('format-named', [string], optionalOf(formatType), (key: string): Value => {
      const format = values.get(key);
      return format === undefined ? Optional.none : new Optional(format);
    }),
  ),
  ...[...values].map(([key, format]) =>
    fn(
      `format.${key}`,
      overload(`format.${key}`, [], formatType, () => format),
    ),
  ),
];
