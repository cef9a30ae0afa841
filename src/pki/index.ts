/** The pki layer's face: the cluster's certificate authority and the keys of its tokens. */
export {
  type Authority,
  type CertificateRequest,
  certificateCovers,
  certificateIdentity,
  createAuthority,
  createTokenKey,
  type ExtendedUsage,
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
export { type JsonWebKey, loadTokenKeys, type TokenClaims, type TokenKeys } from './token.ts';
