/**
 * `--encryption-provider-config`: `apiserver.config.k8s.io/v1 EncryptionConfiguration`, read strictly, with upstream's
 * defaults and refusals. Upstream: apiserver pkg/apis/apiserver/v1/{types_encryption,defaults}.go and loadConfig in
 * pkg/server/options/encryptionconfig/config.go.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { decodeConfiguration } from '#apimachinery';
import { goFileError, UserError } from '#base';
import { apiServerKinds } from '../configuration/kinds.ts';
import { validateEncryptionConfig } from './validation.ts';

export interface EncryptionKey {
  readonly name: string;
  /** Base64. */
  readonly secret: string;
}

export interface KeysConfig {
  readonly keys: readonly EncryptionKey[];
}

export interface KmsConfig {
  readonly apiVersion: string;
  readonly name: string;
  readonly endpoint: string;
  readonly cachesize?: number;
  /** A Go duration. */
  readonly timeout: string;
}

/** Exactly one of them, once validated. */
export interface ProviderConfig {
  readonly aesgcm?: KeysConfig;
  readonly aescbc?: KeysConfig;
  readonly secretbox?: KeysConfig;
  readonly identity?: object;
  readonly kms?: KmsConfig;
}

export interface ResourceConfig {
  /** As `secrets`, `deployments.apps`, `*.apps`, `*.`, `*.*`. */
  readonly resources: readonly string[];
  readonly providers: readonly ProviderConfig[];
}

export interface EncryptionConfig {
  readonly resources: readonly ResourceConfig[];
}

/** The file's bytes and their hash, by which a change is noticed without keeping keys about. Throws a plain Error. */
export function loadEncryptionFile(path: string): { readonly data: Buffer; readonly hash: string } {
  const name = JSON.stringify(path);
  let data: Buffer;
  try {
    data = readFileSync(path);
  } catch (cause) {
    const why = goFileError(cause, path);
    throw new Error(`error reading encryption provider configuration file ${name}: ${why}`, { cause });
  }
  if (data.length === 0) throw new Error(`encryption provider configuration file ${name} is empty`);
  return { data, hash: `sha256:${createHash('sha256').update(data).digest('hex')}` };
}

/** What the file says, validated. Throws a UserError with upstream's text, never with a secret. */
export function readEncryptionConfig(
  path: string,
  reload: boolean,
): { readonly config: EncryptionConfig; readonly hash: string } {
  const problem = (why: string): UserError => new UserError(`error while parsing file: ${why}`);
  let file: ReturnType<typeof loadEncryptionFile>;
  try {
    file = loadEncryptionFile(path);
  } catch (error) {
    throw problem(`error while loading file: ${(error as Error).message}`);
  }
  let config: EncryptionConfig;
  try {
    config = decode(file.data);
  } catch (error) {
    if (error instanceof UnexpectedKind) throw problem(error.message);
    const why = (error as Error).message;
    throw problem(`error decoding encryption provider configuration file ${JSON.stringify(path)}: ${why}`);
  }
  const errors = validateEncryptionConfig(config, reload).map(each => `${each.field}: ${each.body}`);
  if (errors.length > 0) throw problem(errors.length === 1 ? errors[0]! : `[${[...new Set(errors)].join(', ')}]`);
  return { config, hash: file.hash };
}

class UnexpectedKind extends Error {}

function decode(data: Uint8Array): EncryptionConfig {
  const { value, goType, apiVersion, kind } = decodeConfiguration(data, apiServerKinds, { shown: withoutSecrets });
  if (goType !== '*apiserver.EncryptionConfiguration') {
    throw new UnexpectedKind(`got unexpected config type: ${apiVersion}, Kind=${kind}`);
  }
  return withDefaults(value as Partial<EncryptionConfig>);
}

/** Deviation: upstream shows the whole file when it has no kind; here no line that may hold a secret is shown. */
function withoutSecrets(source: string): string {
  return /\bsecret\b/.test(source) ? '[REDACTED]' : source;
}

function withDefaults({ resources = [] }: Partial<EncryptionConfig>): EncryptionConfig {
  const withKeys = (given: KeysConfig | undefined): KeysConfig | undefined =>
    given && { keys: (given.keys ?? []).map(({ name = '', secret = '' }) => ({ name, secret })) };
  return {
    resources: resources.map(each => ({
      resources: each.resources ?? [],
      providers: (each.providers ?? []).map(provider => ({
        ...provider,
        ...(provider.aesgcm && { aesgcm: withKeys(provider.aesgcm)! }),
        ...(provider.aescbc && { aescbc: withKeys(provider.aescbc)! }),
        ...(provider.secretbox && { secretbox: withKeys(provider.secretbox)! }),
        ...(provider.kms && { kms: kmsDefaults(provider.kms) }),
      })),
    })),
  };
}

function kmsDefaults(given: Partial<KmsConfig>): KmsConfig {
  const apiVersion = given.apiVersion || 'v1';
  const cachesize = given.cachesize ?? (apiVersion === 'v1' ? 1000 : undefined);
  const { name = '', endpoint = '', timeout = '3s' } = given;
  return { apiVersion, name, endpoint, timeout, ...(cachesize !== undefined && { cachesize }) };
}
