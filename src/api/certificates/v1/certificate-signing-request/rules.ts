/**
 * CertificateSigningRequests. Upstream: pkg/apis/certificates/validation, pkg/registry/certificates/certificates.
 */
import { X509Certificate } from 'node:crypto';
import {
  type Draft,
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  formatTime,
  invalidValue,
  notSupported,
  required,
  semanticEqual,
} from '#apimachinery';
import { requestProblem } from '#pki';
import type { KindRules, RuleContext } from '../../../kind.ts';
import { keepField, keepSpec } from '../../../strategies.ts';
import type { CertificateSigningRequest, CertificateSigningRequestCondition } from '../../../types.ts';
import type { Errors } from '../../../validation/common.ts';
import { checkSignerName } from '../../../validation/signer-names.ts';

const path = FieldPath.of('spec');
const conditionsPath = FieldPath.of('status', 'conditions');
const usages = [
  ...['any', 'cert sign', 'client auth', 'code signing', 'content commitment', 'crl sign', 'data encipherment'],
  ...['decipher only', 'digital signature', 'email protection', 'encipher only', 'ipsec end system', 'ipsec tunnel'],
  ...['ipsec user', 'key agreement', 'key encipherment', 'microsoft sgc', 'netscape sgc', 'ocsp signing', 's/mime'],
  ...['server auth', 'signing', 'timestamping'],
];
type Conditions = readonly CertificateSigningRequestCondition[];

const decided = ['Approved', 'Denied', 'Failed'];

