/**
 * In which order, and how many at a time, watchers of one change are told that something waits for them. Those on one
 * connection have one turn, so that what they write leaves as one; after so many the event loop has a turn, so that the
 * first are sent, and read, while the next are written, and nothing else waits for all of a thousand. Events are queued
 * before, all at once: this only says when they are looked at.
 *
 * Worked example, two a turn: watchers a1 b1 a2 c1 b2 a3 of connections a, b and c, one change. Now: a1 a2 a3. Next
 * turn: b1 b2. Then: c1. Of a connection with more than eight (four times as many as a turn has), eight have a turn.
 */

const watchersATurn = 64;
/** A connection that has so many times as many is cut. */
const wholeTurns = 4;

/** See the file header. One a resource. */
export class WakeTurns {
  readonly #perTurn: number;
  /** Called in the order in which their connections came first. */
  #waiting = new Map<object, Array<() => void>>();
  #scheduled = false;

  constructor(perTurn: number = watchersATurn) {
    this.#perTurn = perTurn;
  }

  /** Has `wake` called by {@link run} or a later turn; `connection` says with whom. */
  add(connection: object, wake: () => void): void {
    const others = this.#waiting.get(connection);
    if (others) others.push(wake);
    else this.#waiting.set(connection, [wake]);
  }

  /** Wakes the first now, unless their turn is coming anyway, and the others in turns of the event loop. */
  run(): void {
    if (!this.#scheduled) this.#turn();
  }

  #turn(): void {
    const most = this.#perTurn * wholeTurns;
    let woken = 0;
    for (const [connection, wakes] of this.#waiting) {
      if (woken >= this.#perTurn) break;
      const now = wakes.length <= most ? wakes : wakes.splice(0, most);
      if (now === wakes) this.#waiting.delete(connection);
      woken += now.length;
      for (const wake of now) wake();
    }
    this.#scheduled = this.#waiting.size > 0;
    if (this.#scheduled) setImmediate(() => this.#turn());
  }
}
