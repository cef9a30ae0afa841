/** The JSON stream of a watch: one event a line. A line may arrive in pieces, and a piece may hold many lines. */
import type { Readable } from 'node:stream';
import type { WatchEvent } from './transport.ts';

const newline = 0x0a;

/** Events of a watch answer, as they arrive; ends with the stream. A broken stream ends it too: watchers resume. */
export async function* decodeWatch(stream: Readable): AsyncIterable<WatchEvent> {
  let pending: Buffer[] = [];
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        pending.push(chunk.subarray(start, end));
        const line = pending.length === 1 ? pending[0]! : Buffer.concat(pending);
        pending = [];
        start = end + 1;
        if (line.length > 0) yield JSON.parse(line.toString('utf8')) as WatchEvent;
      }
      if (start < chunk.length) pending.push(chunk.subarray(start));
    }
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
  } finally {
    stream.destroy();
  }
}
