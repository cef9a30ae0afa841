/**
 * Calls to a KMS v2 plug-in over its unix socket. Upstream: apiserver
 * pkg/storage/value/encrypt/envelope/kmsv2/grpc_service.go and kms/apis/v2/api.proto.
 */
import { connect } from 'node:net';
import type * as grpc from '@grpc/grpc-js';
import { type Clock, systemClock } from '#base';
import { decode, encode, type Message, type Table } from '../../wire.ts';
import type { EnvelopeMetrics } from '../metrics.ts';
import { bytesMap, fromEntries, type KeySource, toEntries } from './encrypted-object.ts';

export interface KmsStatus {
  readonly version: string;
  readonly healthz: string;
  readonly keyId: string;
}

export type KmsAnswer = Pick<KeySource, 'keyId' | 'annotations'> & { readonly ciphertext: Uint8Array };

/** What a plug-in can be asked. Rejects with a {@link KmsError}. */
export interface KmsService extends Disposable {
  status(): Promise<KmsStatus>;
  encrypt(uid: string, plaintext: Uint8Array): Promise<KmsAnswer>;
  decrypt(uid: string, source: KeySource): Promise<Uint8Array>;
}

/** A call failed; the message is as Go's gRPC gives it. */
export class KmsError extends Error {
  override readonly name = 'KmsError';
  /** As `DeadlineExceeded`. */
  readonly grpcCode: string;

  constructor(grpcCode: string, details: string) {
    super(`rpc error: code = ${grpcCode} desc = ${details}`);
    this.grpcCode = grpcCode;
  }
}

export interface KmsServiceOptions {
  /** As in the configuration: `unix:///run/kms.sock`. */
  readonly endpoint: string;
  readonly providerName: string;
  readonly timeoutMs: number;
}

const text = (number: number) => ({ number, kind: 'text' }) as const;
const bytes = (number: number) => ({ number, kind: 'bytes' }) as const;

export interface Method {
  readonly path: string;
  readonly request: Table;
  readonly response: Table;
}

const method = (name: string, request: Table, response: Table): Method => ({
  path: `/v2.KeyManagementService/${name}`,
  request,
  response,
});

/** The service's methods as tables; a test's plug-in serves them by the same. */
export const kmsMethods: Readonly<Record<'status' | 'encrypt' | 'decrypt', Method>> = {
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

const codeNames = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
];
const deadlineExceeded = 4;

/** Nothing is dialled yet. Loads the gRPC library, which only this provider needs. */
export async function kmsService(
  deps: { readonly clock: Clock; readonly metrics: EnvelopeMetrics },
  options: KmsServiceOptions,
): Promise<KmsService> {
  const { Client, credentials, Metadata } = (await import('@grpc/grpc-js')).default;
  const path = socketPath(options.endpoint);
  const channel = new Client(`unix:${path}`, credentials.createInsecure(), { 'grpc.default_authority': 'localhost' });
  const metadata = new Metadata({ waitForReady: true });

  const call = async (asked: Method, message: Message): Promise<Message> => {
    const begun = deps.clock.monotonicMs();
    const done = (code: string): void =>
      deps.metrics.called(options.providerName, asked.path, deps.clock.monotonicMs() - begun, code);
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const onAnswer: grpc.requestCallback<Message> = (error, value) => (error ? reject(error) : resolve(value!));
    channel.makeUnaryRequest(
      asked.path,
      (value: Message) => encode(asked.request, value),
      (value: Buffer) => decode(asked.response, value),
      message,
      metadata,
      // gRPC keeps its deadline by real time, like every socket.
      { deadline: systemClock.now() + options.timeoutMs },
      onAnswer,
    );
    try {
      const answer = await promise;
      done('OK');
      return answer;
    } catch (error) {
      const { code, details } = error as grpc.ServiceError;
      const name = codeNames[code] ?? 'Unknown';
      done(name);
      throw new KmsError(name, code === deadlineExceeded ? await whyLate(path) : details);
    }
  };

  return {
    status: async () => (await call(kmsMethods.status, {})) as unknown as KmsStatus,
    async encrypt(uid, plaintext) {
      const answer = await call(kmsMethods.encrypt, { plaintext, uid });
      return { ...answer, annotations: fromEntries(answer['annotations']) } as unknown as KmsAnswer;
    },
    async decrypt(uid, { encryptedKey: ciphertext, keyId, annotations }) {
      const request = { ciphertext, uid, keyId, annotations: toEntries(annotations) };
      return (await call(kmsMethods.decrypt, request))['plaintext'] as Uint8Array;
    },
    [Symbol.dispose]: () => channel.close(),
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
