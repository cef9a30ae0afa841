/**
 * One KMS v2 plug-in as the server follows it: its health, its present key, and the seed to write with. A failing plug-in
 * leaves the last seed in use for three minutes; after that writes are refused until it answers again. Upstream:
 * kmsv2PluginProbe in apiserver pkg/server/options/encryptionconfig/config.go.
 */
import { randomBytes } from 'node:crypto';
import { formatTime } from '#apimachinery';
import type { Logger } from '#base';
import { seededGcmTransformer, seedSize } from '../aes.ts';
import { hashOf } from '../metrics.ts';
import { aggregate, type Transformer } from '../transformer.ts';
import { checkKeySource, type KeySource, keyIdProblem, keySourceTypes } from './encrypted-object.ts';
import { type EnvelopeDeps, type EnvelopeState, envelopeTransformer } from './envelope.ts';
import type { KmsService, KmsStatus } from './kms-service.ts';

const pollMs = 60_000;
const failingPollMs = 10_000;
const maxWriteMs = 180_000;
const healthyForMs = 20_000;
const failingForMs = 3000;
const versions = ['v2', 'v2beta1'];

/** See the file header. Closes `service` when `signal` aborts. */
export class KmsPlugin {
  readonly name: string;
  readonly transformer: Transformer;
  readonly #deps: EnvelopeDeps & { readonly logger: Logger };
  readonly #service: KmsService;
  readonly #signal: AbortSignal;
  #state: EnvelopeState | undefined;
  #version = '';
  #last: { readonly problem: Error | undefined; readonly untilMs: number } | undefined;
  #checking: Promise<Error | undefined> | undefined;

  constructor(
    deps: EnvelopeDeps & { readonly logger: Logger },
    service: KmsService,
    name: string,
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#service = service;
    this.name = name;
    this.#signal = signal;
    this.transformer = envelopeTransformer(deps, service, name, () => this.#current());
    signal.addEventListener('abort', () => service[Symbol.dispose](), { once: true });
  }

  /** Asks once, so that a plug-in that is there can be used at once; goes on asking until the signal aborts. */
  async start(): Promise<void> {
    const problem = await this.#probe();
    void this.#poll(problem);
  }

  /** Why it cannot be relied on; undefined when it can. What was heard lately is said again. */
  check(): Promise<Error | undefined> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(): Promise<Error | undefined> {
    const { clock } = this.#deps;
    if (this.#last && clock.monotonicMs() < this.#last.untilMs) return this.#last.problem;
    const heard = (problem: Error | undefined): void => {
      this.#last = { problem, untilMs: clock.monotonicMs() + (problem ? failingForMs : healthyForMs) };
    };
    let status: KmsStatus;
    try {
      status = await this.#service.status();
    } catch (cause) {
      const error = cause as Error;
      heard(error);
      const text = `failed to perform status section of the healthz check for KMS Provider ${this.name}, error: ${error.message}`;
      return new Error(text, { cause });
    }
    const problem = await this.#judge(status);
    heard(problem);
    return problem;
  }

  async #judge(status: KmsStatus): Promise<Error | undefined> {
    const errors: Error[] = [];
    if (status.healthz !== 'ok') errors.push(new Error(`got unexpected healthz status: ${status.healthz}`));
    if (!versions.includes(status.version)) {
      errors.push(new Error(`expected KMSv2 API version v2, got ${status.version}`));
    } else {
      this.#version ||= status.version;
      if (this.#version !== status.version)
        errors.push(
          new Error(
            `KMSv2 API version should not change after the initial status response version ${this.#version}, got ${status.version}`,
          ),
        );
    }
    const wrong = keyIdProblem(status.keyId);
    if (wrong) {
      this.#deps.metrics.keyInvalid(this.name, wrong.code);
      errors.push(new Error(`got invalid KMSv2 KeyID hash ${JSON.stringify(hashOf(status.keyId))}: ${wrong.text}`));
    } else {
      this.#deps.metrics.keySeen(this.name, status.keyId);
      const failed = await this.#rotate(status.keyId);
      if (failed) errors.push(failed);
    }
    if (errors.length === 0) return undefined;
    return new Error(`kmsv2 Provider ${this.name} is not healthy, error: ${aggregate(errors).message}`);
  }

  /** Makes a seed under the plug-in's key if the present one is under another; else lets it be used for longer. */
  async #rotate(statusKeyId: string): Promise<Error | undefined> {
    const { random, clock } = this.#deps;
    const uid = random.uuid();
    const expiresMs = clock.now() + maxWriteMs;
    const before = this.#state;
    if (before?.source.keyId === statusKeyId) {
      this.#state = { ...before, expiresMs };
      return undefined;
    }
    let made: Omit<EnvelopeState, 'expiresMs'> | undefined;
    let problem: Error | undefined;
    try {
      made = await this.#generate(uid);
      if (made.source.keyId === statusKeyId) {
        this.#state = { ...made, expiresMs };
        return undefined;
      }
    } catch (error) {
      problem = error as Error;
    }
    const hash = (keyId = ''): string => JSON.stringify(hashOf(keyId));
    const errState = before ? '<nil>' : 'got unexpected nil transformer';
    const until = before ? formatTime(before.expiresMs) : '0001-01-01T00:00:00Z';
    return new Error(
      `failed to rotate DEK uid=${JSON.stringify(uid)}, useSeed=true, errState=${errState}, errGen=${problem?.message ?? '<nil>'}, statusKeyIDHash=${hash(statusKeyId)}, encryptKeyIDHash=${hash(made?.source.keyId)}, stateKeyIDHash=${hash(before?.source.keyId)}, expirationTimestamp=${until}`,
      { cause: problem },
    );
  }

  async #generate(uid: string): Promise<Omit<EnvelopeState, 'expiresMs'>> {
    const { transformations } = this.#deps;
    const begun = transformations.now();
    const seed = randomBytes(seedSize);
    transformations.keyGenerated(begun);
    const answer = await this.#service.encrypt(uid, seed).catch(cause => {
      throw new Error(`failed to encrypt DEK, error: ${cause.message}`, { cause });
    });
    const { ciphertext: encryptedKey, keyId, annotations } = answer;
    const source: KeySource = { type: keySourceTypes.seed, encryptedKey, keyId, annotations };
    checkKeySource(source);
    return { source, transformer: seededGcmTransformer(seed) };
  }

  #current(): EnvelopeState {
    if (!this.#state) throw new Error('got unexpected nil transformer');
    return this.#state;
  }

  async #probe(): Promise<Error | undefined> {
    const problem = await this.check();
    if (problem && !this.#signal.aborted)
      this.#deps.logger.error('kms plugin failed health check probe', { name: this.name, error: problem });
    return problem;
  }

  async #poll(first: Error | undefined): Promise<void> {
    for (let problem = first; ; ) {
      try {
        await this.#deps.clock.sleep(problem ? failingPollMs : pollMs, this.#signal);
      } catch {
        return;
      }
      problem = await this.#probe();
    }
  }
}
