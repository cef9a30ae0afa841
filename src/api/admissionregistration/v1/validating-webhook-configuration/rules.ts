/**
 * ValidatingWebhookConfigurations. Upstream: pkg/registry/admissionregistration/validatingwebhookconfiguration.
 * Deviation: an empty `caBundle` in place of none raises no generation; upstream tells empty bytes from none.
 */
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
