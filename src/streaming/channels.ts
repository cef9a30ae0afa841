/**
 * Several byte streams in one WebSocket: the first byte (or, in base64, digit) of each message is its channel.
 * Upstream: k8s.io/streaming pkg/httpstream/wsstream/conn.go.
 */
import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { AcceptedSocket } from './upgrade.ts';

export const channelProtocols = {
  v5: 'v5.channel.k8s.io',
  v4: 'v4.channel.k8s.io',
  v4Base64: 'v4.base64.channel.k8s.io',
  binary: 'channel.k8s.io',
  base64: 'base64.channel.k8s.io',
} as const;

const closeSignal = 255;
const highWaterBytes = 2 ** 20;

/** Channels 0 to `count - 1` of a socket. Ending all of them does not close it; {@link Channels.close} does. */
export class Channels {
  readonly #socket: WebSocket;
  readonly #channels: readonly Channel[];
  readonly #base64: boolean;

  constructor({ socket, protocol }: AcceptedSocket, count: number) {
    this.#socket = socket;
    this.#base64 = protocol.includes('base64');
    this.#channels = Array.from({ length: count }, (_, index) => new Channel(index, this));
    socket.binaryType = 'nodebuffer';
    socket.on('message', data => this.#message(data as Buffer));
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const channel of this.#channels) channel.receiveEnd();
      for (const channel of this.#channels) if (!channel.writableFinished) channel.destroy();
    });
  }

  get(index: number): Duplex {
    const channel = this.#channels[index];
    if (!channel) throw new RangeError(`no channel ${index}`);
    return channel;
  }

  /** Sends a message; `done` when the socket has taken it. */
  send(index: number, data: Buffer, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) {
      done(new Error('the WebSocket is closed'));
      return;
    }
    if (this.#base64) this.#socket.send(`${index}${data.toString('base64')}`, error => done(error));
    else this.#socket.send(Buffer.concat([Buffer.from([index]), data]), error => done(error));
  }

  /** Goes on reading from the socket. */
  resume(): void {
    if (this.#socket.isPaused && this.#channels.every(channel => !channel.full)) this.#socket.resume();
  }

  close(): void {
    this.#socket.close(1000);
  }

  #message(raw: Buffer): void {
    if (raw.length === 0) return;
    const index = this.#base64 ? raw[0]! - 0x30 : raw[0]!;
    if (index === closeSignal && raw.length >= 2) {
      this.#channels[raw[1]!]?.receiveEnd();
      return;
    }
    const channel = this.#channels[index];
    const data = this.#base64 ? Buffer.from(raw.toString('latin1', 1), 'base64') : raw.subarray(1);
    if (!channel || data.length === 0) return;
    if (!channel.receive(data)) this.#socket.pause();
  }
}

class Channel extends Duplex {
  full = false;
  readonly #index: number;
  readonly #owner: Channels;
  #ended = false;

  constructor(index: number, owner: Channels) {
    super({ allowHalfOpen: true, readableHighWaterMark: highWaterBytes });
    this.#index = index;
    this.#owner = owner;
    this.on('error', () => {});
  }

  receive(data: Buffer): boolean {
    if (this.#ended || this.destroyed) return true;
    this.full = !this.push(data);
    return !this.full;
  }

  receiveEnd(): void {
    if (this.#ended || this.destroyed) return;
    this.#ended = true;
    this.push(null);
  }

  override _read(): void {
    if (!this.full) return;
    this.full = false;
    this.#owner.resume();
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#owner.send(this.#index, chunk, callback);
  }
}
