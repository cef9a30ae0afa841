/**
 * A SPDY/3.1 connection over any duplex stream, either end. Serves what Kubernetes needs of SPDY: streams with headers,
 * half-closing, resetting, pings. Upstream: github.com/moby/spdystream.
 *
 * Flow control is the transport's: no window is ever waited for, because Go's client grants none, and one is granted
 * for all that was read, because others wait for it. A stream whose reader is slow holds up the connection.
 */
import { type Duplex, Duplex as NodeDuplex } from 'node:stream';
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from 'node:zlib';
import { spdyDictionary } from './spdy-dictionary.ts';
import {
  controlFrame,
  dataHead,
  decodeHeaders,
  encodeHeaders,
  type Frame,
  fin,
  frameTypes,
  readFrame,
  resets,
  type SpdyHeaders,
  uint32,
} from './spdy-frames.ts';

export interface SpdyOptions {
  readonly side: 'client' | 'server';
  /** Bytes that the transport's owner had already read. */
  readonly head?: Buffer;
  /** Called with each stream that the other end opens, after it was accepted. */
  onStream?(stream: SpdyStream): void;
}

const maxHeaderBytes = 64 * 1024;
const maxFrameBytes = 16 * 2 ** 20;
const chunkBytes = 64 * 1024;

/** See the file header. Destroying it ends all streams and the transport. */
export class SpdyConnection {
  /** Resolves when the connection has ended, in whatever way. */
  readonly closed: Promise<void>;
  readonly #transport: Duplex;
  readonly #options: SpdyOptions;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary });
  readonly #deflate: Deflate = createDeflate({ dictionary: spdyDictionary });
  readonly #pings = new Map<number, () => void>();
  #sending: Promise<void> = Promise.resolve();
  #nextId: number;
  #nextPing: number;
  #ended = false;

  constructor(transport: Duplex, options: SpdyOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#nextId = options.side === 'client' ? 1 : 2;
    this.#nextPing = this.#nextId;
    transport.on('error', () => {});
    this.closed = this.#receive().finally(() => this.#end());
  }

  /** Opens a stream; resolves when its head is on its way. `end`: nothing will be written to it. */
  async openStream(headers: SpdyHeaders, options: { readonly end?: boolean } = {}): Promise<SpdyStream> {
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    await this.#sendHeaders(frameTypes.synStream, options.end ? fin : 0, [uint32(id, 0), Buffer.from([0, 0])], headers);
    return stream;
  }

  /** Resolves when the other end has answered. */
  ping(): Promise<void> {
    const id = this.#nextPing;
    this.#nextPing += 2;
    return new Promise(resolve => {
      this.#pings.set(id, resolve);
      this.#write(controlFrame(frameTypes.ping, 0, uint32(id)));
    });
  }

  /** Says goodbye, lets what was written go out, and ends the transport. */
  async close(): Promise<void> {
    await this.#sending;
    if (!this.#ended) this.#write(controlFrame(frameTypes.goAway, 0, uint32(0, 0)));
    this.#transport.end();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  /** For streams: data, in pieces; `done` when the transport has taken it. */
  writeData(id: number, data: Buffer, flags: number, done: (error?: Error | null) => void): void {
    if (this.#ended) {
      done(new Error('the connection has ended'));
      return;
    }
    if (data.length === 0) {
      this.#write(dataHead(id, flags, 0));
      done();
      return;
    }
    this.#transport.cork();
    for (let at = 0; at < data.length; at += chunkBytes) {
      const piece = data.subarray(at, at + chunkBytes);
      const last = at + chunkBytes >= data.length;
      this.#write(dataHead(id, last ? flags : 0, piece.length));
      this.#transport.write(piece, last ? done : undefined);
    }
    this.#transport.uncork();
  }

  reset(id: number, status: number = resets.cancel): void {
    if (this.#streams.delete(id) && !this.#ended)
      this.#write(controlFrame(frameTypes.rstStream, 0, uint32(id, status)));
  }

  forget(id: number): void {
    this.#streams.delete(id);
  }

  #write(bytes: Buffer): void {
    if (this.#transport.writable) this.#transport.write(bytes);
  }

  /** Header blocks share one compressor, hence go out one after another. */
  #sendHeaders(type: number, flags: number, lead: readonly Buffer[], headers: SpdyHeaders): Promise<void> {
    this.#sending = this.#sending.then(async () => {
      const block = await through(this.#deflate, encodeHeaders(headers), Number.POSITIVE_INFINITY);
      if (!this.#ended) this.#write(controlFrame(type, flags, ...lead, block));
    });
    return this.#sending;
  }

  async #receive(): Promise<void> {
    let rest: Buffer = this.#options.head ?? Buffer.alloc(0);
    try {
      rest = await this.#frames(rest);
      for await (const chunk of this.#transport) {
        rest = await this.#frames(rest.length > 0 ? Buffer.concat([rest, chunk as Buffer]) : (chunk as Buffer));
      }
    } catch {
      this.#transport.destroy();
    }
  }

  /** Handles all complete frames; answers what is left over. */
  async #frames(bytes: Buffer): Promise<Buffer> {
    let rest = bytes;
    for (let next = readFrame(rest); next; next = readFrame(rest)) {
      rest = rest.subarray(next.length);
      if (next.frame.kind === 'data') await this.#data(next.frame);
      else await this.#control(next.frame);
    }
    if (rest.length > maxFrameBytes) throw new RangeError('frame is too long');
    return rest;
  }

