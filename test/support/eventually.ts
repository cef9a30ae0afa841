/** Asks again and again until there is an answer, for what other processes and timers decide. */
import { systemClock } from '#base';

/** The first answer that is neither undefined nor false. Fails after ten seconds, saying what was waited for. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
): Promise<T> {
  const deadlineMs = systemClock.monotonicMs() + 10_000;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`it did not come to pass that ${what}`);
    await systemClock.sleep(50);
  }
}
