/**
 * Which certificate requests the cluster's own signers take. Upstream: pkg/apis/certificates/helpers.go,
 * pkg/controller/certificates/signer/signer.go.
 */
import type { CertificateSigningRequest } from '#api/types';
import { requestedNames, requestSubject } from '#pki';

export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
const clientSigner = 'kubernetes.io/kube-apiserver-client';
const legacySigner = 'kubernetes.io/legacy-unknown';
const kubeletServingSigner = 'kubernetes.io/kubelet-serving';

const nodesGroup = 'system:nodes';
const nodePrefix = 'system:node:';

export const pemOf = (request: CertificateSigningRequest): string =>
  Buffer.from(request.spec.request, 'base64').toString('latin1');

export function hasCondition(request: CertificateSigningRequest, type: string): boolean {
  return request.status?.conditions?.some(each => each.type === type && each.status === 'True') ?? false;
}

/** True for `required` with or without key encipherment, which only RSA keys need. */
function usagesAre(usages: readonly string[], required: string): boolean {
  const rest = new Set(usages);
  rest.delete('key encipherment');
  return rest.size === 2 && rest.has('digital signature') && rest.has(required);
}

const usagesText = (required: string): string =>
  `usages did not match [${['digital signature', 'key encipherment', required].sort().join(' ')}]`;

function nodeProblem(pem: string): string | undefined {
  const { commonName, organizations } = requestSubject(pem);
  if (organizations.length !== 1 || organizations[0] !== nodesGroup) return 'subject organization is not system:nodes';
  return commonName.startsWith(nodePrefix) ? undefined : 'subject common name does not begin with system:node:';
}

function kubeletClientProblem(pem: string, usages: readonly string[]): string | undefined {
  const node = nodeProblem(pem);
  if (node?.startsWith('subject organization')) return node;
  const names = requestedNames(pem);
  if (names.dns > 0) return 'DNS subjectAltNames are not allowed';
  if (names.email > 0) return 'Email subjectAltNames are not allowed';
  if (names.ip > 0) return 'IP subjectAltNames are not allowed';
  if (names.uri > 0) return 'URI subjectAltNames are not allowed';
  return node ?? (usagesAre(usages, 'client auth') ? undefined : usagesText('client auth'));
}

function kubeletServingProblem(pem: string, usages: readonly string[]): string | undefined {
  const node = nodeProblem(pem);
  if (node?.startsWith('subject organization')) return node;
  const names = requestedNames(pem);
  if (names.dns + names.ip === 0) return 'DNS or IP subjectAltName is required';
  if (names.email > 0) return 'Email subjectAltNames are not allowed';
  if (names.uri > 0) return 'URI subjectAltNames are not allowed';
  return usagesAre(usages, 'server auth') ? node : usagesText('server auth');
}

function clientProblem(_pem: string, usages: readonly string[]): string | undefined {
  const wrong = usages.find(usage => !['digital signature', 'key encipherment', 'client auth'].includes(usage));
  if (wrong !== undefined) return `invalid usage for client certificate: ${wrong}`;
  return usages.includes('client auth') ? undefined : 'missing required usage for client certificate: client auth';
}

const problems: ReadonlyMap<string, (pem: string, usages: readonly string[]) => string | undefined> = new Map([
  [kubeletClientSigner, kubeletClientProblem],
  [clientSigner, clientProblem],
  [kubeletServingSigner, kubeletServingProblem],
  // Of clients from before there were signer names: nothing is asked of it, and nobody approves it by itself.
  [legacySigner, () => undefined],
]);

export const isOwnSigner = (signerName: string): boolean => problems.has(signerName);

/** Why a request of one of the cluster's own signers is not certified; undefined when it is. */
export function signingProblem({ spec }: CertificateSigningRequest): string | undefined {
  const pem = Buffer.from(spec.request, 'base64').toString('latin1');
  return problems.get(spec.signerName)?.(pem, spec.usages ?? []);
}

/** A kubelet asks for a certificate to speak to the API with. */
export function isKubeletClientRequest(request: CertificateSigningRequest): boolean {
  return request.spec.signerName === kubeletClientSigner && signingProblem(request) === undefined;
}

/** … and is that node already. */
export function isOwnKubeletRequest(request: CertificateSigningRequest): boolean {
  return isKubeletClientRequest(request) && request.spec.username === requestSubject(pemOf(request)).commonName;
}
