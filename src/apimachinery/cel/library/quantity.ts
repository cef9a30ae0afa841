/**
 * Quantities. Upstream: k8s.io/apiserver pkg/cel/library/quantity.go, pkg/cel/quantity.go.
 */
import { InputError } from '../../input-error.ts';
import { parseQuantity, Quantity } from '../../quantity.ts';
import { fn, type Library, method, overload } from '../check/declarations.ts';
import { structType, type Type, types } from '../check/types.ts';
import { CelError, ObjectValue, type Value } from '../values/value.ts';

const quantityType: Type = structType('kubernetes.Quantity');
const { bool, double, int, string } = types;

/** A quantity as a value. */
class QuantityValue extends ObjectValue {
  readonly type: Type = quantityType;
  readonly quantity: Quantity;

  constructor(quantity: Quantity) {
    super();
    this.quantity = quantity;
  }

  equals(other: ObjectValue): boolean {
    return other instanceof QuantityValue && this.quantity.equals(other.quantity);
  }
}

function parse(text: string): QuantityValue | CelError {
  try {
    return new QuantityValue(parseQuantity(text));
  } catch (error) {
    if (error instanceof InputError) return new CelError(error.message);
    throw error;
  }
}

const order = (one: QuantityValue, other: QuantityValue): number => one.quantity.compare(other.quantity);
const pair = [quantityType, quantityType];

export const quantityLibrary: Library = [
  fn('quantity', overload('string_to_quantity', [string], quantityType, parse)),
  fn(
    'isQuantity',
    overload('is_quantity_string', [string], bool, (text: string) => parse(text) instanceof QuantityValue),
  ),
  fn(
    'sign',
    overload('quantity_sign', [quantityType], int, ({ quantity }: QuantityValue) => BigInt(quantity.sign)),
  ),
  fn(
    'isGreaterThan',
    method('quantity_is_greater_than', pair, bool, (one, other) => order(one, other) > 0),
  ),
  fn(
    'isLessThan',
    method('quantity_is_less_than', pair, bool, (one, other) => order(one, other) < 0),
  ),
  fn(
    'compareTo',
    method('quantity_compare_to', pair, int, (one, other) => BigInt(order(one, other))),
  ),
  fn(
    'asApproximateFloat',
    method('quantity_get_float', [quantityType], double, ({ quantity }: QuantityValue) =>
      quantity.toApproximateNumber(),
    ),
  ),
  fn(
    'asInteger',
    method(
      'quantity_get_int',
      [quantityType],
      int,
      ({ quantity }: QuantityValue): Value => quantity.asInt64() ?? new CelError('cannot convert value to integer'),
    ),
  ),
  fn(
    'isInteger',
    method(
      'quantity_is_integer',
      [quantityType],
      bool,
      ({ quantity }: QuantityValue) => quantity.asInt64() !== undefined,
    ),
  ),
  fn(
    'add',
    method('quantity_add', pair, quantityType, (one, other) => new QuantityValue(one.quantity.add(other.quantity))),
    method('quantity_add_int', [quantityType, int], quantityType, (one: QuantityValue, more: bigint) => {
      return new QuantityValue(one.quantity.add(Quantity.of(more, 'DecimalExponent')));
    }),
  ),
  fn(
    'sub',
    method('quantity_sub', pair, quantityType, (one, other) => new QuantityValue(one.quantity.sub(other.quantity))),
    method('quantity_sub_int', [quantityType, int], quantityType, (one: QuantityValue, less: bigint) => {
      return new QuantityValue(one.quantity.sub(Quantity.of(less, 'DecimalExponent')));
    }),
  ),
];
