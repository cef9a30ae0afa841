/** Projected volumes. Upstream: pkg/apis/core/validation/validation.go (validateProjectionSources). */
import {
  append,
  type FieldPath,
  forbiddenField,
  invalidValue,
  isDomainPrefixedKey,
  nameIsDNSSubdomain,
  notSupported,
  required,
  validateLabelSelector,
} from '#apimachinery';
import type {
  ClusterTrustBundleProjection,
  KeyToPath,
  PodCertificateProjection,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  VolumeProjection,
} from '../types.ts';
import { checkLocalNonReservedPath, type Errors, refuseEach, requireText } from './common.ts';
import { checkDownwardAPIFile } from './field-references.ts';
import { checkFileMode, checkKeyToPath } from './files.ts';
import { invalidInternal } from './internal-value.ts';
import { checkSignerName, isKubernetesSigner } from './signer-names.ts';

const conflicting = 'conflicting duplicate paths';

/** Refuses what is not its own source's only path; `shown` is the value that upstream shows. */
class Paths {
  readonly #seen = new Set<string>();
  readonly #errors: Errors;
  readonly #path: FieldPath;

  constructor(errors: Errors, path: FieldPath) {
    this.#errors = errors;
    this.#path = path;
  }

  add(target: string, shown: string): void {
    if (this.#seen.has(target)) this.#errors.push(invalidValue(this.#path, shown, conflicting));
    else this.#seen.add(target);
  }
}

function checkNamedItems(
  errors: Errors,
  path: FieldPath,
  source: { readonly name?: string; readonly items?: readonly KeyToPath[] },
  paths: Paths,
): void {
  requireText(errors, path.child('name'), source.name);
  source.items?.forEach((item, i) => {
    checkKeyToPath(errors, path.child('items').index(i), item);
    if (item.path) paths.add(item.path, source.name ?? '');
  });
}

function checkToken(
  errors: Errors,
  volumePath: FieldPath,
  path: FieldPath,
  token: ServiceAccountTokenProjection,
  allowNonLocal: boolean,
): void {
  const seconds = Number(token.expirationSeconds ?? 0);
  const at = path.child('expirationSeconds');
  if (seconds < 600) errors.push(invalidValue(at, seconds, 'may not specify a duration less than 10 minutes'));
  if (seconds > 2 ** 32) errors.push(invalidValue(at, seconds, 'may not specify a duration larger than 2^32 seconds'));
  if (!token.path) errors.push(required(volumePath.child('path')));
  else if (!allowNonLocal) checkLocalNonReservedPath(errors, volumePath.child('path'), token.path);
}

function checkTrustBundle(errors: Errors, path: FieldPath, source: ClusterTrustBundleProjection, paths: Paths): void {
  const { name, signerName } = source;
  if (name !== undefined && signerName !== undefined) {
    const text = 'only one of name and signerName may be used';
    errors.push(invalidInternal(path, 'core.ClusterTrustBundleProjection', source, text));
  } else if (name !== undefined) {
    if (name === '') errors.push(required(path.child('name'), 'must be a valid object name'));
    const texts = nameIsDNSSubdomain(name.slice(name.lastIndexOf(':') + 1), false);
    refuseEach(
      errors,
      path.child('name'),
      name,
      texts.map(text => `not a valid clustertrustbundlename: ${text}`),
    );
    if (source.labelSelector) {
      const text = 'labelSelector must be unset if name is specified';
      errors.push(invalidValue(path.child('labelSelector'), source.labelSelector, text));
    }
  } else if (signerName !== undefined) {
    if (signerName === '') errors.push(required(path.child('signerName'), 'must be a valid signer name'));
    checkSignerName(errors, path.child('signerName'), signerName);
    append(errors, validateLabelSelector(source.labelSelector, path.child('labelSelector')));
  } else errors.push(required(path, 'either name or signerName must be specified'));
  requireText(errors, path.child('path'), source.path);
  checkLocalNonReservedPath(errors, path.child('path'), source.path ?? '');
  paths.add(source.path ?? '', source.path ?? '');
}

const keyTypes = ['RSA3072', 'RSA4096', 'ECDSAP256', 'ECDSAP384', 'ECDSAP521', 'ED25519'];
const dayMs = 86400;

function checkCertificate(errors: Errors, path: FieldPath, source: PodCertificateProjection, paths: Paths): void {
  checkSignerName(errors, path.child('signerName'), source.signerName ?? '');
  for (const key of Object.keys(source.userAnnotations ?? {})) {
    append(errors, isDomainPrefixedKey(path.child('userAnnotations'), key.toLowerCase()));
  }
  if (!keyTypes.includes(source.keyType)) {
    errors.push(notSupported(path.child('keyType'), source.keyType ?? '', keyTypes));
  }
  const seconds = source.maxExpirationSeconds;
  if (seconds !== undefined) {
    const at = path.child('maxExpirationSeconds');
    if (seconds < 3600) errors.push(invalidValue(at, seconds, 'if provided, maxExpirationSeconds must be >= 3600'));
    const most = isKubernetesSigner(source.signerName ?? '') ? dayMs : 91 * dayMs;
    if (seconds > most) {
      errors.push(invalidValue(at, seconds, `if provided, maxExpirationSeconds must be <= ${most}`));
    }
  }
  let count = 0;
  for (const name of ['credentialBundlePath', 'keyPath', 'certificateChainPath'] as const) {
    const target = source[name];
    if (!target) continue;
    count++;
    checkLocalNonReservedPath(errors, path.child(name), target);
    paths.add(target, target);
  }
  if (count === 0) {
    errors.push(required(path, 'specify at least one of credentialBundlePath, keyPath, and certificateChainPath'));
  }
}

function checkOne(
  errors: Errors,
  path: FieldPath,
  at: FieldPath,
  source: VolumeProjection,
  paths: Paths,
  allowNonLocal: boolean,
): void {
  if (source.secret) checkNamedItems(errors, at.child('secret'), source.secret, paths);
  if (source.configMap) checkNamedItems(errors, at.child('configMap'), source.configMap, paths);
  for (const file of source.downwardAPI?.items ?? []) {
    checkDownwardAPIFile(errors, at.child('downwardAPI'), file);
    if (file.path) paths.add(file.path, file.path);
  }
  const token = source.serviceAccountToken;
  if (token) checkToken(errors, path, at.child('serviceAccountToken'), token, allowNonLocal);
  const bundle = source.clusterTrustBundle;
  if (bundle) checkTrustBundle(errors, at.child('clusterTrustBundle'), bundle, paths);
  if (source.podCertificate) checkCertificate(errors, at.child('podCertificate'), source.podCertificate, paths);
  if (Object.values(source).filter(value => value !== undefined).length > 1) {
    errors.push(forbiddenField(at, 'may not specify more than 1 volume type per source'));
  }
}

export function checkProjected(
  errors: Errors,
  path: FieldPath,
  projected: ProjectedVolumeSource,
  allowNonLocalTokenPath: boolean,
): void {
  checkFileMode(errors, path.child('defaultMode'), projected.defaultMode);
  const paths = new Paths(errors, path);
  projected.sources?.forEach((source, i) => {
    checkOne(errors, path, path.child('sources').index(i), source, paths, allowNonLocalTokenPath);
  });
}
