/**
 * A client of a monitor's socket: the streams of an exec or an attach as {@link StreamSession}, and short orders.
 * Backpressure goes through: a reader that pauses stops the socket, and with it the process.
 */
import { connect, type Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { CriError, type StreamSession } from '#cri';
import { encodeFrame, encodeFrames, FrameReader, frame } from './frames.ts';

/** Which streams are wanted. */
export interface SessionStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Connects to the socket at `path` and greets. Rejects when nobody listens there. */
function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: false });
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/**
 * Opens the streams of the process behind `path`. `exit` rejects with `startFailed` when the runtime could not start it,
 * its message passed through `explain`; when the monitor vanishes, with `unavailable`.
 */
export async function openSession(
  path: string,
  streams: SessionStreams,
  explain: (text: string) => string,
): Promise<StreamSession> {
  const socket = await dial(path);
  const { promise: exit, resolve, reject } = Promise.withResolvers<number>();
  exit.catch(() => {}); // whoever wants it awaits it
  const paused = new Set<Readable>();
  const release = (stream: Readable): void => {
    if (paused.delete(stream) && paused.size === 0) socket.resume();
  };
  const output = (): Readable => {
    const stream: Readable = new Readable({
      read: () => release(stream),
      destroy(error, callback) {
        release(stream);
        callback(error);
      },
    });
    return stream;
  };
  const stdout = streams.stdout ? output() : undefined;
  const stderr = streams.stderr && !streams.tty ? output() : undefined;
  let finished = false;
  const finish = (settle: () => void): void => {
    if (finished) return;
    finished = true;
    settle();
    stdout?.push(null);
    stderr?.push(null);
    socket.destroy();
  };
  const reader = new FrameReader();
  socket.on('data', (chunk: Buffer) =>
    reader.push(chunk, (type, data) => {
      const stream = type === frame.stdout ? stdout : type === frame.stderr ? stderr : undefined;
      if (stream && !stream.push(Buffer.from(data)) && !stream.destroyed) {
        paused.add(stream);
        socket.pause();
      }
      if (type === frame.error) reject(new CriError('startFailed', explain(data.toString())));
      if (type === frame.exit) finish(() => resolve(Number(data.toString())));
    }),
  );
  socket.on('error', () => {});
  socket.on('close', () => finish(() => reject(new CriError('unavailable', 'the connection to the process was lost'))));
  const mask = (streams.stdout ? 1 : 0) + (streams.stderr ? 2 : 0) + (streams.stdin ? 4 : 0);
  socket.write(encodeFrame(frame.subscribe, Buffer.from([mask])));
  return {
    ...(streams.stdin ? { stdin: inputOf(socket) } : {}),
    ...(stdout ? { stdout } : {}),
    ...(stderr ? { stderr } : {}),
    resize(columns, rows) {
      const data = Buffer.alloc(4);
      data.writeUInt16BE(Math.min(columns, 65535), 0);
      data.writeUInt16BE(Math.min(rows, 65535), 2);
      if (socket.writable) socket.write(encodeFrame(frame.resize, data));
    },
    exit,
    close: () => void socket.destroy(),
  };
}

function inputOf(socket: Socket): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      if (!socket.writable) return callback(); // the process has ended; what it did not read is lost, as in a pipe
      if (socket.write(encodeFrames(frame.stdin, chunk))) return callback();
      const done = (): void => {
        socket.off('drain', done);
        socket.off('close', done);
        callback();
      };
      socket.once('drain', done);
      socket.once('close', done);
    },
    final(callback) {
      if (socket.writable) socket.write(encodeFrame(frame.stdinClose));
      callback();
    },
  });
}

/** Makes the monitor behind `path` open its log anew; resolves when it did. */
export async function reopenLog(path: string): Promise<void> {
  const socket = await dial(path);
  try {
    await new Promise<void>((resolve, reject) => {
      const reader = new FrameReader();
      socket.on('data', (chunk: Buffer) => reader.push(chunk, type => type === frame.done && resolve()));
      socket.on('error', reject);
      socket.on('close', () => reject(new CriError('unavailable', 'the monitor closed the connection')));
      socket.write(encodeFrame(frame.reopenLog));
    });
  } finally {
    socket.destroy();
  }
}
