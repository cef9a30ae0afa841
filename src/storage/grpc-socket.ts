/**
 * Unary calls of gRPC over a unix socket: how KMS plug-ins and external signers are asked. Messages are tables of
 * wire.ts. Upstream dials them with grpc-go.
 */
import type * as grpc from '@grpc/grpc-js';
import { type Clock, systemClock } from '#base';
import { decode, encode, type Message, type Table } from './wire.ts';

export interface GrpcMethod {
  /** As `/v2.KeyManagementService/Status`. */
  readonly path: string;
  readonly request: Table;
  readonly response: Table;
}

/** A call failed; the message is as Go's gRPC gives it. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError';
  /** As Go spells it: `DeadlineExceeded`. */
  readonly grpcCode: string;

  constructor(grpcCode: string, details: string) {
    super(`rpc error: code = ${grpcCode} desc = ${details}`);
    this.grpcCode = grpcCode;
  }
}

export interface GrpcSocket extends Disposable {
  /** The answer. Waits for somebody to listen. Rejects with a {@link GrpcError}, `DeadlineExceeded` when time is up. */
  call(method: GrpcMethod, message: Message): Promise<Message>;
}

export interface GrpcSocketOptions {
  /** Of the socket; `@name` is one without a file, in Linux's abstract namespace. */
  readonly path: string;
  readonly timeoutMs: number;
  /** After each call; `code` is Go's, `OK` included. */
  readonly called: (method: GrpcMethod, tookMs: number, code: string) => void;
  /** What to say of a call that was not answered in time; gRPC's own words when absent. */
  readonly whyLate?: () => Promise<string>;
}

/** By number, as Go spells them. */
const codes = [
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

/** Nothing is dialled yet. Loads the gRPC library, which only few configurations need. */
export async function grpcSocket(
  { clock }: { readonly clock: Clock },
  { path, timeoutMs, called, whyLate }: GrpcSocketOptions,
): Promise<GrpcSocket> {
  const { Client, credentials, Metadata } = (await import('@grpc/grpc-js')).default;
  const target = path.startsWith('@') ? `unix-abstract:${path.slice(1)}` : `unix:${path}`;
  const channel = new Client(target, credentials.createInsecure(), { 'grpc.default_authority': 'localhost' });
  const metadata = new Metadata({ waitForReady: true });

  const answer = (method: GrpcMethod, message: Message): Promise<Message> => {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const done: grpc.requestCallback<Message> = (error, value) => (error ? reject(error) : resolve(value!));
    channel.makeUnaryRequest(
      method.path,
      (value: Message) => encode(method.request, value),
      (value: Buffer) => decode(method.response, value),
      message,
      metadata,
      // gRPC keeps its deadline by real time, like every socket.
      { deadline: systemClock.now() + timeoutMs },
      done,
    );
    return promise;
  };

  return {
    async call(method, message) {
      const begunMs = clock.monotonicMs();
      const ended = (code: string): void => called(method, clock.monotonicMs() - begunMs, code);
      try {
        const value = await answer(method, message);
        ended('OK');
        return value;
      } catch (cause) {
        const { code: number, details } = cause as grpc.ServiceError;
        const code = codes[number] ?? 'Unknown';
        ended(code);
        throw new GrpcError(code, code === 'DeadlineExceeded' && whyLate ? await whyLate() : details);
      }
    },
    [Symbol.dispose]: () => channel.close(),
  };
}
