/**
 * Calls to whoever signs tokens of ServiceAccounts in place of this server, over its unix socket. Upstream:
 * externaljwt/apis/v1/api.proto, pkg/serviceaccount/externaljwt/{plugin,metrics}.
 */
import type { Clock, Counter, Histogram, MetricsRegistry } from '#base';
import { GrpcError, type GrpcMethod, grpcSocket, type WireMessage, type WireTable } from '#storage';

export interface SignerKey {
  readonly keyId: string;
  /** SPKI, DER. */
  readonly key: Uint8Array;
  /** Only for tokens of before. */
  readonly excludeFromOidcDiscovery: boolean;
}

export interface SignerKeys {
  readonly keys: readonly SignerKey[];
  readonly dataTimestamp?: { readonly seconds: number; readonly nanos: number };
  readonly refreshHintSeconds: number;
}

/** What it can be asked. Rejects with a GrpcError. */
export interface SignerClient extends Disposable {
  /** `claims`: the payload in base64url; header and signature likewise. */
  sign(claims: string): Promise<{ readonly header: string; readonly signature: string }>;
  fetchKeys(): Promise<SignerKeys>;
  metadata(): Promise<{ readonly maxTokenExpirationSeconds: number }>;
}

const text = (number: number) => ({ number, kind: 'text' }) as const;
const int = (number: number) => ({ number, kind: 'int' }) as const;

const method = (name: string, request: WireTable, response: WireTable): GrpcMethod => ({
  path: `/v1.ExternalJWTSigner/${name}`,
  request,
  response,
});

const key: WireTable = {
  keyId: text(1),
  key: { number: 2, kind: 'bytes' },
  excludeFromOidcDiscovery: { number: 3, kind: 'bool' },
};

/** The service's methods as tables; a test's signer serves them by the same. */
export const signerMethods: Readonly<Record<'sign' | 'fetchKeys' | 'metadata', GrpcMethod>> = {
  sign: method('Sign', { claims: text(1) }, { header: text(1), signature: text(2) }),
  fetchKeys: method(
    'FetchKeys',
    {},
    {
      keys: { number: 1, kind: key, repeated: true },
      dataTimestamp: { number: 2, kind: { seconds: int(1), nanos: int(2) }, optional: true },
      refreshHintSeconds: int(3),
    },
  ),
  metadata: method('Metadata', {}, { maxTokenExpirationSeconds: int(1) }),
};

const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const prefix = 'apiserver_externaljwt_';

export class SignerMetrics {
  readonly durations: Histogram;
  readonly signed: Counter;
  readonly fetched: Counter;
  readonly #fetchedAt: { set(value: number): void };
  readonly #dataAt: { set(value: number): void };

  constructor(metrics: MetricsRegistry) {
    this.durations = metrics.histogram(
      `${prefix}request_duration_seconds`,
      '[ALPHA] Request duration and time for calls to external-jwt-signer',
      buckets,
    );
    this.signed = metrics.counter(`${prefix}sign_request_total`, '[ALPHA] Total attempts at signing JWT');
    this.fetched = metrics.counter(
      `${prefix}fetch_keys_request_total`,
      '[ALPHA] Total attempts at syncing supported JWKs',
    );
    this.#fetchedAt = metrics.gauge(
      `${prefix}fetch_keys_success_timestamp`,
      '[ALPHA] Unix Timestamp in seconds of the last successful FetchKeys request',
    );
    this.#dataAt = metrics.gauge(
      `${prefix}fetch_keys_data_timestamp`,
      '[ALPHA] Unix Timestamp in seconds of the last successful FetchKeys data_timestamp value returned by the external signer',
    );
  }

  keysOf(dataSeconds: number, nowSeconds: number): void {
    this.#dataAt.set(dataSeconds);
    this.#fetchedAt.set(nowSeconds);
  }
}

/** How metrics name what came of a call. */
export function outcomeOf(error: unknown): string {
  if (error === undefined) return 'OK';
  return error instanceof GrpcError ? error.grpcCode : 'unknown-non-grpc';
}

const timeoutMs = 60_000;

/** Nothing is dialled yet. `endpoint` is the socket's path, or `@name`. */
export async function signerClient(
  endpoint: string,
  { clock, metrics }: { readonly clock: Clock; readonly metrics: SignerMetrics },
): Promise<SignerClient> {
  const socket = await grpcSocket(
    { clock },
    {
      path: endpoint,
      timeoutMs,
      called: ({ path: method }, tookMs, code) => metrics.durations.observe(tookMs / 1000, { method, code }),
    },
  );
  const call = async <T>(method: GrpcMethod, message: WireMessage): Promise<T> =>
    (await socket.call(method, message)) as T;
  return {
    sign: claims => call(signerMethods.sign, { claims }),
    fetchKeys: () => call(signerMethods.fetchKeys, {}),
    metadata: () => call(signerMethods.metadata, {}),
    [Symbol.dispose]: () => socket[Symbol.dispose](),
  };
}
