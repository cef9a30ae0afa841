/**
 * The front proxy: who shows a certificate of its authority, by one of the allowed names, says in headers whom it
 * speaks for. From everybody else those headers are nothing but headers, and nobody's reach what is behind.
 * Upstream: apiserver pkg/authentication/request/headerrequest, pkg/endpoints/filters/authentication.go.
 */
import { headerValues, removeHeaders, type ServerRequest } from '../http/message.ts';
import { Refused, type RequestAuthenticator } from './authenticator.ts';
import type { CertificateVerifier } from './client-certificates.ts';
import { user } from './user.ts';

/** `--requestheader-*`: names as they were given, in order. */
export interface RequestHeaderConfig {
  readonly allowedNames: readonly string[];
  readonly usernameHeaders: readonly string[];
  readonly uidHeaders: readonly string[];
  readonly groupHeaders: readonly string[];
  readonly extraHeaderPrefixes: readonly string[];
}

/** The names that everybody uses, which are taken off whatever is configured. */
const standardHeaders: Omit<RequestHeaderConfig, 'allowedNames'> = {
  usernameHeaders: ['X-Remote-User'],
  uidHeaders: ['X-Remote-Uid'],
  groupHeaders: ['X-Remote-Group'],
  extraHeaderPrefixes: ['X-Remote-Extra-'],
};

const lower = (names: readonly string[]): string[] => names.map(name => name.toLowerCase());

/** Takes off what a front proxy may have set, whoever sent it. */
export function identityHeaderRemover(config?: RequestHeaderConfig): (request: ServerRequest) => void {
  const all = [standardHeaders, ...(config ? [config] : [])];
  const names = new Set(
    all.flatMap(each => lower([...each.usernameHeaders, ...each.uidHeaders, ...each.groupHeaders])),
  );
  const prefixes = all.flatMap(each => lower(each.extraHeaderPrefixes));
  return request => removeHeaders(request, name => names.has(name) || prefixes.some(prefix => name.startsWith(prefix)));
}

export function requestHeader(verifier: CertificateVerifier, config: RequestHeaderConfig): RequestAuthenticator {
  const names = {
    username: lower(config.usernameHeaders),
    uid: lower(config.uidHeaders),
    group: lower(config.groupHeaders),
    extra: lower(config.extraHeaderPrefixes),
  };
  const remove = identityHeaderRemover(config);
  return {
    async authenticate(request) {
      const { certificates } = request;
      if (!certificates || !verifier.trustsAnybody) return undefined;
      const { subject } = verifier.verify(certificates);
      if (config.allowedNames.length > 0 && !config.allowedNames.includes(subject.commonName)) {
        throw new Refused(`x509: subject with cn=${subject.commonName} is not in the allowed list`);
      }
      const name = firstOf(request, names.username);
      if (name === '') return undefined;
      const uid = firstOf(request, names.uid);
      const groups = names.group.flatMap(header => headerValues(request, header)).filter(group => group !== '');
      const extra = extraOf(request, names.extra);
      remove(request);
      return { user: user(name, groups, { uid, extra }) };
    },
  };
}

/** Of each header its first value, of several headers the first that has one. */
function firstOf(request: ServerRequest, names: readonly string[]): string {
  for (const name of names) {
    const [value] = headerValues(request, name);
    if (value) return value;
  }
  return '';
}

function extraOf(request: ServerRequest, prefixes: readonly string[]): Record<string, string[]> {
  const extra = new Map<string, string[]>();
  for (const prefix of prefixes) {
    for (const name of Object.keys(request.headers)) {
      if (!name.startsWith(prefix)) continue;
      const key = unescapeExtraKey(name.slice(prefix.length));
      extra.set(key, [...(extra.get(key) ?? []), ...headerValues(request, name)]);
    }
  }
  return Object.fromEntries(extra);
}

/** Header names cannot hold every character, so keys come percent-encoded; malformed ones stay as they are. */
export function unescapeExtraKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return encoded;
  }
}