  async #data({ streamId, flags, body }: Extract<Frame, { kind: 'data' }>): Promise<void> {
    const stream = this.#streams.get(streamId);
    if (!stream) return;
    if (body.length > 0) {
      await stream.receive(Buffer.from(body));
      if (this.#ended) return;
      this.#write(controlFrame(frameTypes.windowUpdate, 0, uint32(streamId, body.length)));
      this.#write(controlFrame(frameTypes.windowUpdate, 0, uint32(0, body.length)));
    }
    if (flags & fin) stream.receiveEnd();
  }

  async #control({ type, flags, body }: Extract<Frame, { kind: 'control' }>): Promise<void> {
    switch (type) {
      case frameTypes.synStream:
        await this.#accept(body, flags);
        return;
      case frameTypes.synReply:
        await this.#headers(body.subarray(4));
        if (flags & fin) this.#streams.get(body.readUInt32BE(0))?.receiveEnd();
        return;
      case frameTypes.headers:
        await this.#headers(body.subarray(4));
        return;
      case frameTypes.rstStream: {
        const stream = this.#streams.get(body.readUInt32BE(0) & 0x7fffffff);
        this.#streams.delete(stream?.id ?? 0);
        stream?.destroy();
        return;
      }
      case frameTypes.ping: {
        const id = body.readUInt32BE(0);
        const own = this.#pings.get(id);
        this.#pings.delete(id);
        if (own) own();
        else this.#write(controlFrame(frameTypes.ping, 0, uint32(id)));
        return;
      }
      default: // settings, go away, window updates: nothing to do
    }
  }

  async #headers(block: Buffer): Promise<SpdyHeaders> {
    return decodeHeaders(await through(this.#inflate, block, maxHeaderBytes));
  }

  async #accept(body: Buffer, flags: number): Promise<void> {
    const id = body.readUInt32BE(0) & 0x7fffffff;
    const headers = await this.#headers(body.subarray(10));
    const stream = new SpdyStream(this, id, headers);
    this.#streams.set(id, stream);
    await this.#sendHeaders(frameTypes.synReply, 0, [uint32(id)], {});
    if (flags & fin) stream.receiveEnd();
    if (this.#options.onStream) this.#options.onStream(stream);
    else stream.destroy();
  }

  #end(): void {
    this.#ended = true;
    for (const stream of this.#streams.values()) stream.connectionEnded();
    this.#streams.clear();
    for (const resolve of this.#pings.values()) resolve();
    this.#inflate.close();
    this.#deflate.close();
    this.#transport.destroy();
  }
}

/** One stream. Ending it half-closes; destroying it resets. */
export class SpdyStream extends NodeDuplex {
  readonly id: number;
  /** As the opener gave them; lower-case names. */
  readonly headers: SpdyHeaders;
  readonly #connection: SpdyConnection;
  #room: (() => void) | undefined;
  #finished = false;
  #gotEnd = false;

  constructor(connection: SpdyConnection, id: number, headers: SpdyHeaders) {
    super({ allowHalfOpen: true, readableHighWaterMark: 2 ** 20, writableHighWaterMark: 2 ** 20 });
    this.#connection = connection;
    this.id = id;
    this.headers = headers;
    this.on('error', () => {});
  }

  /** For the connection: resolves when there is room for more. */
  async receive(data: Buffer): Promise<void> {
    if (this.destroyed || this.#gotEnd || this.push(data)) return;
    await new Promise<void>(resolve => (this.#room = resolve));
  }

  receiveEnd(): void {
    if (this.#gotEnd || this.destroyed) return;
    this.#gotEnd = true;
    this.push(null);
  }

  /** What has arrived can still be read when the other end had finished; nothing can be written. */
  connectionEnded(): void {
    if (this.#gotEnd && !this.readableEnded) this.once('end', () => this.destroy());
    else this.destroy();
  }

  override _read(): void {
    this.#room?.();
    this.#room = undefined;
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#connection.writeData(this.id, chunk, 0, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#finished = true;
    this.#connection.writeData(this.id, Buffer.alloc(0), fin, callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#room?.();
    if (this.#finished && this.#gotEnd) this.#connection.forget(this.id);
    else this.#connection.reset(this.id);
    callback(error);
  }
}

/** Sends `input` through a (de)compressor that keeps its state, up to a flush. */
function through(codec: Deflate | Inflate, input: Buffer, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let size = 0;
    const done = (error?: Error): void => {
      codec.off('data', onData);
      codec.off('error', done);
      if (error) reject(error);
      else resolve(Buffer.concat(parts));
    };
    const onData = (part: Buffer): void => {
      parts.push(part);
      size += part.length;
      if (size > maxBytes) done(new RangeError('header block is too long'));
    };
    codec.on('data', onData);
    codec.on('error', done);
    codec.write(input);
    codec.flush(constants.Z_SYNC_FLUSH, () => done());
  });
}