/** Why the text, in base64, is not one certificate after another; undefined when it is, or is empty. */
function certificateProblem(base64: string): string | undefined {
  if (base64 === '') return undefined;
  const text = Buffer.from(base64, 'base64').toString('latin1');
  const blocks = [...text.matchAll(/-----BEGIN ([^-]+)-----\r?\n([\s\S]*?)-----END \1-----/g)];
  for (const [block, type, content = ''] of blocks) {
    if (type !== 'CERTIFICATE') return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (/^[^\n]*:/.test(content)) return 'no PEM block headers are permitted';
    try {
      new X509Certificate(block);
    } catch {
      return 'x509: malformed certificate';
    }
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

/** What an old object has already is tolerated. */
function checkConditions(errors: Errors, request: CertificateSigningRequest, old: Conditions): void {
  const conditions = request.status?.conditions ?? [];
  const had = new Set(old.map(({ type }) => type));
  const hadBoth = had.has('Approved') && had.has('Denied');
  const hadDuplicates = had.size < old.length;
  const seen = new Set<string>();
  conditions.forEach(({ type = '', status = '' }, i) => {
    const at = conditionsPath.index(i);
    if (!type && !had.has('')) errors.push(required(at.child('type')));
    const allowed = decided.includes(type) ? ['True'] : ['False', 'True', 'Unknown'];
    if (!status) errors.push(required(at.child('status')));
    else if (!allowed.includes(status)) errors.push(notSupported(at.child('status'), status, allowed));
    const opposite = { Approved: 'Denied', Denied: 'Approved' }[type];
    if (opposite && seen.has(opposite) && !hadBoth) {
      errors.push(invalidValue(conditionsPath, type, 'Approved and Denied conditions are mutually exclusive'));
    }
    if (seen.has(type) && !hadDuplicates) errors.push(duplicate(at.child('type'), type));
    seen.add(type);
  });
}

function checkRequest(errors: Errors, request: CertificateSigningRequest, old: CertificateSigningRequest | null): void {
  const { spec } = request;
  const { request: pem = '', usages: asked = [], signerName = '', expirationSeconds: seconds } = spec;
  const refusal = requestProblem(Buffer.from(pem, 'base64').toString('latin1'));
  if (refusal) errors.push(invalidValue(path.child('request'), spec.request ?? null, refusal));
  const at = path.child('usages');
  if (asked.length === 0) errors.push(required(at));
  const before = old?.spec.usages ?? [];
  if (!before.some(usage => !usages.includes(usage))) {
    asked.forEach((usage, i) => {
      if (!usages.includes(usage)) errors.push(notSupported(at.index(i), usage, usages));
    });
  }
  if (new Set(before).size === before.length) {
    asked.forEach((usage, i) => {
      if (asked.indexOf(usage) < i) errors.push(duplicate(at.index(i), usage));
    });
  }
  const legacy = 'kubernetes.io/legacy-unknown';
  if (signerName === legacy && old?.spec.signerName !== legacy) {
    const text = 'the legacy signerName is not allowed via this API version';
    errors.push(invalidValue(path.child('signerName'), signerName, text));
  } else checkSignerName(errors, path.child('signerName'), signerName);
  if (seconds !== undefined && seconds < 600) {
    const text = 'may not specify a duration less than 600 seconds (10 minutes)';
    errors.push(invalidValue(path.child('expirationSeconds'), seconds, text));
  }
  checkConditions(errors, request, old?.status?.conditions ?? []);
  const certificate = request.status?.certificate ?? '';
  const tolerated =
    old && (certificate === (old.status?.certificate ?? '') || certificateProblem(old.status?.certificate ?? ''));
  const problem = tolerated ? undefined : certificateProblem(certificate);
  if (problem) errors.push(invalidValue(FieldPath.of('status', 'certificate'), '<certificate data>', problem));
}

function ofType(request: CertificateSigningRequest, type: string): Conditions {
  return (request.status?.conditions ?? []).filter(condition => condition.type === type);
}

function validate(
  request: CertificateSigningRequest,
  old: CertificateSigningRequest | null,
  context: RuleContext,
): FieldError[] {
  const errors: Errors = [];
  checkRequest(errors, request, old);
  if (!old) return errors;
  const refuse = (text: string): unknown => errors.push(forbiddenField(conditionsPath, text));
  for (const type of decided) {
    const removed = ofType(request, type).length < ofType(old, type).length;
    if (removed) refuse(`updates may not remove a condition of type "${type}"`);
  }
  if (context.subresource !== 'approval') {
    for (const type of ['Approved', 'Denied']) {
      const before = ofType(old, type);
      const now = ofType(request, type);
      if (now.length > before.length) refuse(`updates may not add a condition of type "${type}"`);
      else if (now.length === before.length && !semanticEqual(now, before)) {
        refuse(`updates may not modify a condition of type "${type}"`);
      }
    }
  }
  const certificate = request.status?.certificate ?? '';
  const had = old.status?.certificate ?? '';
  if (certificate === had) return errors;
  const at = FieldPath.of('status', 'certificate');
  if (context.subresource !== 'status') errors.push(forbiddenField(at, 'updates may not set certificate content'));
  else if (had) errors.push(forbiddenField(at, 'updates may not modify existing certificate content'));
  return errors;
}

/** A condition that keeps its status keeps its time of transition. */
function setTimes(
  conditions: Draft<CertificateSigningRequestCondition>[],
  old: CertificateSigningRequest,
  nowMs: number,
): void {
  const now = formatTime(nowMs);
  for (const condition of conditions) {
    condition.lastUpdateTime ??= now;
    const same = old.status?.conditions?.find(each => each.type === condition.type && each.status === condition.status);
    condition.lastTransitionTime ??= same?.lastTransitionTime ?? now;
  }
}

export const certificateSigningRequestRules: KindRules<CertificateSigningRequest> = {
  prepareCreate(draft, { user }) {
    const { spec } = draft;
    delete draft.status;
    spec.username = user.name;
    if (user.uid) spec.uid = user.uid;
    else delete spec.uid;
    if (user.groups.length > 0) spec.groups = [...user.groups];
    else delete spec.groups;
    const extra = Object.entries(user.extra);
    if (extra.length > 0) spec.extra = Object.fromEntries(extra.map(([name, values]) => [name, [...values]]));
    else delete spec.extra;
  },
  prepareUpdate(draft, old, context) {
    keepSpec(draft, old);
    if (context.subresource !== 'approval') {
      keepField(draft, old, 'status');
      return;
    }
    const conditions = draft.status?.conditions ?? [];
    setTimes(conditions, old, context.nowMs);
    keepField(draft, old, 'status');
    if (conditions.length > 0) draft.status = { ...draft.status, conditions };
    else if (draft.status?.conditions) {
      const { conditions: _, ...status } = draft.status;
      draft.status = status;
    }
  },
  prepareStatus(draft, old, { nowMs }) {
    keepSpec(draft, old);
    const conditions = draft.status?.conditions ?? [];
    // As many as before are those from before; others are refused by validation.
    for (const type of ['Approved', 'Denied']) {
      const before = ofType(old, type);
      const indices = conditions.flatMap((condition, i) => (condition.type === type ? [i] : []));
      if (indices.length !== before.length) continue;
      for (const [i, index] of indices.entries()) conditions[index] = structuredClone(before[i]!) as never;
    }
    setTimes(conditions, old, nowMs);
  },
  validate,
  validateStatus: (request, old, context) => validate(request, old, { ...context, subresource: 'status' }),
  validateName: () => [],
  selectableFields: {
    names: ['spec.signerName'],
    read: request => ({ 'spec.signerName': request.spec.signerName ?? '' }),
  },
  allowUnconditionalUpdate: true,
};
