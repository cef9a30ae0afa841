/**
 * `--service-account-signing-key-file` and `--service-account-key-file`, beside or instead of the keys that the cluster
 * has of its own. Upstream: pkg/controlplane/apiserver/options/options.go, client-go util/keyutil.
 *
 * Deviation: the files are followed while the server runs; upstream's are read at its start.
 */
import { type Clock, type Logger, UserError, watchFile } from '#base';
import { followingTokenKeys, loadTokenKeys, type TokenKeys } from '#pki';
import type { AuthenticationOptions } from '../options.ts';
import { readText } from '../read-text.ts';

type KeyFiles = Pick<AuthenticationOptions, 'serviceAccountSigningKeyFile' | 'serviceAccountKeyFiles'>;

interface FileDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * The keys that sign and verify, as the files change; what cannot be read, or holds no key, changes nothing. Throws a
 * UserError when that is so at the beginning.
 */
export function tokenKeysOf(own: TokenKeys | undefined, files: KeyFiles, deps: FileDeps): TokenKeys | undefined {
  const { serviceAccountSigningKeyFile: signing, serviceAccountKeyFiles: accepted = [] } = files;
  const paths = [...(signing === undefined ? [] : [signing]), ...accepted];
  let current = readKeys(own, files);
  if (paths.length === 0 || !current) return current;
  const onChange = (): void => {
    try {
      const next = readKeys(own, files)!;
      if (JSON.stringify(next.jwks) === JSON.stringify(current?.jwks)) return;
      current = next;
      deps.logger.info('loaded new keys of service account tokens', { paths });
    } catch (error) {
      deps.logger.error('keys of service account tokens cannot be loaded; those before stay', { paths, error });
    }
  };
  for (const path of paths) watchFile(path, { ...deps, onChange });
  return followingTokenKeys(() => current!);
}

function readKeys(
  own: TokenKeys | undefined,
  { serviceAccountSigningKeyFile: signing, serviceAccountKeyFiles: accepted = [] }: KeyFiles,
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
