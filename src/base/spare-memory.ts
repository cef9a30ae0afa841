/**
 * Gives memory back once a burst is over. V8 keeps what a burst needed (a young generation of 128 MB, pages half empty)
 * until it takes the process for quiet; its measure of that forgets so slowly that it takes a hundred seconds, and in
 * Node nobody tells it. This does: when the process has rested for a while and the heap is larger than after the last
 * time, V8 is asked to favour memory, whereupon its own memory reducer collects and compacts, in steps beside the
 * work; the wish is taken back afterwards, or at once when there is something to do. For programs, not for libraries:
 * the wish holds for every thread of the process.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from './clock.ts';

/** The process as this sees it. */
export interface HeapControl {
  /** Bytes that the heap has taken from the system, used or not. */
  sizeBytes(): number;
  /** Processor that was used, in milliseconds since the begin. */
  processorMs(): number;
  /** Whether memory is worth more than speed. */
  favourMemory(wanted: boolean): void;
  /** Collects soon, all at once. */
  collect(): void;
}

const periodMs = 1000;
/** Cores in use, above which the process is not quiet; while memory is given back, which is work too, not any more. */
const quietCores = 0.15;
const busyCores = 0.7;
/** Quiet for so many periods is a rest. */
const restPeriods = 3;
/** V8 looks every 8 s, and collects twice in a row. */
const reducingPeriods = 16;
/**
 * A memory reducer that has run lately, as it does in the middle of a burst of minutes, only looks again after a full
 * collection. It gets one where the heap is as large as before after so many periods.
 */
const patiencePeriods = 10;
/** Growth since the last time that makes it worth while. */
const worthwhileFactor = 1.2;
const worthwhileBytes = 4 << 20;

/** This process. The flag is read by V8 whenever its memory reducer looks; it changes nothing else that matters here. */
export function processHeap(): HeapControl {
  return {
    sizeBytes: () => getHeapStatistics().total_heap_size,
    processorMs() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    favourMemory: wanted => setFlagsFromString(wanted ? '--optimize-for-size' : '--no-optimize-for-size'),
    collect() {
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc') as (how: { type: 'major'; execution: 'async' }) => Promise<void>;
      setFlagsFromString('--no-expose-gc');
      void gc({ type: 'major', execution: 'async' });
    },
  };
}

/** Watches over `heap` until disposed. The first rest after the start counts as after a burst. */
export function returnSpareMemory(clock: Clock, heap: HeapControl = processHeap()): Disposable {
  let keptBytes = 0;
  let quietPeriods = 0;
  let spentMs = heap.processorMs();
  /** The wish, while there is one: for how many periods it still holds, and the heap's size when it was uttered. */
  let wish: { periods: number; burstBytes: number } | undefined;
  const end = (): void => {
    if (wish) heap.favourMemory(false);
    wish = undefined;
  };
  const goOn = (held: NonNullable<typeof wish>): void => {
    held.periods--;
    if (held.periods === 0) {
      end();
      keptBytes = heap.sizeBytes();
    } else if (held.periods === reducingPeriods - patiencePeriods && heap.sizeBytes() > held.burstBytes * 0.95) {
      wish = { periods: reducingPeriods, burstBytes: Number.POSITIVE_INFINITY }; // once is enough
      heap.collect();
    }
  };
  const look = (): void => {
    const before = spentMs;
    spentMs = heap.processorMs();
    const cores = (spentMs - before) / periodMs;
    quietPeriods = cores > quietCores ? 0 : quietPeriods + 1;
    if (cores > busyCores) end();
    else if (wish) goOn(wish);
    else if (quietPeriods >= restPeriods && heap.sizeBytes() > keptBytes * worthwhileFactor + worthwhileBytes) {
      wish = { periods: reducingPeriods, burstBytes: heap.sizeBytes() };
      heap.favourMemory(true);
    }
  };
  const ticker = clock.setTicker(look, periodMs);
  return {
    [Symbol.dispose]() {
      ticker.cancel();
      end();
    },
  };
}
