/** Undoes gzip or zstd, told by the first bytes; anything else passes unchanged. */
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';

/** A stage of a pipeline. */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  const first = await iterator.next();
  if (first.done) return;
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield first.value;
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) yield next.value;
  };
  const magic = first.value.subarray(0, 4).toString('hex');
  const codec = magic.startsWith('1f8b') ? createGunzip() : magic === '28b52ffd' ? createZstdDecompress() : undefined;
  if (!codec) return yield* whole();
  const fed = pipeline(whole, codec);
  fed.catch(() => {}); // the reader sees it
  yield* codec as AsyncIterable<Buffer>;
  await fed;
}
