/**
 * Somebody who signs tokens of ServiceAccounts on a unix socket, for tests: with one key, which can be replaced, and with
 * headers and keys that a test may spoil. Protocol: externaljwt/apis/v1/api.proto.
 */
import { type createPrivateKey, createSign, generateKeyPairSync } from 'node:crypto';
import { rmSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { decodeWire, encodeWire, type WireMessage } from '#storage';
import { signerMethods } from '../../src/apiserver/authentication/service-accounts/external-signer/signer-client.ts';

export interface JwtSigner extends AsyncDisposable {
  readonly path: string;
  readonly calls: { sign: number; fetchKeys: number; metadata: number };
  /** Signs with a new key from now on; those of before are still in what is fetched. */
  rotate(): void;
  /** What the header of the next tokens says besides, or instead. */
  header: Record<string, unknown>;
  maxTokenExpirationSeconds: number;
  /** Whether the present key is kept out of the OIDC documents. */
  isExcluded: boolean;
}

interface Key {
  readonly keyId: string;
  readonly privateKey: ReturnType<typeof createPrivateKey>;
  readonly key: Buffer;
}

export async function startJwtSigner(path: string): Promise<JwtSigner> {
  const keys: Key[] = [];
  const rotate = (): void => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = pair.publicKey.export({ format: 'der', type: 'spki' });
    keys.unshift({ keyId: `key-${keys.length + 1}`, privateKey: pair.privateKey, key });
  };
  rotate();
  const calls = { sign: 0, fetchKeys: 0, metadata: 0 };
  const server = new grpc.Server();
  const signer: JwtSigner = {
    path,
    calls,
    rotate,
    header: {},
    maxTokenExpirationSeconds: 7200,
    isExcluded: false,
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      rmSync(path, { force: true });
    },
  };
  const answers: Record<keyof typeof signerMethods, (request: WireMessage) => WireMessage> = {
    sign({ claims }) {
      calls.sign++;
      const [{ keyId, privateKey }] = keys as [Key];
      const fields = { alg: 'RS256', kid: keyId, typ: 'JWT', ...signer.header };
      const header = Buffer.from(JSON.stringify(fields)).toString('base64url');
      return { header, signature: createSign('sha256').update(`${header}.${claims}`).sign(privateKey, 'base64url') };
    },
    fetchKeys() {
      calls.fetchKeys++;
      return {
        keys: keys.map(({ keyId, key }, at) => ({
          keyId,
          key,
          ...(at === 0 && signer.isExcluded && { excludeFromOidcDiscovery: true }),
        })),
        dataTimestamp: { seconds: 1_700_000_000, nanos: 5 },
        refreshHintSeconds: 3600,
      };
    },
    metadata() {
      calls.metadata++;
      return { maxTokenExpirationSeconds: signer.maxTokenExpirationSeconds };
    },
  };
  const names = Object.keys(signerMethods) as Array<keyof typeof signerMethods>;
  server.addService(
    Object.fromEntries(
      names.map(name => {
        const { path: rpc, request, response } = signerMethods[name];
        const definition = {
          path: rpc,
          requestStream: false,
          responseStream: false,
          requestSerialize: (value: WireMessage) => encodeWire(request, value),
          requestDeserialize: (bytes: Buffer) => decodeWire(request, bytes),
          responseSerialize: (value: WireMessage) => encodeWire(response, value),
          responseDeserialize: (bytes: Buffer) => decodeWire(response, bytes),
        };
        return [name, definition];
      }),
    ),
    Object.fromEntries(
      names.map(name => [
        name,
        ({ request }: { request: WireMessage }, done: grpc.sendUnaryData<WireMessage>) =>
          done(null, answers[name](request)),
      ]),
    ),
  );
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), error =>
      error ? reject(error) : resolve(),
    );
  });
  return signer;
}
