/**
 * Files of one volume that hide each other: two keys at one path, or a path below another.
 * Upstream: pkg/api/pod/warnings.go (warningsForOverlappingVirtualPaths).
 */
import { goQuote } from '#apimachinery';
import type { Volume, VolumeProjection } from '../types.ts';

interface Source {
  readonly path: string;
  readonly from: string;
}

type Items = ReadonlyArray<{ readonly path?: string }> | undefined;

const show = ({ path, from }: Source): string => (from === '' ? goQuote(path) : `${goQuote(path)} (${from})`);
const paths = (items: Items, from: string): Source[] => (items ?? []).map(item => ({ path: item.path ?? '', from }));

function collide(a: string, b: string): boolean {
  return `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);
}

/** By index: the pattern for it takes hours over a path of nothing but slashes. */
function withoutEndingSlashes(path: string): string {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end--;
  return path.slice(0, end);
}

/** Each source that meets one before it, as `path with path`. */
function overlaps(sources: readonly Source[], seen: Source[] = []): string[] {
  return sources.flatMap(each => {
    const source = { ...each, path: withoutEndingSlashes(each.path) };
    const found = seen.filter(other => source.path !== '' && other.path !== '' && collide(other.path, source.path));
    seen.push(source);
    return found.map(other => `${show(source)} with ${show(other)}`);
  });
}

function projected({ configMap, secret, downwardAPI, ...source }: VolumeProjection): Source[] {
  if (configMap?.items) return paths(configMap.items, `ConfigMap ${goQuote(configMap.name ?? '')}`);
  if (secret?.items) return paths(secret.items, `Secret ${goQuote(secret.name ?? '')}`);
  if (downwardAPI?.items) return paths(downwardAPI.items, 'DownwardAPI');
  const { serviceAccountToken, clusterTrustBundle: bundle, podCertificate } = source;
  if (serviceAccountToken) return [{ path: serviceAccountToken.path ?? '', from: 'ServiceAccountToken' }];
  if (bundle) {
    const name = bundle.name ?? bundle.signerName ?? '';
    return [{ path: bundle.path ?? '', from: `ClusterTrustBundle ${goQuote(name)}` }];
  }
  const files = [
    { path: podCertificate?.certificateChainPath ?? '', from: 'PodCertificate chain' },
    { path: podCertificate?.keyPath ?? '', from: 'PodCertificate key' },
    { path: podCertificate?.credentialBundlePath ?? '', from: 'PodCertificate credential bundle' },
  ];
  return files.filter(({ path }) => path !== '');
}

function projectionWarnings(name: string, sources: readonly VolumeProjection[]): string[] {
  const seen: Source[] = [];
  return sources.flatMap(source => {
    if (Object.keys(source).length === 0) return [`volume ${goQuote(name)} (Projected) has no sources provided`];
    return overlaps(projected(source), seen).map(text => tell(name, 'Projected', text));
  });
}

function tell(name: string, kind: string, text: string): string {
  return `volume ${goQuote(name)} (${kind}): overlapping paths: ${text}`;
}

export function virtualPathWarnings(volumes: readonly Volume[]): string[] {
  return volumes.flatMap(({ name = '', configMap, secret, downwardAPI, projected: projection }) => {
    const kinds: [string, Items][] = [
      [`ConfigMap ${goQuote(configMap?.name ?? '')}`, configMap?.items],
      [`Secret ${goQuote(secret?.secretName ?? '')}`, secret?.items],
      ['DownwardAPI', downwardAPI?.items],
    ];
    const own = kinds.flatMap(([kind, items]) => overlaps(paths(items, '')).map(text => tell(name, kind, text)));
    return [...own, ...projectionWarnings(name, projection?.sources ?? [])];
  });
}
