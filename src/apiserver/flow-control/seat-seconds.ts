/**
 * Work as a whole number of 10⁻⁸ seat-seconds, in which sums are exact up to 2⁵³. The progress meter of a queue set
 * counts in it and is wound back before it gets there. Upstream: apiserver pkg/util/flowcontrol/request/seat_seconds.go.
 */

/** See the file header. */
export type SeatSeconds = number;

const scale = 1e8;

/** How far a progress meter is wound back, and from which reading on. */
export const epoch: SeatSeconds = 2 ** 52;
export const highReading: SeatSeconds = epoch + epoch / 2;

export function seatsTimesDuration(seats: number, durationMs: number): SeatSeconds {
  return Math.round(seats * durationMs * (scale / 1000));
}

/** Milliseconds that `seats` take for the work. */
export function durationPerSeat(work: SeatSeconds, seats: number): number {
  return work / seats / (scale / 1000);
}

export function toSeconds(work: SeatSeconds): number {
  return work / scale;
}

/** `1.50000000ss`. */
export function seatSecondsText(work: SeatSeconds): string {
  const whole = Math.floor(work / scale);
  return `${whole}.${String(work - whole * scale).padStart(8, '0')}ss`;
}
