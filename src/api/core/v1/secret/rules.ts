/** Secrets. Upstream: pkg/apis/core/{v1,validation}, pkg/registry/core/secret/strategy.go. */
import {
  append,
  type FieldError,
  FieldPath,
  InputError,
  invalidValue,
  isConfigMapKey,
  readJson,
  required,
  type TypeNode,
  tooLong,
} from '#apimachinery';
import type { KindRules } from '../../../kind.ts';
import type { Secret } from '../../../types.ts';
import { checkImmutable, type Errors, refuseEach, sortedKeys } from '../../../validation/common.ts';
import { base64Length, immutableData, maxDataBytes } from '../config-map/rules.ts';

const dataPath = FieldPath.of('data');
const accountKey = 'kubernetes.io/service-account.name';

const objectNode: TypeNode = { kind: 'map', element: { kind: 'any' } };

/** Go's complaint about what is no JSON object; undefined when it is one. */
function jsonRefusal(text: Uint8Array): string | undefined {
  try {
    readJson(text, objectNode);
    return undefined;
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

function checkConfig(errors: Errors, secret: Secret, key: string): void {
  const text = secret.data?.[key];
  const at = dataPath.key(key);
  if (text === undefined) {
    errors.push(required(at));
    return;
  }
  const refusal = jsonRefusal(Buffer.from(text, 'base64'));
  if (refusal) errors.push(invalidValue(at, '<secret contents redacted>', refusal));
}

function checkType(errors: Errors, secret: Secret): void {
  const { data = {} } = secret;
  const need = (key: string): void => {
    if (data[key] === undefined) errors.push(required(dataPath.key(key)));
  };
  switch (secret.type) {
    case 'kubernetes.io/service-account-token':
      if (!secret.metadata.annotations?.[accountKey]) {
        errors.push(required(FieldPath.of('metadata', 'annotations').key(accountKey)));
      }
      break;
    case 'kubernetes.io/dockercfg':
      checkConfig(errors, secret, '.dockercfg');
      break;
    case 'kubernetes.io/dockerconfigjson':
      checkConfig(errors, secret, '.dockerconfigjson');
      break;
    case 'kubernetes.io/basic-auth':
      if (data['username'] === undefined && data['password'] === undefined) {
        need('username');
        need('password');
      }
      break;
    case 'kubernetes.io/ssh-auth':
      if (!data['ssh-privatekey']) errors.push(required(dataPath.key('ssh-privatekey')));
      break;
    case 'kubernetes.io/tls':
      need('tls.crt');
      need('tls.key');
      break;
    default:
  }
}

function validate(secret: Secret, old: Secret | null): FieldError[] {
  const errors: Errors = [];
  if (old) checkImmutable(errors, FieldPath.of('type'), secret.type ?? '', old.type ?? '');
  append(errors, immutableData(secret, old));
  let size = 0;
  for (const key of sortedKeys(secret.data)) {
    refuseEach(errors, dataPath.key(key), key, isConfigMapKey(key));
    size += base64Length(secret.data![key]!);
  }
  if (size > maxDataBytes) errors.push(tooLong(dataPath, maxDataBytes));
  checkType(errors, secret);
  return errors;
}

export const secretRules: KindRules<Secret> = {
  defaults(draft) {
    if (!draft.type) draft.type = 'Opaque';
    // stringData is write-only: it is merged into data when the object is read.
    for (const [key, text] of Object.entries(draft.stringData ?? {})) {
      (draft.data ??= {})[key] = Buffer.from(text).toString('base64');
    }
    delete draft.stringData;
  },
  prepareUpdate(draft, old) {
    if (!draft.type && old.type) draft.type = old.type;
  },
  validate,
  selectableFields: { names: ['type'], read: secret => ({ type: secret.type ?? '' }) },
  allowUnconditionalUpdate: true,
};
