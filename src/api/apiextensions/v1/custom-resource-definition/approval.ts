/**
 * Groups of Kubernetes' own need an approval. Upstream: apiextensions-apiserver pkg/apihelpers/helpers.go,
 * pkg/apis/apiextensions/validation/validation.go validateAPIApproval.
 */
import { type FieldError, FieldPath, goQuote, invalidValue, required } from '#apimachinery';
import type { CustomResourceDefinition } from '../../../types.ts';

const annotation = 'api-approved.kubernetes.io';
const pullRequest = 'https://github.com/kubernetes/enhancements/pull/1111';

export interface Approval {
  readonly state: 'Missing' | 'Unapproved' | 'Approved' | 'Invalid';
  readonly reason: string;
}

/** Whether definitions of the group need the annotation. */
export function isProtectedGroup(group: string): boolean {
  return ['k8s.io', 'kubernetes.io'].some(root => group === root || group.endsWith(`.${root}`));
}

export function approvalOf(crd: CustomResourceDefinition): Approval {
  const text = crd.metadata.annotations?.[annotation] ?? '';
  const needed = `protected groups must have approval annotation ${goQuote(annotation)}`;
  if (text === '') return { state: 'Missing', reason: `${needed}, see ${pullRequest}` };
  if (text.startsWith('unapproved')) return { state: 'Unapproved', reason: `not approved: ${goQuote(text)}` };
  if (isUrl(text)) return { state: 'Approved', reason: `approved in ${text}` };
  return {
    state: 'Invalid',
    reason: `${needed} with either a URL or a reason starting with "unapproved", see ${pullRequest}`,
  };
}

function isUrl(text: string): boolean {
  return /^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/(?:[^/?#@]*@)?[^/?#\s]+/.test(text) && URL.canParse(text);
}

export function checkApproval(crd: CustomResourceDefinition, old: CustomResourceDefinition | null): FieldError[] {
  if (!isProtectedGroup(crd.spec.group ?? '')) return [];
  const { state, reason } = approvalOf(crd);
  if (old && approvalOf(old).state === state) return [];
  const path = FieldPath.of('metadata', 'annotations').key(annotation);
  if (state === 'Missing') return [required(path, reason)];
  if (state === 'Invalid') return [invalidValue(path, crd.metadata.annotations![annotation], reason)];
  return [];
}
