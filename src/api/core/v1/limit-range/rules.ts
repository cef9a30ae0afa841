/** LimitRanges. Upstream: pkg/apis/core/{v1/defaults.go,validation}, pkg/registry/core/limitrange/strategy.go. */
import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  isQualifiedName,
  parseQuantity,
  Quantity,
  required,
} from '#apimachinery';
import { roundResources } from '../../../defaulting.ts';
import type { KindRules } from '../../../kind.ts';
import type { LimitRange, LimitRangeItem } from '../../../types.ts';
import { type Errors, refuseEach, sortedKeys } from '../../../validation/common.ts';
import {
  checkContainerResourceName,
  checkResourceName,
  isOvercommitAllowed,
  type ResourceList,
} from '../../../validation/resources.ts';

const types = ['Pod', 'Container', 'PersistentVolumeClaim'];
const lists = ['max', 'min', 'default', 'defaultRequest', 'maxLimitRequestRatio'] as const;
type ListName = (typeof lists)[number];

function checkType(errors: Errors, path: FieldPath, type: string): void {
  const texts = isQualifiedName(type);
  refuseEach(errors, path, type, texts);
  if (texts.length > 0 || type.includes('/') || types.includes(type)) return;
  errors.push(invalidValue(path, type, 'must be a standard limit type or fully qualified'));
}

interface Amounts {
  readonly name: string;
  get(list: ListName): Quantity | undefined;
}

/** `%f` of Go: six digits. */
const sixDigits = (value: number): string => (Number.isFinite(value) ? value.toFixed(6) : value > 0 ? '+Inf' : 'NaN');

/** A ratio that no pod could meet. */
function checkRatio(errors: Errors, path: FieldPath, amounts: Amounts): void {
  const ratio = amounts.get('maxLimitRequestRatio');
  if (!ratio) return;
  const at = path.child('maxLimitRequestRatio').key(amounts.name);
  if (ratio.compare(Quantity.of(1)) < 0)
    errors.push(invalidValue(at, ratio.toString(), `ratio ${ratio} is less than 1`));
  const min = amounts.get('min');
  const max = amounts.get('max');
  if (!min || !max) return;
  const limit = max.toNumber() / min.toNumber();
  if (ratio.toNumber() <= limit) return;
  errors.push(invalidValue(at, ratio.toString(), `ratio ${ratio} is greater than max/min = ${sixDigits(limit)}`));
}

type Order = readonly [
  less: ListName,
  more: ListName,
  at: ListName,
  shown: ListName,
  text: (a: Quantity, b: Quantity) => string,
];

/** Which amount may not exceed which, and how upstream says it. */
const orders: readonly Order[] = [
  ['min', 'max', 'min', 'min', (a, b) => `min value ${a} is greater than max value ${b}`],
  [
    'min',
    'defaultRequest',
    'defaultRequest',
    'defaultRequest',
    (a, b) => `min value ${a} is greater than default request value ${b}`,
  ],
  [
    'defaultRequest',
    'max',
    'defaultRequest',
    'defaultRequest',
    (a, b) => `default request value ${a} is greater than max value ${b}`,
  ],
  [
    'defaultRequest',
    'default',
    'defaultRequest',
    'defaultRequest',
    (a, b) => `default request value ${a} is greater than default limit value ${b}`,
  ],
  ['min', 'default', 'default', 'min', (a, b) => `min value ${a} is greater than default value ${b}`],
  ['default', 'max', 'default', 'max', (a, b) => `default value ${a} is greater than max value ${b}`],
];

function checkAmounts(errors: Errors, path: FieldPath, amounts: Amounts): void {
  for (const [less, more, at, shown, text] of orders) {
    const a = amounts.get(less);
    const b = amounts.get(more);
    if (!a || !b || a.compare(b) <= 0) continue;
    errors.push(invalidValue(path.child(at).key(amounts.name), amounts.get(shown)!.toString(), text(a, b)));
  }
  checkRatio(errors, path, amounts);
  const limit = amounts.get('default');
  const request = amounts.get('defaultRequest');
  if (!limit || !request || isOvercommitAllowed(amounts.name) || limit.equals(request)) return;
  const text = `default value ${limit} must equal to defaultRequest value ${request} in ${amounts.name}`;
  errors.push(invalidValue(path.child('defaultRequest').key(amounts.name), request.toString(), text));
}

function checkItem(errors: Errors, path: FieldPath, item: LimitRangeItem): void {
  const { type = '' } = item;
  const isPod = type === 'Pod';
  const checkName = isPod || type === 'Container' ? checkContainerResourceName : checkResourceName;
  const names = new Set<string>();
  const ratioLast = lists.slice(0, 4);
  const one = (list: ListName): void => {
    const amounts = (item[list] ?? {}) as ResourceList;
    if (isPod && (list === 'default' || list === 'defaultRequest')) {
      if (sortedKeys(amounts).length > 0) {
        errors.push(forbiddenField(path.child(list), "may not be specified when `type` is 'Pod'"));
      }
      return;
    }
    for (const name of sortedKeys(amounts)) {
      checkName(errors, path.child(list).key(name), name);
      names.add(name);
    }
  };
  ratioLast.forEach(one);
  if (type === 'PersistentVolumeClaim' && !item.min?.['storage'] && !item.max?.['storage']) {
    const text = 'either minimum or maximum storage value is required, but neither was provided';
    errors.push(required(path.child('limits'), text));
  }
  one('maxLimitRequestRatio');
  for (const name of [...names].sort()) {
    checkAmounts(errors, path, {
      name,
      get(list) {
        if (isPod && (list === 'default' || list === 'defaultRequest')) return undefined;
        const amounts = (item[list] ?? {}) as ResourceList;
        return Object.hasOwn(amounts, name) ? parseQuantity(amounts[name]!) : undefined;
      },
    });
  }
}

function validate(range: LimitRange): FieldError[] {
  const errors: Errors = [];
  const seen = new Set<string>();
  range.spec?.limits?.forEach((item, i) => {
    const at = FieldPath.of('spec', 'limits').index(i);
    const { type = '' } = item;
    checkType(errors, at.child('type'), type);
    if (seen.has(type)) errors.push(duplicate(at.child('type'), type));
    seen.add(type);
    checkItem(errors, at, item);
  });
  return errors;
}

/** Names are the client's, `__proto__` too. */
function addMissing(amounts: Record<string, unknown>, name: string, amount: unknown): void {
  if (Object.hasOwn(amounts, name)) return;
  Object.defineProperty(amounts, name, { value: amount, enumerable: true, writable: true, configurable: true });
}

export const limitRangeRules: KindRules<LimitRange> = {
  defaults({ spec }) {
    for (const item of spec?.limits ?? []) {
      for (const list of lists) roundResources(item[list]);
      if (item.type !== 'Container') continue;
      item.default ??= {};
      item.defaultRequest ??= {};
      for (const [name, amount] of Object.entries(item.max ?? {})) addMissing(item.default, name, amount);
      for (const [name, amount] of Object.entries(item.default)) addMissing(item.defaultRequest, name, amount);
      for (const [name, amount] of Object.entries(item.min ?? {})) addMissing(item.defaultRequest, name, amount);
    }
  },
  prepareCreate(draft, { random }) {
    draft.metadata.name ||= random.uuid();
  },
  validate,
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: true,
};
