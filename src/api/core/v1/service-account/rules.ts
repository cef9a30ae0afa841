/** ServiceAccounts. Upstream: pkg/registry/core/serviceaccount/strategy.go. */
import type { Draft } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ServiceAccount } from '../../../types.ts';

/** Only the name of a Secret counts. */
function cleanSecrets(draft: Draft<ServiceAccount>): void {
  if (draft.secrets) draft.secrets = draft.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}

export const serviceAccountRules: KindRules<ServiceAccount> = {
  prepareCreate: cleanSecrets,
  prepareUpdate: cleanSecrets,
  allowUnconditionalUpdate: true,
};
