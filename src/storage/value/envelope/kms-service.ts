/**
 * Calls to a KMS v2 plug-in over its unix socket. Upstream: apiserver
 * pkg/storage/value/encrypt/envelope/kmsv2/grpc_service.go and kms/apis/v2/api.proto.
 */
import { connect } from 'node:net';
import type { Clock } from '#base';
import { type GrpcMethod, grpcSocket } from '../../grpc-socket.ts';
import type { Table } from '../../wire.ts';
import type { EnvelopeMetrics } from '../metrics.ts';
import { bytesMap, fromEntries, type KeySource, toEntries } from './encrypted-object.ts';

export interface KmsStatus {
  readonly version: string;
  readonly healthz: string;
  readonly keyId: string;
}

export type KmsAnswer = Pick<KeySource, 'keyId' | 'annotations'> & { readonly ciphertext: Uint8Array };

/** What a plug-in can be asked. Rejects with a GrpcError. */
export interface KmsService extends Disposable {
  status(): Promise<KmsStatus>;
  encrypt(uid: string, plaintext: Uint8Array): Promise<KmsAnswer>;
  decrypt(uid: string, source: KeySource): Promise<Uint8Array>;
}

export interface KmsServiceOptions {
  /** As in the configuration: `unix:///run/kms.sock`. */
  readonly endpoint: string;
  readonly providerName: string;
  readonly timeoutMs: number;
}

const text = (number: number) => ({ number, kind: 'text' }) as const;
const bytes = (number: number) => ({ number, kind: 'bytes' }) as const;

const method = (name: string, request: Table, response: Table): GrpcMethod => ({
  path: `/v2.KeyManagementService/${name}`,
  request,
  response,
});

/** The service's methods as tables; a test's plug-in serves them by the same. */
export const kmsMethods: Readonly<Record<'status' | 'encrypt' | 'decrypt', GrpcMethod>> = {
  status: method('Status', {}, { version: text(1), healthz: text(2), keyId: text(3) }),
  decrypt: method(
    'Decrypt',
    { ciphertext: bytes(1), uid: text(2), keyId: text(3), annotations: bytesMap(4) },
    { plaintext: bytes(1) },
  ),
  encrypt: method(
    'Encrypt',
    { plaintext: bytes(1), uid: text(2) },
    { ciphertext: bytes(1), keyId: text(2), annotations: bytesMap(3) },
  ),
};

/** Nothing is dialled yet. */
export async function kmsService(
  { clock, metrics }: { readonly clock: Clock; readonly metrics: EnvelopeMetrics },
  { endpoint, providerName, timeoutMs }: KmsServiceOptions,
): Promise<KmsService> {
  const path = socketPath(endpoint);
  const socket = await grpcSocket(
    { clock },
    {
      path,
      timeoutMs,
      called: (method, tookMs, code) => metrics.called(providerName, method.path, tookMs, code),
      whyLate: () => whyLate(path),
    },
  );
  return {
    status: async () => (await socket.call(kmsMethods.status, {})) as unknown as KmsStatus,
    async encrypt(uid, plaintext) {
      const answer = await socket.call(kmsMethods.encrypt, { plaintext, uid });
      return { ...answer, annotations: fromEntries(answer['annotations']) } as unknown as KmsAnswer;
    },
    async decrypt(uid, { encryptedKey: ciphertext, keyId, annotations }) {
      const request = { ciphertext, uid, keyId, annotations: toEntries(annotations) };
      return (await socket.call(kmsMethods.decrypt, request))['plaintext'] as Uint8Array;
    },
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}

/** The path in an endpoint. Deviation: sockets of Linux's abstract namespace (`unix:///@name`) are not supported. */
function socketPath(endpoint: string): string {
  const path = new URL(endpoint).pathname;
  if (path.startsWith('/@')) throw new Error(`abstract sockets are not supported: ${JSON.stringify(endpoint)}`);
  return decodeURIComponent(path);
}

/** Why no answer came in time: nobody there, or somebody slow. */
async function whyLate(path: string): Promise<string> {
  const socket = connect(path);
  try {
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return 'context deadline exceeded';
  } catch (error) {
    const reasons: Record<string, string> = { ENOENT: 'no such file or directory', ECONNREFUSED: 'connection refused' };
    const { code = '', message } = error as NodeJS.ErrnoException;
    const why = `dial unix ${path}: connect: ${reasons[code] ?? message}`;
    return `latest balancer error: connection error: desc = "transport: Error while dialing: ${why}"`;
  } finally {
    socket.destroy();
  }
}
