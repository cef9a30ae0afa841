/** PodTemplates. Upstream: pkg/registry/core/podtemplate/strategy.go. */
import { FieldPath, semanticEqual } from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { PodTemplate } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { checkTemplate } from '../../../validation/workloads.ts';
import { podSpecDefaults } from '../pod/defaults.ts';
import { dropDisabledPodFields } from '../pod/prepare.ts';

export const podTemplateRules: KindRules<PodTemplate> = {
  defaults(draft) {
    if (draft.template?.spec) podSpecDefaults(draft.template.spec);
  },
  prepareCreate: (draft, context) => dropDisabledPodFields(draft.template?.spec, undefined, context),
  prepareUpdate: (draft, old, context) => dropDisabledPodFields(draft.template?.spec, old.template?.spec, context),
  validate(template, old, context) {
    const errors: Errors = [];
    checkTemplate(errors, FieldPath.of('template'), template.template, { old: old?.template, context });
    return errors;
  },
  generation: { changed: (now, old) => !semanticEqual(now.template, old.template) },
  allowUnconditionalUpdate: true,
};
