/**
 * Writes answers as their readers take them: to a response of Node's, a stream of HTTP/2, or a bare connection. Sits
 * below both versions of HTTP.
 */
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { systemClock } from '#base';
import { sendableHeaders } from './header-values.ts';
import { discard, type ServerRequest, type ServerResponse } from './message.ts';

/** Writes what the server answers to `request`; `sink`, to which it goes, is closed if that fails. */
export type Answer = (
  request: ServerRequest,
  sink: Pick<Sink, 'destroy'>,
  write: (response: ServerResponse) => unknown,
) => void;

/** What an answer is written to. */
export interface Sink {
  write(chunk: Uint8Array, written?: (error: Error | null | undefined) => void): boolean;
  end(): void;
  destroy(error?: Error): unknown;
  once(event: 'drain' | 'close', fn: () => void): unknown;
  off(event: 'drain' | 'close', fn: () => void): unknown;
  readonly destroyed: boolean;
}

/** True for what a connection to a backend ends with when either side goes away. */
function isBrokenConnection(error: unknown): boolean {
  const { code, name, syscall } = error as NodeJS.ErrnoException;
  return name === 'AbortError' || syscall !== undefined || /^(ECONN|EPIPE|ERR_STREAM_|HPE_)/.test(code ?? '');
}

/**
 * Writes as the reader takes it: waits for drain, ends when the other side is gone. A body that breaks off (a kubelet or
 * a proxied pod went away) breaks the answer off too, so that its reader does not take it for whole.
 */
export async function pump(
  body: Exclude<ServerResponse['body'], { kind: 'empty' | 'bytes' | 'hijacked' }>,
  sink: Sink,
): Promise<void> {
  try {
    if (body.kind === 'chunks') {
      for await (const chunk of body.chunks) if (!(await send(sink, chunk, body.sent))) return;
    } else {
      for await (const events of body.events) {
        const frames = events.map(event => event.frame());
        const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
        if (events.length > 0) body.sent?.(events.length, bytes.length);
        if (!(await send(sink, bytes))) return;
      }
    }
  } catch (error) {
    if (!isBrokenConnection(error)) throw error;
    return void sink.destroy(error as Error);
  }
  if (!sink.destroyed) sink.end();
}

/** `sent` is told of the chunk when all of it is with the kernel. */
async function send(sink: Sink, chunk: Uint8Array, sent?: (chunk: Uint8Array) => void): Promise<boolean> {
  if (sink.destroyed) return false;
  // Of what fails, parts may still be on their way.
  const written = sent && ((error: Error | null | undefined) => error || sent(chunk));
  if (sink.write(chunk, written)) return true;
  await drained(sink);
  return !sink.destroyed;
}

/** Resolves when there is room again, or when there never will be. */
export function drained(sink: Pick<Sink, 'once' | 'off' | 'destroyed'>): Promise<void> {
  return new Promise(resolve => {
    if (sink.destroyed) return resolve();
    const done = (): void => {
      sink.off('drain', done);
      sink.off('close', done);
      resolve();
    };
    sink.once('drain', done);
    sink.once('close', done);
  });
}

/**
 * Writes an answer on a connection that speaks no HTTP of Node's any more; it ends with it. How long it is, is told to
 * whoever speaks HTTP/1.1; before, where its headers say so.
 */
export function writeRaw(
  response: ServerResponse,
  socket: Duplex,
  { version = '1.1', isHead = false }: { readonly version?: '1.0' | '1.1'; readonly isHead?: boolean } = {},
): void | Promise<void> {
  const { body, status } = response;
  if (body.kind === 'hijacked') return;
  if (socket.destroyed) return discard(response);
  // Nobody reads it any more; its end is only seen by who does.
  socket.resume();
  const { 'content-length': length, 'transfer-encoding': _chunked, ...headers } = sendableHeaders(response.headers);
  const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map(each => `${name}: ${each}\r\n`));
  const whole = body.kind === 'bytes' ? body.bytes : new Uint8Array();
  const isWhole = body.kind === 'bytes' || body.kind === 'empty';
  if (version === '1.1') lines.push('connection: close\r\n');
  const told = version === '1.1' && isWhole ? whole.length : length;
  if (told !== undefined) lines.push(`content-length: ${told}\r\n`);
  lines.push(`date: ${new Date(systemClock.now()).toUTCString()}\r\n`);
  socket.write(`HTTP/${version} ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`, 'latin1');
  if (isHead) {
    discard(response);
    return void socket.end();
  }
  return isWhole ? void socket.end(whole) : pump(body, socket);
}
