/**
 * Image references: `[domain/]path[:tag][@digest]`, normalised as Docker does (`busybox` is
 * `docker.io/library/busybox:latest`). Upstream: distribution/reference normalize.go.
 */
import { CriError } from '#cri';

export interface ImageReference {
  /** `docker.io`, `registry.example:5000`. */
  readonly domain: string;
  /** `library/busybox`. */
  readonly path: string;
  readonly tag?: string;
  /** `sha256:…`. */
  readonly digest?: string;
}

const pathPart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${pathPart}(?:/${pathPart})*$`);
const domainPattern =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

/** Takes a reference apart. Throws `invalid` with upstream's words. A tag is added only when neither tag nor digest is there. */
export function parseReference(text: string): ImageReference {
  const bad = (): CriError =>
    new CriError('invalid', `failed to parse image reference "${text}": invalid reference format`);
  const [name, digest, more] = text.split('@');
  if (!name || more !== undefined || (digest !== undefined && !digestPattern.test(digest))) throw bad();
  const slash = name.indexOf('/');
  const first = slash < 0 ? '' : name.slice(0, slash);
  const hasDomain = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const rest = hasDomain ? name.slice(slash + 1) : name;
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const path = colon < 0 ? rest : rest.slice(0, colon);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  const named = hasDomain ? (first === 'index.docker.io' ? 'docker.io' : first) : 'docker.io';
  const full = named === 'docker.io' && !path.includes('/') ? `library/${path}` : path;
  if (!domainPattern.test(named) || !pathPattern.test(full) || (tag !== undefined && !tagPattern.test(tag)))
    throw bad();
  return {
    domain: named,
    path: full,
    ...(tag !== undefined ? { tag } : digest === undefined ? { tag: 'latest' } : {}),
    ...(digest !== undefined ? { digest } : {}),
  };
}

/** `docker.io/library/busybox`. */
export function repositoryOf(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The whole reference in its normal form. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return `${repositoryOf(reference)}${tag}${reference.digest === undefined ? '' : `@${reference.digest}`}`;
}
