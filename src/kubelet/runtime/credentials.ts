/**
 * Image names and the registry credentials in pull secrets. Pure. Upstream: pkg/util/parsers/parsers.go,
 * distribution/reference, pkg/credentialprovider/{config,keyring}.go.
 */
import type { AuthConfig } from '#cri';
import type { Secret } from '../api-objects.ts';

const component = '[a-z0-9]+(?:(?:[._]|__|[-]*)[a-z0-9]+)*';
const domainPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${domainPart}(?:\\.${domainPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const grammar = new RegExp(
  `^((?:(${domain})/)?${component}(?:/${component})*)(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);

/** The name with a tag, and the repository with its registry; or why it is no image name. */
export function parseImageName(image: string): { reference: string; repository: string } | string {
  const wrong = (why: string): string => `couldn't parse image name "${image}": ${why}`;
  if (/^[a-f0-9]{64}$/.test(image)) {
    return wrong(`invalid repository name (${image}), cannot specify 64-byte hexadecimal strings`);
  }
  const match = grammar.exec(normalized(image));
  if (!match) {
    const upper = /[A-Z]/.test(image.split(':')[0]!.split('/').slice(1).join('/') || image.split(':')[0]!);
    return wrong(upper ? 'invalid reference format: repository name must be lowercase' : 'invalid reference format');
  }
  const [, repository, , tag, digest] = match;
  return { reference: tag || digest ? image : `${image}:latest`, repository: repository! };
}

/** With a registry in front: `nginx` is `docker.io/library/nginx`. */
function normalized(image: string): string {
  const slash = image.indexOf('/');
  const first = image.slice(0, slash);
  const hasDomain = slash > 0 && (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  if (!hasDomain) return `docker.io/${slash < 0 ? 'library/' : ''}${image}`;
  const rest = image.slice(slash + 1);
  if (first === 'index.docker.io') return `docker.io/${rest.includes('/') ? '' : 'library/'}${rest}`;
  return first === 'docker.io' && !rest.includes('/') ? `docker.io/library/${rest}` : image;
}

interface DockerAuth {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** All that fit the repository, those for the longest name first. */
export function lookupCredentials(secrets: readonly Secret[], repository: string): AuthConfig[] {
  const found: Array<{ key: string; auth: AuthConfig }> = [];
  for (const secret of secrets) {
    for (const [key, auth] of Object.entries(authsOf(secret))) {
      const place = key
        .replace(/^https?:\/\//, '')
        .replace(/\/$/, '')
        .replace(/\/v[12]$/, '');
      if (matches(place, repository)) found.push({ key: place, auth: authConfig(place, auth) });
    }
  }
  return found.sort((a, b) => b.key.length - a.key.length).map(({ auth }) => auth);
}

function authsOf(secret: Secret): Readonly<Record<string, DockerAuth>> {
  const read = (key: string): Record<string, unknown> | undefined => {
    const value = secret.data?.[key];
    if (value === undefined) return undefined;
    try {
      return JSON.parse(Buffer.from(value, 'base64').toString('utf8')) as Record<string, unknown>;
    } catch {
      return undefined;
    }
  };
  if (secret.type === 'kubernetes.io/dockerconfigjson') {
    return (read('.dockerconfigjson')?.['auths'] ?? {}) as Record<string, DockerAuth>;
  }
  if (secret.type === 'kubernetes.io/dockercfg') return (read('.dockercfg') ?? {}) as Record<string, DockerAuth>;
  return {};
}

function authConfig(serverAddress: string, { username, password, auth, ...tokens }: DockerAuth): AuthConfig {
  const decoded = auth ? Buffer.from(auth, 'base64').toString('utf8') : '';
  const colon = decoded.indexOf(':');
  return {
    username: username ?? decoded.slice(0, Math.max(0, colon)),
    password: password ?? decoded.slice(colon + 1),
    serverAddress,
    ...(tokens.identitytoken && { identityToken: tokens.identitytoken }),
    ...(tokens.registrytoken && { registryToken: tokens.registrytoken }),
  };
}

/** Host by host part with `*`, port exactly, path as a prefix. */
function matches(place: string, repository: string): boolean {
  const docker = place === 'index.docker.io' || place === 'registry-1.docker.io';
  const [wantHost = '', ...wantPath] = (docker ? 'docker.io' : place).split('/');
  const [host = '', ...path] = repository.split('/');
  const [wantName = '', wantPort] = wantHost.split(':');
  const [name = '', port] = host.split(':');
  if (wantPort !== port) return false;
  const wantParts = wantName.split('.');
  const parts = name.split('.');
  if (wantParts.length !== parts.length) return false;
  const glob = (pattern: string, text: string): boolean =>
    new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(text);
  return wantParts.every((part, at) => glob(part, parts[at]!)) && path.join('/').startsWith(wantPath.join('/'));
}
