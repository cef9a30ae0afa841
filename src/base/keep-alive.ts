/** Timers of a {@link Clock} do not keep a process alive; a server that waits for nothing else must say that it lives. */

/** Keeps the process alive until disposed. */
export function keepProcessAlive(): Disposable {
  const { port1 } = new MessageChannel();
  port1.on('message', () => {});
  return { [Symbol.dispose]: () => port1.close() };
}
