/**
 * The memory that lists are put together in, used again and again. A list of 6 MB in new buffers is 6 MB beside the heap
 * for V8, which collects all of the heap for every 64 MB of that: a client that does nothing but list would have
 * everybody wait for collections, some ten times a second.
 */

/** What a piece is at least when it is sent; with its last element a little more. */
export const pieceBytes: number = 64 * 1024;
/** Room for the element that makes a piece full. Larger elements take a buffer of their own. */
const slackBytes = 16 * 1024;
const bufferBytes = pieceBytes + slackBytes;
/** Kept for the next lists: as many as are under way at once under a flood (5 MB). */
const maxSpare = 64;

export class PieceBuffers {
  readonly #spare: Buffer[] = [];

  take(): Buffer {
    // Its own ArrayBuffer, by which it is known when it comes back.
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  /** Nobody reads `bytes` any more. What is not the begin of a buffer that was taken here is left to the collector. */
  giveBack(bytes: Uint8Array): void {
    const { buffer, byteOffset } = bytes;
    if (byteOffset !== 0 || buffer.byteLength !== bufferBytes || this.#spare.length >= maxSpare) return;
    this.#spare.push(Buffer.from(buffer as ArrayBuffer));
  }
}
