/**
 * Average, deviation and extremes of a value over time. Upstream: apiserver
 * pkg/util/flowcontrol/fairqueuing/integrator.go.
 */

export interface Integral {
  readonly durationSeconds: number;
  /** Weighted by time; NaN when no time has passed. */
  readonly average: number;
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
}

/** See the file header. Times are monotonic milliseconds and never go back. */
export class Integrator {
  #lastMs: number;
  #value = 0;
  #seconds = 0;
  #sum = 0;
  #squares = 0;
  #min = 0;
  #max = 0;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  set(value: number, nowMs: number): void {
    this.#advance(nowMs);
    this.#value = value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  /** What was seen since the last reset; begins anew with the present value. */
  reset(nowMs: number): Integral {
    this.#advance(nowMs);
    const average = this.#sum / this.#seconds;
    const variance = Math.max(0, this.#squares / this.#seconds - average * average);
    const integral: Integral = {
      durationSeconds: this.#seconds,
      average,
      deviation: Math.sqrt(variance),
      min: this.#min,
      max: this.#max,
    };
    this.#seconds = this.#sum = this.#squares = 0;
    this.#min = this.#max = this.#value;
    return integral;
  }

  #advance(nowMs: number): void {
    const seconds = (nowMs - this.#lastMs) / 1000;
    this.#lastMs = nowMs;
    this.#seconds += seconds;
    this.#sum += this.#value * seconds;
    this.#squares += this.#value * this.#value * seconds;
  }
}
