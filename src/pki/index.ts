/** The pki layer's face: the cluster's certificate authority and the keys of its tokens. */
export {
  type Authority,
  type CertificateRequest,
  certificateCovers,
  createAuthority,
  createCertificateRequest,
  createTokenKey,
  type ExtendedUsage,
  isOfFormerKey,
  type KeyPair,
  type KeyUsage,
  loadAuthority,
  publicKeyPem,
  type SignOptions,
} from './authority.ts';
export {
  type RequestedNames,
  type RequestSubject,
  requestedNames,
  requestProblem,
  requestSubject,
} from './certificate-request.ts';
export {
  type CertificateBundle,
  type CertificateSubject,
  certificateSubject,
  clientCertificateProblem,
  parseBundle,
} from './client-certificate.ts';
export {
  type CompactJws,
  compactSigner,
  jsonObject,
  MalformedToken,
  parseCompactJws,
  signatureAlgorithms,
  signatureProblem,
  type TokenClaims,
} from './jws.ts';
export {
  followingTokenKeys,
  type JsonWebKey,
  loadTokenKeys,
  publicTokenKeys,
  type TokenKeys,
  type TokenVerdict,
} from './token.ts';
export { fixedTrust, type TrustBundle } from './trust-bundle.ts';
