/** MutatingWebhookConfigurations. Upstream: pkg/registry/admissionregistration/mutatingwebhookconfiguration. */
import { equalValues } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { MutatingWebhookConfiguration } from '../../../types.ts';
import { validateWebhooks, webhookDefaults } from '../../../validation/webhook-configurations.ts';

export const mutatingWebhookConfigurationRules: KindRules<MutatingWebhookConfiguration> = {
  defaults({ webhooks }) {
    webhookDefaults(webhooks);
    for (const hook of webhooks ?? []) hook.reinvocationPolicy ??= 'Never';
  },
  validate: ({ webhooks }, old) => validateWebhooks(webhooks, old ? (old.webhooks ?? []) : undefined),
  generation: { changed: (now, old) => !equalValues(now.webhooks, old.webhooks), exact: true },
  allowUnconditionalUpdate: false,
};
