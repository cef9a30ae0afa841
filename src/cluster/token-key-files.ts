/**
 * The keys of ServiceAccounts' tokens: `sa.key` signs, and those whose public halves stand in `sa-previous.pub` are
 * believed, for as long as the file is there: tokens in Secrets have no end, so nothing takes it away by itself.
 * Upstream: --service-account-signing-key-file and --service-account-key-file, which need a restart.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createTokenKey, publicKeyPem } from '#pki';
import { writeFileAtomically } from './state-dir.ts';

export const tokenKeyFiles = { signing: 'sa.key', former: 'sa-previous.pub' } as const;

/** A new key in `dir` signs from now on; tokens of those before are believed. Throws when there is no key yet. */
export async function rotateTokenKey(dir: string): Promise<void> {
  const [signing, former] = [join(dir, tokenKeyFiles.signing), join(dir, tokenKeyFiles.former)];
  const before = existsSync(former) ? readFileSync(former, 'utf8') : '';
  const now = publicKeyPem(readFileSync(signing, 'utf8'));
  if (!before.includes(now)) writeFileAtomically(former, now + before, 0o644);
  writeFileAtomically(signing, await createTokenKey());
}

/** Tokens of the keys before `sa.key` are believed no more. */
export function dropFormerTokenKeys(dir: string): void {
  rmSync(join(dir, tokenKeyFiles.former), { force: true });
}
