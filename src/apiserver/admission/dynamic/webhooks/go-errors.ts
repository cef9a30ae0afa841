/** Failures of connections in the words of Go's net, crypto/tls and x509 packages: clients match on them. */
import { isIP } from 'node:net';
import type { PeerCertificate } from 'node:tls';

interface SystemError extends Error {
  readonly code?: string;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  readonly cert?: PeerCertificate;
  readonly host?: string;
  /** What could not be parsed. */
  readonly rawPacket?: Buffer;
}

const refusals: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  EACCES: 'permission denied',
};

const unknownAuthority = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_UNTRUSTED',
  'CERT_SIGNATURE_FAILURE',
]);

function verification(code: string, error: SystemError, now: Date): string | undefined {
  const time = (date: Date): string => `${date.toISOString().slice(0, 19)}Z`;
  if (unknownAuthority.has(code)) return 'x509: certificate signed by unknown authority';
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const expired = code === 'CERT_HAS_EXPIRED';
    const limit = expired ? error.cert?.valid_to : error.cert?.valid_from;
    const when = limit ? `: current time ${time(now)} is ${expired ? 'after' : 'before'} ${time(new Date(limit))}` : '';
    return `x509: certificate has expired or is not yet valid${when}`;
  }
  if (code !== 'ERR_TLS_CERT_ALTNAME_INVALID') return undefined;
  return wrongName((error.cert?.subjectaltname ?? '').split(', ').filter(Boolean), error.host ?? '');
}

/** Names and addresses are told apart: only those of the host's own sort are said. */
function wrongName(names: readonly string[], host: string): string {
  const sort = isIP(host) ? 'IP Address:' : 'DNS:';
  const said = names.filter(name => name.startsWith(sort)).map(name => name.slice(sort.length));
  if (said.length > 0) return `x509: certificate is valid for ${said.join(', ')}, not ${host}`;
  if (isIP(host)) return `x509: cannot validate certificate for ${host} because it doesn't contain any IP SANs`;
  if (names.length > 0) return `x509: certificate is not valid for any names, but wanted to match ${host}`;
  return 'x509: certificate relies on legacy Common Name field, use SANs instead';
}

/** An answer that is no HTTP. */
function malformed({ rawPacket }: SystemError): string {
  const [line = ''] = (rawPacket?.toString('latin1') ?? '').split(/\r?\n/, 1);
  return `net/http: HTTP/1.x transport connection broken: malformed HTTP response ${JSON.stringify(line)}`;
}

/** What Go's client would say of the same failure. */
export function goNetworkError(failure: unknown, now: Date): string {
  const error = (failure instanceof AggregateError ? failure.errors[0] : failure) as SystemError;
  const { code = '', address, port } = error;
  const where = address?.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const refused = refusals[code];
  if (refused !== undefined && address !== undefined) return `dial tcp ${where}: connect: ${refused}`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `dial tcp: lookup ${error.hostname ?? ''}: no such host`;
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return error.message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
  if (code.startsWith('HPE_')) return malformed(error);
  const untrusted = verification(code, error, now);
  if (untrusted !== undefined) return `tls: failed to verify certificate: ${untrusted}`;
  if (/wrong version number|packet length too long|http request/i.test(error.message)) {
    return 'http: server gave HTTP response to HTTPS client';
  }
  return error.message;
}
