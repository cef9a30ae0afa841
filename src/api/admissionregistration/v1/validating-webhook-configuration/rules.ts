/** ValidatingWebhookConfigurations. Upstream: pkg/registry/admissionregistration/validatingwebhookconfiguration. */
import { equalValues } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { ValidatingWebhookConfiguration } from '../../../types.ts';
import { validateWebhooks, webhookDefaults } from '../../../validation/webhook-configurations.ts';

export const validatingWebhookConfigurationRules: KindRules<ValidatingWebhookConfiguration> = {
  defaults: ({ webhooks }) => webhookDefaults(webhooks),
  validate: ({ webhooks }, old) => validateWebhooks(webhooks, old ? (old.webhooks ?? []) : undefined),
  generation: { changed: (now, old) => !equalValues(now.webhooks, old.webhooks), exact: true },
  allowUnconditionalUpdate: false,
};
