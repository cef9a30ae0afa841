/**
 * Values as Go's fmt prints them in error messages and as `string()` writes them. Upstream: cel-go common/types (String
 * and format methods), strconv's 'g'.
 */
import { Type } from '../check/types.ts';
import { Duration, Timestamp } from './time.ts';
import { Uint } from './uint.ts';
import { CelError, ListValue, MapValue, Optional, type Value } from './value.ts';

/** A double as Go's %g: the fewest digits, an exponent below 1e-4 and from 1e6 on. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  if (value === 0) return '0';
  const [mantissa, power] = Math.abs(value).toExponential().split('e') as [string, string];
  const exponent = Number(power);
  const digits = mantissa.replace('.', '').length;
  const sign = value < 0 ? '-' : '';
  if (exponent < -4 || exponent >= 6) {
    const size = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${size}`;
  }
  const text = String(Math.abs(value));
  return sign + (text.includes('e') ? Math.abs(value).toFixed(Math.max(0, digits - 1 - exponent)) : text);
}

/** A value as %v shows it. */
export function describeValue(value: Value): string {
  if (value === null) return '0';
  if (typeof value === 'number') return formatDouble(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint) return String(value.value);
  if (value instanceof Uint8Array) return `[${[...value].join(' ')}]`;
  if (value instanceof ListValue) return `[${[...value].map(describeValue).join(', ')}]`;
  if (value instanceof MapValue) {
    const entries = [...value.keys()].map(key => `${describeValue(key)}: ${describeValue(value.find(key) as Value)}`);
    return `{${entries.join(', ')}}`;
  }
  if (value instanceof Optional) {
    return value.value === undefined ? 'optional.none()' : `optional(${describeValue(value.value)})`;
  }
  if (value instanceof CelError) return value.message;
  if (value instanceof Type || value instanceof Duration || value instanceof Timestamp) return value.toString();
  return value.type.name;
}

/** The Go type of a value, as %T shows it. */
export function goTypeOf(value: Value): string {
  if (value === null) return 'types.Null';
  if (value instanceof Uint) return 'types.Uint';
  if (value instanceof Uint8Array) return 'types.Bytes';
  if (value instanceof Duration) return 'types.Duration';
  if (value instanceof Timestamp) return 'types.Timestamp';
  if (value instanceof Optional) return '*types.Optional';
  if (value instanceof Type) return '*types.Type';
  if (typeof value === 'object') return 'type' in value ? value.type.name : '*types.Err';
  return { string: 'types.String', boolean: 'types.Bool', bigint: 'types.Int', number: 'types.Double' }[
    typeof value as string
  ] as string;
}
