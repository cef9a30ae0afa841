/**
 * A KMS v2 plug-in on a unix socket for tests: keys in memory, one of which is present; it can be slow, sick, and gone.
 * Protocol: kms/apis/v2/api.proto.
 */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import grpc from '@grpc/grpc-js';
import { kmsMethods } from '#storage';
import { decode, encode, type Message } from '../../src/storage/wire.ts';

export interface KmsPluginServer extends AsyncDisposable {
  readonly endpoint: string;
  /** What Status says; `keyId` is also what is encrypted with. */
  readonly status: { version: string; healthz: string; keyId: string };
  /** Annotations to give with what is encrypted. */
  annotations: Record<string, Uint8Array>;
  /** It takes calls and never answers. */
  hangs: boolean;
  /** How often each method was called. */
  readonly calls: { status: number; encrypt: number; decrypt: number };
  /** As if its process had ended; keys are kept. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

const secretOf = (keyId: string): Buffer => createHash('sha256').update(`key of ${keyId}`).digest();

export async function startKmsPlugin(path: string): Promise<KmsPluginServer> {
  const status = { version: 'v2', healthz: 'ok', keyId: 'key-1' };
  const calls = { status: 0, encrypt: 0, decrypt: 0 };
  let server: grpc.Server | undefined;
  const handle = (answer: (message: Message) => Message): ReturnType<typeof handler> =>
    handler(message => (plugin.hangs ? undefined : answer(message)));
  const plugin: KmsPluginServer = {
    endpoint: `unix://${path}`,
    status,
    annotations: { 'how.kms.example.com': Buffer.from('aes') },
    calls,
    hangs: false,
    async stop() {
      server?.forceShutdown();
      server = undefined;
      rmSync(path, { force: true });
    },
    async start() {
      rmSync(path, { force: true });
      server = new grpc.Server();
      server.addService(definition(), {
        status: handle(() => {
          calls.status++;
          return status;
        }),
        encrypt: handle(({ plaintext }) => {
          calls.encrypt++;
          const nonce = randomBytes(12);
          const cipher = createCipheriv('aes-256-gcm', secretOf(status.keyId), nonce);
          const sealed = [nonce, cipher.update(plaintext as Uint8Array), cipher.final(), cipher.getAuthTag()];
          const annotations = Object.entries(plugin.annotations).map(([key, value]) => ({ key, value }));
          return { ciphertext: Buffer.concat(sealed), keyId: status.keyId, annotations };
        }),
        decrypt: handle(({ ciphertext, keyId }) => {
          calls.decrypt++;
          const bytes = ciphertext as Uint8Array;
          const decipher = createDecipheriv('aes-256-gcm', secretOf(keyId as string), bytes.subarray(0, 12));
          decipher.setAuthTag(bytes.subarray(-16));
          return { plaintext: Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]) };
        }),
      });
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      server.bindAsync(`unix:${path}`, grpc.ServerCredentials.createInsecure(), error =>
        error ? reject(error) : resolve(),
      );
      await promise;
    },
    [Symbol.asyncDispose]: () => plugin.stop(),
  };
  await plugin.start();
  return plugin;
}

function definition(): grpc.ServiceDefinition {
  return Object.fromEntries(
    Object.entries(kmsMethods).map(([name, { path, request, response }]) => [
      name,
      {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: (message: Message) => encode(request, message),
        requestDeserialize: (bytes: Buffer) => decode(request, bytes),
        responseSerialize: (message: Message) => encode(response, message),
        responseDeserialize: (bytes: Buffer) => decode(response, bytes),
      },
    ]),
  );
}

/** An answer that is undefined never comes. */
function handler(answer: (message: Message) => Message | undefined): grpc.handleUnaryCall<Message, Message> {
  return ({ request }, callback) => {
    try {
      const message = answer(request);
      if (message) callback(null, message);
    } catch (error) {
      callback({ code: grpc.status.INVALID_ARGUMENT, details: (error as Error).message });
    }
  };
}
