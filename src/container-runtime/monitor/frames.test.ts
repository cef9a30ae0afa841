import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame, encodeFrames, FrameReader, frame, maxFrameBytes } from './frames.ts';

test('frames come out as they went in, however the bytes are cut', () => {
  const bytes = Buffer.concat([
    encodeFrame(frame.hello, Buffer.from([1])),
    encodeFrame(frame.stdout, Buffer.from('hello')),
    encodeFrame(frame.done),
    encodeFrame(frame.exit, Buffer.from('137')),
  ]);
  for (const size of [1, 2, 3, 7, bytes.length]) {
    const reader = new FrameReader();
    const seen: string[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      reader.push(bytes.subarray(at, at + size), (type, data) => seen.push(`${type}:${data.toString('latin1')}`));
    }
    assert.deepEqual(seen, ['0:\x01', '1:hello', '5:', '3:137'], `in pieces of ${size}`);
  }
});

test('large data goes in several frames', () => {
  const data = Buffer.alloc(maxFrameBytes * 2 + 10, 'x');
  const sizes: number[] = [];
  new FrameReader().push(encodeFrames(frame.stdin, data), (_, part) => sizes.push(part.length));
  assert.deepEqual(sizes, [maxFrameBytes, maxFrameBytes, 10]);
});
