/** PriorityLevelConfigurations. Upstream: pkg/apis/flowcontrol/{v1/defaults.go,validation}, pkg/registry/flowcontrol. */
import { type FieldError, FieldPath, forbiddenField, invalidValue, notSupported, required } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { keepSpecAndAllMetadata } from '../../../strategies.ts';
import type {
  LimitedPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  QueuingConfiguration,
} from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { checkConditionTypes } from '../conditions.ts';

const path = FieldPath.of('spec');

/** Bits that tell apart the hands of this many cards; the hash has 60. Upstream: apiserver pkg/util/shufflesharding. */
function entropyBits(deck: number, hand: number): number {
  if (hand > deck || hand < 1) return 0;
  return Math.ceil(Math.log2(deck) * hand);
}

function checkQueuing(errors: Errors, at: FieldPath, queuing: QueuingConfiguration): void {
  const { queueLengthLimit: limit = 0, queues = 0, handSize: hand = 0 } = queuing;
  const positive = 'must be positive';
  if (limit <= 0) errors.push(invalidValue(at.child('queueLengthLimit'), limit, positive));
  if (queues <= 0) errors.push(invalidValue(at.child('queues'), queues, positive));
  else if (queues > 10_000_000) {
    errors.push(invalidValue(at.child('queues'), queues, 'must not be greater than 10000000'));
  }
  const own = at.child('handSize');
  const bits = entropyBits(queues, hand);
  if (hand <= 0) errors.push(invalidValue(own, hand, positive));
  else if (hand > queues) errors.push(invalidValue(own, hand, `should not be greater than queues (${queues})`));
  else if (bits > 60) {
    const text = `required entropy bits of deckSize ${queues} and handSize ${hand} should not be greater than 60`;
    errors.push(invalidValue(own, hand, text));
  }
}

function checkResponse(errors: Errors, at: FieldPath, response: Partial<LimitResponse>): void {
  const { type, queuing } = response;
  const own = at.child('queuing');
  if (type === 'Reject') {
    if (queuing) errors.push(forbiddenField(own, 'must be nil if limited.limitResponse.type is not Limited'));
  } else if (type === 'Queue') {
    if (!queuing) errors.push(required(own, 'must not be empty if limited.limitResponse.type is Limited'));
    else checkQueuing(errors, own, queuing);
  } else if (!type) errors.push(required(at.child('type')));
  else errors.push(notSupported(at.child('type'), type, ['Queue', 'Reject']));
}

interface Shares {
  readonly nominalConcurrencyShares?: number;
  readonly lendablePercent?: number;
}

function checkShares(errors: Errors, at: FieldPath, shares: Shares, between: () => void): void {
  const { nominalConcurrencyShares: nominal = 0, lendablePercent: lendable = 0 } = shares;
  if (nominal < 0) {
    errors.push(invalidValue(at.child('nominalConcurrencyShares'), nominal, 'must be a non-negative integer'));
  }
  between();
  if (lendable < 0 || lendable > 100) {
    errors.push(invalidValue(at.child('lendablePercent'), lendable, 'must be between 0 and 100, inclusive'));
  }
}

function checkLimited(errors: Errors, at: FieldPath, limited: LimitedPriorityLevelConfiguration): void {
  checkShares(errors, at, limited, () => checkResponse(errors, at.child('limitResponse'), limited.limitResponse ?? {}));
  const borrow = limited.borrowingLimitPercent;
  if (borrow !== undefined && borrow < 0) {
    const text = 'if specified, must be a non-negative integer';
    errors.push(invalidValue(at.child('borrowingLimitPercent'), borrow, text));
  }
}

function validate(level: PriorityLevelConfiguration): FieldError[] {
  const errors: Errors = [];
  const { type = '', limited, exempt } = level.spec ?? {};
  if ((level.metadata.name === 'exempt') !== (type === 'Exempt')) {
    errors.push(invalidValue(path.child('type'), type, "must be 'Exempt' if and only if `name` is 'exempt'"));
  }
  if (type === 'Exempt') {
    if (limited) errors.push(forbiddenField(path.child('limited'), 'must be nil if the type is not Limited'));
    if (exempt) checkShares(errors, path.child('exempt'), exempt, () => {});
  } else if (type === 'Limited') {
    if (exempt) errors.push(forbiddenField(path.child('exempt'), 'must be nil if the type is Limited'));
    if (limited) checkLimited(errors, path.child('limited'), limited);
    else errors.push(required(path.child('limited'), 'must not be empty when type is Limited'));
  } else if (type === '') errors.push(required(path.child('type')));
  else errors.push(notSupported(path.child('type'), type, ['Exempt', 'Limited']));
  return errors;
}

export const priorityLevelConfigurationRules: KindRules<PriorityLevelConfiguration> = {
  defaults({ spec }) {
    const { exempt, limited } = spec ?? {};
    if (exempt) {
      exempt.nominalConcurrencyShares ??= 0;
      exempt.lendablePercent ??= 0;
    }
    if (!limited) return;
    limited.nominalConcurrencyShares ??= 30;
    limited.lendablePercent ??= 0;
    const queuing = limited.limitResponse?.queuing;
    if (!queuing) return;
    if (!queuing.handSize) queuing.handSize = 8;
    if (!queuing.queues) queuing.queues = 64;
    if (!queuing.queueLengthLimit) queuing.queueLengthLimit = 50;
  },
  validate,
  prepareStatus: keepSpecAndAllMetadata,
  metaOnStatus: [],
  validateStatus: ({ status }) => checkConditionTypes(status?.conditions),
  generation: true,
  allowUnconditionalUpdate: true,
};
