/**
 * Which flags of authentication do not go together. Upstream: pkg/kubeapiserver/options/authentication.go Validate,
 * apiserver pkg/server/options/authentication.go Validate.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { AuthenticationOptions } from '#apiserver';
import { UserError } from '#base';
import type { GivenFlags } from './flag.ts';

const hourSeconds = 3600;

/** Throws a UserError with all that is wrong, as upstream prints it. */
export function checkOptions(given: GivenFlags, options: AuthenticationOptions): void {
  const problems = [
    ...oidcProblems(options),
    ...issuerProblems(given.all('service-account-issuer')),
    ...jwksProblems(options.serviceAccountJwksUri),
    ...headerProblems(given),
    ...overlapProblems(options),
    ...expirationProblems(options.serviceAccountMaxExpirationSeconds),
  ];
  if (problems.length > 0) throw new UserError(problems.length === 1 ? problems[0]! : `[${problems.join(', ')}]`);
}

function oidcProblems({ oidc, configFile }: AuthenticationOptions): string[] {
  if (!oidc) return [];
  if (configFile !== undefined) return ['authentication-config file and oidc-* flags are mutually exclusive'];
  const isWhole = oidc.issuerUrl !== '' && oidc.clientId !== '';
  return isWhole ? [] : ['oidc-issuer-url and oidc-client-id must be specified together when any oidc-* flags are set'];
}

function issuerProblems(issuers: readonly string[]): string[] {
  const seen = new Set<string>();
  return issuers.flatMap(issuer => {
    if (issuer === '') return ['service-account-issuer should not be an empty string'];
    if (issuer.includes(':') && !URL.canParse(issuer)) {
      return [`service-account-issuer ${JSON.stringify(issuer)} contained a ':' but was not a valid URL`];
    }
    if (seen.has(issuer)) return [`service-account-issuer ${JSON.stringify(issuer)} is already specified`];
    seen.add(issuer);
    return [];
  });
}

function jwksProblems(uri: string | undefined): string[] {
  if (uri === undefined || uri.startsWith('https:')) return [];
  return [`service-account-jwks-uri requires https scheme, parsed as: ${uri}`];
}

const headerFlags = ['username-headers', 'group-headers', 'extra-headers-prefix', 'allowed-names', 'uid-headers'];

function headerProblems(given: GivenFlags): string[] {
  const problems = headerFlags
    .map(name => `requestheader-${name}`)
    .filter(name => given.all(name).some(text => text !== '' && text.split(',').some(each => each.trim() === '')))
    .map(name => `empty value in ${JSON.stringify(name)}`);
  const uids = given.list('requestheader-uid-headers') ?? [];
  if (uids.length > 0 && !uids.some(name => name.toLowerCase() === 'x-remote-uid')) {
    problems.push(
      '--requestheader-uid-headers is set without specifying the standard X-Remote-Uid header - API aggregation will not work',
    );
  }
  return problems;
}

/** A certificate that anybody may have must not make its bearer a front proxy. */
function overlapProblems({ clientCaFile, requestHeader }: AuthenticationOptions): string[] {
  if (clientCaFile === undefined || !requestHeader || requestHeader.allowedNames.length > 0) return [];
  const clients = certificatesIn(clientCaFile);
  const overlaps = certificatesIn(requestHeader.clientCaFile).some(each => clients.includes(each));
  if (!overlaps) return [];
  return [
    '--requestheader-client-ca-file and --client-ca-file contain overlapping certificates; --requestheader-allowed-names must be specified to ensure regular client certificates cannot set authenticating proxy headers for arbitrary users',
  ];
}

/** Fingerprints; what cannot be read is somebody else's to refuse. */
function certificatesIn(path: string): string[] {
  try {
    const blocks = readFileSync(path, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g);
    return (blocks ?? []).map(block => new X509Certificate(block).fingerprint256);
  } catch {
    return [];
  }
}

function expirationProblems(seconds: number | undefined): string[] {
  if (seconds === undefined || seconds === 0 || (seconds >= hourSeconds && seconds <= 2 ** 32)) return [];
  return ['the service-account-max-token-expiration must be between 1 hour and 2^32 seconds'];
}
