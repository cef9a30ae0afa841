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
  /** Of these, what is taken by objects, garbage among them. */
  usedBytes(): number;
  /** Processor that was used, in milliseconds since the begin. */
  processorMs(): number;
  /** Whether memory is worth more than speed. */
  favourMemory(wanted: boolean): void;
  /** Collects soon, all at once. */
  collect(): void;
}

/** Often, for the wish must not outlast the rest: while it holds, V8 collects four times as much as it otherwise does. */
const periodMs = 250;
/** Cores in use, above which the process is not quiet. */
const quietCores = 0.15;
/** Quiet for so many periods is a rest. */
const restPeriods = 12;
/** V8 looks every 8 s, and collects twice in a row. */
const reducingPeriods = 64;
/** While memory is given back, which takes processor too, a rest ends when so much has been allocated. */
const busyBytes = 2 << 20;
/**
 * A memory reducer that has run lately, as it does in the middle of a burst of minutes, only looks again after a full
 * collection. It gets one where the heap is as large as before after so many periods.
 */
const patiencePeriods = 40;
/** Growth since the last time that makes it worth while. */
const worthwhileFactor = 1.2;
const worthwhileBytes = 4 << 20;

/** This process. The flag is read by V8 whenever its memory reducer looks; it changes nothing else that matters here. */
export function processHeap(): HeapControl {
  return {
    sizeBytes: () => getHeapStatistics().total_heap_size,
    usedBytes: () => getHeapStatistics().used_heap_size,
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

/** V8 favours memory. */
interface Wish {
  /** For how many periods still. */
  periods: number;
  /** The heap's size when the wish was uttered. */
  readonly burstBytes: number;
  /** The least that was used since. */
  leastBytes: number;
}

/** Watches over `heap` until disposed. The first rest after the start counts as after a burst. */
export function returnSpareMemory(clock: Clock, heap: HeapControl = processHeap()): Disposable {
  let keptBytes = 0;
  let quietPeriods = 0;
  let [lookedMs, spentMs] = [clock.monotonicMs(), heap.processorMs()];
  let wish: Wish | undefined;
  const end = (): void => {
    if (wish) heap.favourMemory(false);
    wish = undefined;
  };
  const begin = (burstBytes: number): void => {
    wish = { periods: reducingPeriods, burstBytes, leastBytes: heap.usedBytes() };
  };
  const goOn = (held: Wish): void => {
    held.periods--;
    held.leastBytes = Math.min(held.leastBytes, heap.usedBytes());
    if (heap.usedBytes() > held.leastBytes + busyBytes) end();
    else if (held.periods === 0) {
      end();
      keptBytes = heap.sizeBytes();
    } else if (held.periods === reducingPeriods - patiencePeriods && heap.sizeBytes() > held.burstBytes * 0.95) {
      begin(Number.POSITIVE_INFINITY); // once is enough
      heap.collect();
    }
  };
  const look = (): void => {
    const before = { lookedMs, spentMs };
    [lookedMs, spentMs] = [clock.monotonicMs(), heap.processorMs()];
    const cores = (spentMs - before.spentMs) / (lookedMs - before.lookedMs);
    quietPeriods = cores > quietCores ? 0 : quietPeriods + 1;
    if (wish) goOn(wish);
    else if (quietPeriods >= restPeriods && heap.sizeBytes() > keptBytes * worthwhileFactor + worthwhileBytes) {
      begin(heap.sizeBytes());
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
