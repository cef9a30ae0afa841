/**
 * ClusterTrustBundles. Upstream: pkg/apis/certificates/validation, pkg/registry/certificates/clustertrustbundle,
 * pkg/apis/core/validation/names.go (ValidateClusterTrustBundleName).
 */
import { X509Certificate } from 'node:crypto';
import {
  byteLength,
  type FieldError,
  FieldPath,
  invalidValue,
  type KubeObject,
  nameIsDNSSubdomain,
  tooLong,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import { checkImmutable, type Errors } from '../../../validation/common.ts';
import { checkSignerName } from '../../../validation/signer-names.ts';

export interface ClusterTrustBundle extends KubeObject {
  readonly spec?: { readonly signerName?: string; readonly trustBundle?: string };
}

const path = FieldPath.of('spec');
const maxBundleBytes = 1 << 20;

/** A bundle of a signer is named after it. */
function nameProblems(name: string, signerName: string): string[] {
  if (signerName === '') {
    if (name.includes(':')) return ['ClusterTrustBundle without signer name must not have ":" in its name'];
    return nameIsDNSSubdomain(name, false);
  }
  const prefix = `${signerName.replaceAll('/', ':')}:`;
  if (!name.startsWith(prefix)) {
    return [`ClusterTrustBundle for signerName ${signerName} must be named with prefix ${prefix}`];
  }
  return nameIsDNSSubdomain(name.slice(prefix.length), false);
}

/** Why an entry is no trust anchor; undefined when it is one. */
function anchorProblem(type: string, block: string, content: string): string | undefined {
  if (type !== 'CERTIFICATE') return `has bad block type: ${type}`;
  if (/^[^\n]*:/.test(content)) return 'has PEM block headers';
  try {
    return new X509Certificate(block).ca ? undefined : 'does not have the CA bit set';
  } catch {
    return 'does not parse as X.509';
  }
}

function checkBundle(errors: Errors, at: FieldPath, pem: string): void {
  if (byteLength(pem) > maxBundleBytes) return void errors.push(tooLong(at, maxBundleBytes));
  const refuse = (why: string): unknown => errors.push(invalidValue(at, '<value omitted>', why));
  const indices = new Map<string, number[]>();
  const before = errors.length;
  const blocks = pem.matchAll(/-----BEGIN ([^-\n]+)-----[ \t]*\r?\n([\s\S]*?)-----END \1-----/g);
  for (const [index, [block, type = '', content = '']] of [...blocks].entries()) {
    const problem = anchorProblem(type, block, content);
    if (problem) refuse(`entry ${index} ${problem}`);
    else {
      const bytes = content.replace(/\s/g, '');
      indices.set(bytes, [...(indices.get(bytes) ?? []), index]);
    }
  }
  if (errors.length > before) return;
  if (indices.size === 0) refuse('at least one trust anchor must be provided');
  for (const same of indices.values()) {
    if (same.length > 1) refuse(`duplicate trust anchor (indices [${same.join(' ')}])`);
  }
}

function validate(bundle: ClusterTrustBundle, old: ClusterTrustBundle | null): FieldError[] {
  const errors: Errors = [];
  const { signerName = '', trustBundle = '' } = bundle.spec ?? {};
  const name = bundle.metadata.name ?? '';
  if (name !== '') {
    for (const problem of nameProblems(name, signerName)) {
      errors.push(invalidValue(FieldPath.of('metadata', 'name'), name, problem));
    }
  }
  if (signerName !== '') checkSignerName(errors, path.child('signerName'), signerName);
  // What stood there before is not read again.
  if (!old || old.spec?.trustBundle !== bundle.spec?.trustBundle) {
    checkBundle(errors, path.child('trustBundle'), trustBundle);
  }
  return errors;
}

function validateChange(bundle: ClusterTrustBundle, old: ClusterTrustBundle): FieldError[] {
  const errors: Errors = [];
  checkImmutable(errors, path.child('signerName'), bundle.spec?.signerName ?? '', old.spec?.signerName ?? '');
  return errors;
}

export const clusterTrustBundleRules: KindRules<ClusterTrustBundle> = {
  validate,
  validateChange,
  // By its signer, hence with the rest.
  validateName: () => [],
  allowUnconditionalUpdate: false,
  metaRule: 'core',
  metaOnUpdate: ['full', 'own', 'change'],
  selectableFields: {
    names: ['spec.signerName'],
    read: ({ spec }) => ({ 'spec.signerName': spec?.signerName ?? '' }),
  },
};
