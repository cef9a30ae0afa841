/**
 * `--service-account-signing-key-file` and `--service-account-key-file`, beside or instead of the keys that the cluster
 * has of its own. Upstream: pkg/controlplane/apiserver/options/options.go, client-go util/keyutil.
 */
import { UserError } from '#base';
import { loadTokenKeys, type TokenKeys } from '#pki';
import type { AuthenticationOptions } from '../options.ts';
import { readText } from '../read-text.ts';

/**
 * The keys that sign and verify. Throws a UserError for a file that
 * cannot be read or holds no key.
 */
export function tokenKeysOf(
  own: TokenKeys | undefined,
  {
    serviceAccountSigningKeyFile: signing,
    serviceAccountKeyFiles: accepted = [],
  }: Pick<AuthenticationOptions, 'serviceAccountSigningKeyFile' | 'serviceAccountKeyFiles'>,
): TokenKeys | undefined {
  const texts = accepted.map(readText);
  try {
    if (signing === undefined) return texts.length > 0 ? own?.alsoAccepting(texts) : own;
    return loadTokenKeys(readText(signing), texts);
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    const where = signing === undefined ? accepted.join(', ') : signing;
    throw new UserError(`failed to parse service-account-issuer-key-file: ${where}: ${(cause as Error).message}`, {
      cause,
    });
  }
}
