/**
 * What is refused in an EncryptionConfiguration. Upstream: apiserver pkg/apis/apiserver/validation/
 * validation_encryption.go.
 * Deviation: where upstream prints a whole provider, keys included, here the keys are left out of the text.
 */
import { append, type FieldError, FieldPath, goQuote, invalidValue, parseGoDuration, required } from '#apimachinery';
import type { EncryptionConfig, EncryptionKey, KeysConfig, KmsConfig, ProviderConfig } from './config.ts';
import { parseGroupResource } from './group-resource.ts';

const aesKeySizes = [16, 24, 32];
const secretboxKeySizes = [32];

/** @param reload the file is read again when it changes: names of KMS v1 providers must then be unique too. */
export function validateEncryptionConfig({ resources }: EncryptionConfig, reload: boolean): FieldError[] {
  const root = FieldPath.of('resources');
  if (resources.length === 0) return [required(root, 'at least one resources is required')];
  const errors: FieldError[] = [];
  const kmsNames = new Set<string>();
  for (const [at, { resources: names, providers }] of resources.entries()) {
    const namesPath = root.index(at).child('resources');
    const providersPath = root.index(at).child('providers');
    if (names.length === 0) errors.push(required(namesPath, `at least one ${namesPath} is required`));
    errors.push(...validateOverlap(names, namesPath), ...validateNames(names, namesPath));
    if (providers.length === 0) errors.push(required(providersPath, `at least one ${providersPath} is required`));
    for (const [n, provider] of providers.entries()) {
      const path = providersPath.index(n);
      errors.push(...validateSingle(provider, path), ...validateProvider(provider, path, kmsNames, reload));
    }
  }
  return errors;
}

function validateProvider(
  { kms, aesgcm, aescbc, secretbox }: ProviderConfig,
  path: FieldPath,
  kmsNames: Set<string>,
  reload: boolean,
): FieldError[] {
  if (kms) {
    const errors = validateKms(kms, path.child('kms'), kmsNames, reload);
    kmsNames.add(kms.name);
    return errors;
  }
  if (aesgcm) return validateKeys(aesgcm, path.child('aesgcm', 'keys'), aesKeySizes);
  if (aescbc) return validateKeys(aescbc, path.child('aescbc', 'keys'), aesKeySizes);
  if (secretbox) return validateKeys(secretbox, path.child('secretbox', 'keys'), secretboxKeySizes);
  return [];
}

function validateOverlap(names: readonly string[], path: FieldPath): FieldError[] {
  const all = names.map(parseGroupResource);
  let isTwice = false;
  let overlaps = false;
  for (const [i, a] of all.entries()) {
    for (const [j, b] of all.entries()) {
      if (i === j) continue;
      if (a.group === b.group && a.resource === b.resource && !isTwice) isTwice = true;
      else if (a.group === '*' && a.resource === '*') overlaps = true;
      else if (a.group === b.group && (a.resource === '*' || b.resource === '*')) overlaps = true;
    }
  }
  return [
    ...(isTwice ? [invalidValue(path, names, 'the same resource cannot be specified multiple times')] : []),
    ...(overlaps
      ? [
          invalidValue(
            path,
            names,
            "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
          ),
        ]
      : []),
  ];
}

const withoutApi = ['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations'];

function validateNames(names: readonly string[], path: FieldPath): FieldError[] {
  return names.flatMap((name, at) => {
    const why = nameProblem(name);
    return why === undefined ? [] : [invalidValue(path.index(at), name, why)];
  });
}

function nameProblem(name: string): string | undefined {
  if (name.toLowerCase() !== name) return 'resource name should not contain capital letters';
  if (name === '*') return "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources";
  if (withoutApi.includes(name)) return 'resources which do not have REST API/s cannot be encrypted';
  const { group, resource } = parseGroupResource(name);
  if (group === 'events.k8s.io')
    return "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file";
  if (group === 'extensions') return "'extensions' group has been removed and cannot be used for encryption";
  if (group === '*' && resource !== '*') return 'encrypting the same resource across groups is not supported';
  return undefined;
}

