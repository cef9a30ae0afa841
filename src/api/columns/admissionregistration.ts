/** Rows of the kinds of admissionregistration.k8s.io. Upstream: pkg/printers/internalversion/printers.go. */
import type {
  LabelSelector,
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  MutatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../types.ts';
import { age, type Row, type RowOf, row } from './cells.ts';

function webhooksRow(
  { metadata, webhooks }: MutatingWebhookConfiguration | ValidatingWebhookConfiguration,
  nowMs: number,
): Row {
  return row(metadata.name ?? '', webhooks?.length ?? 0, age(metadata.creationTimestamp, nowMs));
}

type ParamKind = ValidatingAdmissionPolicy['spec']['paramKind'];
type ParamRef = ValidatingAdmissionPolicyBinding['spec']['paramRef'];

function kindText(kind: ParamKind): string {
  return kind ? `${kind.apiVersion ?? ''}/${kind.kind ?? ''}` : '<unset>';
}

/** A selector as Go's generated String method shows it. */
function goText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.keys(matchLabels)
    .sort()
    .map(key => `${key}: ${matchLabels[key]},`)
    .join('');
  const expressions = matchExpressions
    .map(
      ({ key, operator, values = [] }) =>
        `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
    )
    .join('');
  return (
    `&LabelSelector{MatchLabels:map[string]string{${labels}},` +
    `MatchExpressions:[]LabelSelectorRequirement{${expressions}},}`
  );
}

function paramText(param: ParamRef): string {
  if (param?.name) return `${param.namespace || '*'}/${param.name}`;
  return param?.selector ? goText(param.selector) : '<unset>';
}

function validatingPolicyRow({ metadata, spec }: ValidatingAdmissionPolicy, nowMs: number): Row {
  const count = spec.validations?.length ?? 0;
  return row(metadata.name ?? '', count, kindText(spec.paramKind), age(metadata.creationTimestamp, nowMs));
}

function mutatingPolicyRow({ metadata, spec }: MutatingAdmissionPolicy, nowMs: number): Row {
  const count = spec.mutations?.length ?? 0;
  return row(metadata.name ?? '', count, kindText(spec.paramKind), age(metadata.creationTimestamp, nowMs));
}

function bindingRow(
  { metadata, spec }: ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding,
  nowMs: number,
): Row {
  const { policyName = '', paramRef } = spec;
  return row(metadata.name ?? '', policyName, paramText(paramRef), age(metadata.creationTimestamp, nowMs));
}

/** By kind. */
export const rows: Readonly<Record<string, RowOf>> = {
  MutatingAdmissionPolicy: mutatingPolicyRow,
  MutatingAdmissionPolicyBinding: bindingRow,
  MutatingWebhookConfiguration: webhooksRow,
  ValidatingAdmissionPolicy: validatingPolicyRow,
  ValidatingAdmissionPolicyBinding: bindingRow,
  ValidatingWebhookConfiguration: webhooksRow,
};
