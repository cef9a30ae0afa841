/**
 * The frames on a monitor's socket: [type:1][length:4, big endian][data]. native/monitor.h is the other side;
 * docs/layers/container-runtime.md the description. Every released version stays understood for ever.
 */

/** Types below 16 come from the monitor, the others go to it. */
export const frame = {
  hello: 0,
  stdout: 1,
  stderr: 2,
  exit: 3,
  error: 4,
  done: 5,
  stdin: 16,
  stdinClose: 17,
  resize: 18,
  subscribe: 19,
  reopenLog: 20,
} as const;

/** Largest data of a frame to the monitor. */
export const maxFrameBytes = 16384;

/** One frame as bytes. */
export function encodeFrame(type: number, data: Uint8Array = new Uint8Array()): Buffer {
  const out = Buffer.allocUnsafe(5 + data.length);
  out[0] = type;
  out.writeUInt32BE(data.length, 1);
  out.set(data, 5);
  return out;
}

/** `data` as frames of at most {@link maxFrameBytes}, in order. */
export function encodeFrames(type: number, data: Uint8Array): Buffer {
  if (data.length <= maxFrameBytes) return encodeFrame(type, data);
  const parts: Buffer[] = [];
  for (let at = 0; at < data.length; at += maxFrameBytes) {
    parts.push(encodeFrame(type, data.subarray(at, at + maxFrameBytes)));
  }
  return Buffer.concat(parts);
}

/** Cuts a stream of bytes into frames. `push` calls back for each complete one, in order. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(chunk: Buffer, onFrame: (type: number, data: Buffer) => void): void {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1);
      if (rest.length < 5 + length) break;
      onFrame(rest[0]!, rest.subarray(5, 5 + length));
      rest = rest.subarray(5 + length);
    }
    this.#rest = rest;
  }
}