function validateSingle(provider: ProviderConfig, path: FieldPath): FieldError[] {
  const { aesgcm, aescbc, secretbox, identity, kms } = provider;
  const found = [aesgcm, aescbc, secretbox, identity, kms].filter(each => each !== undefined).length;
  if (found === 1) return [];
  const keys = (given: KeysConfig | undefined): unknown =>
    given ? { Keys: given.keys.map(({ name }) => ({ Name: name, Secret: 'REDACTED' })) } : null;
  const shown = {
    AESGCM: keys(aesgcm),
    AESCBC: keys(aescbc),
    Secretbox: keys(secretbox),
    Identity: identity ? {} : null,
    KMS: kms
      ? {
          APIVersion: kms.apiVersion,
          Name: kms.name,
          CacheSize: kms.cachesize ?? null,
          Endpoint: kms.endpoint,
          Timeout: kms.timeout,
        }
      : null,
  };
  const why =
    found === 0
      ? 'provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity'
      : 'more than one provider specified in a single element, should split into different list elements';
  return [invalidValue(path, shown, why)];
}

function validateKeys({ keys }: KeysConfig, path: FieldPath, sizes: readonly number[]): FieldError[] {
  if (keys.length === 0) return [required(path, 'at least one keys is required')];
  return keys.flatMap((key, at) => validateKey(key, path.index(at), sizes));
}

function validateKey({ name, secret }: EncryptionKey, path: FieldPath, sizes: readonly number[]): FieldError[] {
  const errors = name === '' ? [required(path.child('name'), 'name is a mandatory field for a key')] : [];
  const own = path.child('secret');
  if (secret === '') return [...errors, required(own, 'secret is a mandatory field for a key')];
  const bytes = decodeBase64(secret);
  if (!bytes) return [...errors, invalidValue(own, 'REDACTED', 'secrets must be base64 encoded')];
  if (sizes.includes(bytes.length)) return errors;
  const expected = `expected one of [${sizes.join(' ')}]`;
  const why = `secret is not of the expected length, got ${bytes.length}, ${expected}`;
  return [...errors, invalidValue(own, 'REDACTED', why)];
}

export function timeoutMs({ timeout }: Pick<KmsConfig, 'timeout'>): number {
  return Number(parseGoDuration(timeout)) / 1e6;
}

/** Standard base64 with padding, line breaks ignored, as Go's decoder takes it. */
export function decodeBase64(text: string): Buffer | undefined {
  const plain = text.replace(/[\r\n]/g, '');
  return /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain)
    ? Buffer.from(plain, 'base64')
    : undefined;
}

function validateKms(kms: KmsConfig, path: FieldPath, names: ReadonlySet<string>, reload: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const { apiVersion, name, cachesize } = kms;
  const namePath = path.child('name');
  if (name === '') errors.push(required(namePath, 'name is a mandatory field for a provider'));
  if (apiVersion !== 'v1' && name.includes(':'))
    errors.push(invalidValue(namePath, name, `invalid KMS provider name ${name}, must not contain ':'`));
  if ((reload || apiVersion !== 'v1') && names.has(name))
    errors.push(invalidValue(namePath, name, `duplicate KMS provider name ${name}, names must be unique`));
  if (timeoutMs(kms) <= 0)
    errors.push(invalidValue(path.child('timeout'), kms.timeout, 'timeout should be a positive value'));
  append(errors, validateEndpoint(kms.endpoint, path.child('endpoint')));
  const cachePath = path.child('cachesize');
  if (apiVersion !== 'v1' && cachesize !== undefined)
    errors.push(invalidValue(cachePath, cachesize, 'cachesize is not supported in v2'));
  if (apiVersion === 'v1' && cachesize === 0)
    errors.push(invalidValue(cachePath, cachesize, 'cachesize should be a positive value, or negative to disable'));
  if (apiVersion !== 'v1' && apiVersion !== 'v2') {
    const why = 'unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported';
    errors.push(invalidValue(path.child('apiVersion'), apiVersion, why));
  }
  return errors;
}

function validateEndpoint(endpoint: string, path: FieldPath): FieldError[] {
  if (endpoint === '') return [invalidValue(path, '', 'endpoint is a mandatory field for a kms')];
  const wrong = /%(?![0-9A-Fa-f]{2}).{0,2}/.exec(endpoint)?.[0];
  if (wrong !== undefined) {
    const why = `parse ${goQuote(endpoint)}: invalid URL escape ${goQuote(wrong)}`;
    return [invalidValue(path, endpoint, `invalid endpoint for kms provider, error: ${why}`)];
  }
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(endpoint)?.[1]?.toLowerCase() ?? '';
  if (scheme === 'unix') return [];
  const why = `unsupported scheme ${goQuote(scheme)} for KMS provider, only unix is supported`;
  return [invalidValue(path, endpoint, why)];
}
