/** Secrets. Upstream: pkg/apis/core/v1/{defaults,conversion}.go, pkg/registry/core/secret/strategy.go. */
import type { KindRules } from '../../../kind.ts';
import type { Secret } from '../../../types.ts';

export const secretRules: KindRules<Secret> = {
  defaults(draft) {
    if (!draft.type) draft.type = 'Opaque';
    // stringData is write-only: it is merged into data when the object is read.
    for (const [key, text] of Object.entries(draft.stringData ?? {})) {
      (draft.data ??= {})[key] = Buffer.from(text).toString('base64');
    }
    delete draft.stringData;
  },
  prepareUpdate(draft, old) {
    if (!draft.type && old.type) draft.type = old.type;
  },
  selectableFields: { names: ['type'], read: secret => ({ type: secret.type ?? '' }) },
  allowUnconditionalUpdate: true,
};
