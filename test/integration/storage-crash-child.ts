/**
 * A process that writes to a store until it is killed, and says on its standard output what was acknowledged: one line
 * `revision key value` each, written before the next write begins. Arguments: path, name of the run, revision up to
 * which it may compact.
 */
import { systemClock } from '#base';
import { openSqliteStore } from '#storage';

const [path, run, compactTo] = process.argv.slice(2);
const store = await openSqliteStore({ path: path!, clock: systemClock });
const encoder = new TextEncoder();
const padding = 'x'.repeat(1500);

/** Resolves when the line is in the pipe, however slowly that is read. */
const say = (line: string): Promise<unknown> => new Promise(resolve => process.stdout.write(line, resolve));

async function write(writer: number): Promise<void> {
  for (let at = 0; ; at++) {
    const key = `/crash/${writer}/${at % 17}`;
    const value = `${run}-${writer}-${at}`;
    if (at % 5 === 4) {
      const { revision } = await store.txn([], [{ type: 'delete', key }]);
      await say(`${revision} ${key} -\n`);
      continue;
    }
    const bytes = encoder.encode(`${value} ${padding}`);
    const { revision } = await store.txn([], [{ type: 'put', key, value: bytes }]);
    await say(`${revision} ${key} ${value}\n`);
  }
}

const writers = Array.from({ length: 20 }, (_, writer) => write(writer));
if (Number(compactTo) > 0) await store.compact(Number(compactTo));
await Promise.all(writers);
