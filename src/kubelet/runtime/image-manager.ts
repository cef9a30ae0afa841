/**
 * Makes sure that a container's image is there: pull policy, credentials, back-off, events.
 * Upstream: pkg/kubelet/images/image_manager.go, pkg/credentialprovider/{config,keyring}.go.
 *
 * Deviation: an image that is present is not checked again with the pod's own credentials.
 */
import type { ObjectReference } from '#api/types';
import type { Clock } from '#base';
import type { EventRecorder } from '#client';
import type { AuthConfig, ContainerEngine } from '#cri';
import type { Pod, Secret } from '../api-objects.ts';
import { BackOff } from '../back-off.ts';
import type { Busy } from '../busy.ts';
import { formatDuration } from '../pod-helpers.ts';
import { lookupCredentials, parseImageName } from './credentials.ts';
import { messageOf, StartError } from './start-error.ts';

export interface EnsureImage {
  readonly about: ObjectReference;
  readonly pod: Pod;
  readonly image: string;
  readonly policy: string;
  readonly secrets: readonly Secret[];
  readonly runtimeHandler: string;
  readonly signal?: AbortSignal;
  readonly busy: Busy;
}

const firstBackOffMs = 10_000;
const maxBackOffMs = 300_000;

export class ImageManager {
  readonly #engine: ContainerEngine;
  readonly #clock: Clock;
  readonly #recorder: EventRecorder;
  readonly #backOff: BackOff;
  readonly #lastErrors = new Map<string, string>();
  readonly #slots: number;
  #pulling = 0;
  readonly #waiting: Array<() => void> = [];

  constructor(deps: { engine: ContainerEngine; clock: Clock; recorder: EventRecorder; slots: number }) {
    this.#engine = deps.engine;
    this.#clock = deps.clock;
    this.#recorder = deps.recorder;
    this.#slots = deps.slots;
    this.#backOff = new BackOff(deps.clock, firstBackOffMs, maxBackOffMs);
  }

  /** Answers the reference to create the container with. Throws StartError. */
  async ensure(request: EnsureImage): Promise<string> {
    const { about, policy } = request;
    const parsed = parseImageName(request.image);
    if (typeof parsed === 'string') {
      const message = `Failed to apply default image tag "${request.image}": ${parsed}`;
      this.#recorder.eventAbout(about, 'Warning', 'InspectFailed', message);
      throw new StartError('InvalidImageName', message);
    }
    if (policy !== 'Always') {
      const present = await this.#inspect(request, parsed.reference);
      if (present) return present;
    }
    return this.#pull(request, parsed.reference, parsed.repository);
  }

  async #inspect({ about, image, policy, runtimeHandler }: EnsureImage, reference: string): Promise<string> {
    let found: string | undefined;
    try {
      found = (await this.#engine.images.imageStatus({ image: reference, runtimeHandler }))?.id;
    } catch (cause) {
      const message = `Failed to inspect image "": ${messageOf(cause)}`;
      this.#recorder.eventAbout(about, 'Warning', 'InspectFailed', message);
      throw new StartError('ImageInspectError', message, { cause });
    }
    if (found) {
      const message = `Container image "${image}" already present on machine and can be accessed by the pod`;
      this.#recorder.eventAbout(about, 'Normal', 'Pulled', message);
      return found;
    }
    if (policy !== 'Never') return '';
    const message = `Container image "${image}" is not present with pull policy of Never`;
    this.#recorder.eventAbout(about, 'Warning', 'ErrImageNeverPull', message);
    throw new StartError('ErrImageNeverPull', message);
  }

  async #pull(request: EnsureImage, reference: string, repository: string): Promise<string> {
    const { about, image, pod } = request;
    const key = `${pod.metadata.uid}_${image}`;
    const retryAtMs = this.#backOff.endOfBackOff(key);
    if (retryAtMs !== undefined) {
      const message = `Back-off pulling image "${image}"`;
      this.#recorder.eventAbout(about, 'Normal', 'BackOff', message);
      const last = this.#lastErrors.get(key);
      throw new StartError('ImagePullBackOff', last ? `${message}: ${last}` : message, { retryAtMs });
    }
    this.#lastErrors.delete(key);
    this.#recorder.eventAbout(about, 'Normal', 'Pulling', `Pulling image "${image}"`);
    const beganMs = this.#clock.monotonicMs();
    try {
      const { id, pullMs } = await request.busy.wait(this.#pullWithAny(request, reference, repository));
      const waitedMs = Math.trunc(this.#clock.monotonicMs() - beganMs);
      const sizeBytes = (await this.#engine.images.imageStatus({ image: id }))?.sizeBytes ?? 0;
      const took = `${formatDuration(pullMs)} (${formatDuration(waitedMs)} including waiting)`;
      const message = `Successfully pulled image "${image}" in ${took}. Image size: ${sizeBytes} bytes.`;
      this.#recorder.eventAbout(about, 'Normal', 'Pulled', message);
      return id;
    } catch (cause) {
      if (request.signal?.aborted) throw cause;
      const text = messageOf(cause);
      this.#recorder.eventAbout(about, 'Warning', 'Failed', `Failed to pull image "${image}": ${text}`);
      this.#backOff.next(key, this.#clock.now());
      this.#lastErrors.set(key, `ErrImagePull: ${text}`);
      throw new StartError('ErrImagePull', text, { cause });
    }
  }

  async #pullWithAny(
    { secrets, signal, runtimeHandler }: EnsureImage,
    reference: string,
    repository: string,
  ): Promise<{ id: string; pullMs: number }> {
    const credentials: Array<AuthConfig | undefined> = lookupCredentials(secrets, repository);
    if (credentials.length === 0) credentials.push(undefined);
    await this.#slot();
    const beganMs = this.#clock.monotonicMs();
    let failure: unknown;
    try {
      for (const auth of credentials) {
        try {
          const id = await this.#engine.images.pullImage({ image: reference, runtimeHandler }, auth, signal);
          return { id, pullMs: Math.trunc(this.#clock.monotonicMs() - beganMs) };
        } catch (cause) {
          failure = cause;
          if (signal?.aborted) break;
        }
      }
      throw failure;
    } finally {
      this.#pulling--;
      this.#waiting.shift()?.();
    }
  }

  async #slot(): Promise<void> {
    while (this.#pulling >= this.#slots) await new Promise<void>(resolve => this.#waiting.push(resolve));
    this.#pulling++;
  }

  /** Forgets a pod that is gone. */
  forgetPod(uid: string): void {
    this.#backOff.forget(`${uid}_`);
    for (const key of this.#lastErrors.keys()) if (key.startsWith(`${uid}_`)) this.#lastErrors.delete(key);
  }
}
