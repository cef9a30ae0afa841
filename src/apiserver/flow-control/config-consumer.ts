/**
 * Follows the configuration objects, puts what they say to work, and writes into each schema's status whether its level
 * exists. Two servers that see different levels would write against each other: no schema is written more than six
 * times a minute. Upstream: apiserver pkg/util/flowcontrol/apf_controller.go.
 */
import { formatTime } from '#apimachinery';
import type { Clock, Logger, Random, Timer } from '#base';
import type { Configuration, DanglingCondition } from './configuration.ts';
import type { FlowControlObjects, FlowControlWriter } from './objects.ts';

const fieldManager = 'api-priority-and-fairness-config-consumer-v1';
const adjustmentMs = 10_000;
const minuteMs = 60_000;
const maxWritesAMinute = 6;
const retryMs = 1000;

export interface ConsumerDeps {
  readonly objects: FlowControlObjects;
  readonly writer: FlowControlWriter;
  readonly configuration: Configuration;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export class ConfigConsumer {
  readonly #deps: ConsumerDeps;
  /** When each schema was written lately. */
  readonly #writes = new Map<string, number[]>();
  #running: Promise<void> | undefined;
  /** Something changed while a run was under way. */
  #again = false;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(deps: ConsumerDeps) {
    this.#deps = deps;
  }

  /** Reads the configuration, then follows it and moves limits until `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    await this.#sync();
    this.#deps.objects.follow(() => this.changed(), signal);
    const ticker = this.#deps.clock.setTicker(() => this.#deps.configuration.adjust(), adjustmentMs);
    const stop = (): void => {
      this.#stopped = true;
      ticker.cancel();
      this.#retry?.cancel();
    };
    signal.addEventListener('abort', stop, { once: true });
  }

  /** The objects are to be read anew. */
  changed(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    this.#running = this.#sync()
      .catch(error => {
        if (this.#stopped) return;
        this.#deps.logger.warn('flow control configuration is read again later', { error });
        this.#later(retryMs);
      })
      .finally(() => {
        this.#running = undefined;
        if (!this.#again) return;
        this.#again = false;
        this.changed();
      });
  }

  async #sync(): Promise<void> {
    const { objects, configuration, random } = this.#deps;
    const [levels, schemas] = await Promise.all([objects.levels(), objects.schemas()]);
    const conditions = configuration.digest(levels, schemas);
    const due = conditions.filter(({ schema }) => this.#mayWrite(schema));
    if (due.length < conditions.length) this.#later((30 + random.float() * 45) * 1000);
    await Promise.all(due.map(condition => this.#write(condition)));
  }

  #later(delayMs: number): void {
    this.#retry?.cancel();
    this.#retry = this.#deps.clock.setTimer(() => this.changed(), delayMs);
  }

  #mayWrite(schema: string): boolean {
    const since = this.#deps.clock.now() - minuteMs;
    const recent = (this.#writes.get(schema) ?? []).filter(at => at >= since);
    if (recent.length === 0) this.#writes.delete(schema);
    else this.#writes.set(schema, recent);
    return recent.length < maxWritesAMinute;
  }

  async #write({ schema, status, reason, message }: DanglingCondition): Promise<void> {
    const nowMs = this.#deps.clock.now();
    this.#writes.set(schema, [...(this.#writes.get(schema) ?? []), nowMs]);
    const condition = { type: 'Dangling', status, lastTransitionTime: formatTime(nowMs), reason, message };
    await this.#deps.writer.applyStatus(schema, { conditions: [condition] }, fieldManager);
  }
}
