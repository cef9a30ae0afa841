/**
 * `--cert-dir`: the directory that holds `apiserver.crt` and `apiserver.key`. A pair that somebody put there is shown by
 * the API; otherwise the cluster's own is written there, followed by its authority, for clients that look for it.
 * Upstream: apiserver pkg/server/options/serving.go MaybeDefaultWithSelfSignedCerts.
 * Deviation: what is made is of the cluster's authority, and made anew with it; upstream's signs itself, once.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServingSettings } from '../flags/settings.ts';
import type { ClusterPki } from '../pki-files.ts';
import type { PkiKeeper } from '../pki-keeper.ts';
import { writeFileAtomically } from '../state-dir.ts';
import type { PairFiles } from './serving-files.ts';

const none: ServingSettings = { files: { sni: [] } };

/** The settings with what the directory holds; keeps the cluster's own pair there up to date where it holds nothing. */
export function withCertDir(dir: string, settings: ServingSettings = none, pki: PkiKeeper): ServingSettings {
  if (settings.files.pair) return settings;
  const pair = { cert: join(dir, 'apiserver.crt'), key: join(dir, 'apiserver.key') };
  if (isOfOthers(pair, pki.current)) return { ...settings, files: { ...settings.files, pair } };
  mkdirSync(dir, { recursive: true });
  writePair(pair, pki.current);
  pki.onChange(now => writePair(pair, now));
  return settings;
}

/** Whether both are there and not of this cluster. */
function isOfOthers({ cert, key }: PairFiles, { trustedPem }: ClusterPki): boolean {
  if (!existsSync(cert) || !existsSync(key)) return false;
  const shown = new X509Certificate(readFileSync(cert));
  return !authorities(trustedPem).some(authority => shown.checkIssued(authority) && shown.verify(authority.publicKey));
}

function authorities(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    each => new X509Certificate(each),
  );
}

function writePair({ cert, key }: PairFiles, { apiServer, trustedPem }: ClusterPki): void {
  writeFileAtomically(key, apiServer.keyPem);
  writeFileAtomically(cert, apiServer.certPem + trustedPem, 0o644);
}
