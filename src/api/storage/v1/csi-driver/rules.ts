/** CSIDrivers. Upstream: pkg/apis/storage/{v1/defaults.go,validation}, pkg/registry/storage/csidriver/strategy.go. */
import { duplicate, type FieldError, FieldPath, invalidValue, notSupported, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { CSIDriver, StorageV1TokenRequest } from '../../../types.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';

const path = FieldPath.of('spec');

function checkTokens(errors: Errors, at: FieldPath, requests: readonly StorageV1TokenRequest[]): void {
  const seen = new Set<string>();
  requests.forEach(({ audience = '', expirationSeconds: seconds }, i) => {
    const own = at.index(i);
    if (seen.has(audience)) {
      errors.push(duplicate(own.child('audience'), audience));
      return;
    }
    seen.add(audience);
    if (seconds === undefined) return;
    const say = (text: string): unknown => errors.push(invalidValue(own.child('expirationSeconds'), seconds, text));
    if (seconds < 600) say('may not specify a duration less than 10 minutes');
    if (seconds > 2 ** 32) say('may not specify a duration larger than 2^32 seconds');
  });
}

function validate({ spec }: CSIDriver, old: CSIDriver | null): FieldError[] {
  const errors: Errors = [];
  const { fsGroupPolicy, tokenRequests = [], volumeLifecycleModes: modes = [] } = spec;
  const policies = ['File', 'None', 'ReadWriteOnceWithFSType'];
  if (fsGroupPolicy !== undefined && !policies.includes(fsGroupPolicy)) {
    errors.push(notSupported(path.child('fsGroupPolicy'), fsGroupPolicy, policies));
  }
  checkTokens(errors, path.child('tokenRequests'), tokenRequests);
  for (const mode of modes) {
    if (mode === 'Persistent' || mode === 'Ephemeral') continue;
    errors.push(notSupported(path.child('volumeLifecycleModes'), mode, ['Persistent', 'Ephemeral']));
  }
  const period = spec.nodeAllocatableUpdatePeriodSeconds;
  if (period !== undefined && period < 10) {
    const text = 'must be greater than or equal to 10 seconds';
    errors.push(invalidValue(path.child('nodeAllocatableUpdatePeriodSeconds'), period, text));
  }
  const inSecrets = spec.serviceAccountTokenInSecrets;
  if (inSecrets !== undefined && tokenRequests.length === 0) {
    const text = 'serviceAccountTokenInSecrets is set but no tokenRequests are specified';
    errors.push(invalidValue(path.child('serviceAccountTokenInSecrets'), inSecrets, text));
  }
  if (old) {
    checkImmutable(errors, path.child('attachedRequired'), spec.attachRequired, old.spec.attachRequired);
    checkImmutable(errors, path.child('volumeLifecycleModes'), modes, old.spec.volumeLifecycleModes ?? []);
  }
  return errors;
}

export const csiDriverRules: KindRules<CSIDriver> = {
  defaults({ spec }) {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if (!spec.volumeLifecycleModes?.length) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },
  prepareCreate: ({ spec }) => void delete spec.preventPodSchedulingIfMissing,
  prepareUpdate({ metadata, spec }, old) {
    if (old.spec.preventPodSchedulingIfMissing === undefined) delete spec.preventPodSchedulingIfMissing;
    // Counts changes only: a new driver has none.
    if (!semanticEqual(spec, old.spec)) metadata.generation = (old.metadata.generation ?? 0) + 1;
  },
  validate,
  allowUnconditionalUpdate: false,
};
