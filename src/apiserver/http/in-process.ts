/**
 * A client's transport into this server without a network: a function call with the meaning of the same request, bound
 * to one identity. Bodies are encoded, so that nothing of a caller's object is kept; answers that come from the cache
 * are its frozen objects.
 */
import { Readable } from 'node:stream';
import { type Json, type Status, StatusError } from '#apimachinery';
import { type ApiRequest, type ApiResponse, decodeWatch, type Transport, type WatchEvent } from '#client';
import type { UserInfo } from '../authentication/user.ts';
import type { Entry } from './listener.ts';
import { decodePath, Query, type ResponseBody, type ServerRequest, type ServerResponse } from './message.ts';

export function inProcessTransport(entry: Entry, user: UserInfo, userAgent: string): Transport {
  const closing = new AbortController();
  return {
    description: `in-process as ${user.name}`,
    async request(call) {
      const response = await entry(serverRequest(call, user, userAgent, closing.signal));
      if (response.status >= 400) throw await failure(response);
      return apiResponse(response);
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('the transport is closed'));
    },
  };
}

const never = new AbortController().signal;

function serverRequest(call: ApiRequest, user: UserInfo, userAgent: string, closing: AbortSignal): ServerRequest {
  const { body, query } = call;
  const isBytes = body instanceof Uint8Array;
  const headers: Record<string, string> = { accept: 'application/json, */*', 'user-agent': userAgent, ...call.headers };
  if (body !== undefined && !isBytes) headers['content-type'] ??= 'application/json';
  const parameters = query ? new Query(query) : Query.empty;
  const text = parameters.toString();
  return {
    method: call.method,
    path: decodePath(call.path),
    url: text === '' ? call.path : `${call.path}?${text}`,
    query: parameters,
    headers,
    body: async () => (body === undefined ? new Uint8Array() : isBytes ? body : Buffer.from(JSON.stringify(body))),
    signal: call.signal ? AbortSignal.any([call.signal, closing]) : closing.aborted ? never : closing,
    user,
  };
}

async function failure(response: ServerResponse): Promise<StatusError> {
  const bytes = await collect(response.body);
  const text = Buffer.from(bytes).toString();
  try {
    const status = JSON.parse(text) as Status;
    if (status.kind === 'Status') return new StatusError(status);
  } catch {
    // Not a Status: health answers and proxied errors are text.
  }
  return new StatusError({ code: response.status, message: text });
}

function apiResponse(response: ServerResponse): ApiResponse {
  const { body } = response;
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : value.join(', '),
    ]),
  );
  return {
    status: response.status,
    headers,
    async json() {
      if (body.kind === 'bytes' && body.object !== undefined) return body.object;
      const bytes = await collect(body);
      return JSON.parse(Buffer.from(bytes).toString()) as Json;
    },
    bytes: () => bytesOf(body),
    events: () => eventsOf(body),
  };
}

async function* bytesOf(body: ResponseBody): AsyncGenerator<Uint8Array> {
  if (body.kind === 'bytes') yield body.bytes;
  else if (body.kind === 'chunks') yield* body.chunks;
  else if (body.kind === 'watch') {
    for await (const events of body.events) for (const event of events) yield event.frame();
  }
}

async function collect(body: ResponseBody): Promise<Uint8Array> {
  if (body.kind === 'bytes') return body.bytes;
  const parts: Uint8Array[] = [];
  for await (const part of bytesOf(body)) parts.push(part);
  return Buffer.concat(parts);
}

/** Events of another server come as bytes. */
async function* eventsOf(body: ResponseBody): AsyncGenerator<WatchEvent> {
  if (body.kind === 'chunks') yield* decodeWatch(Readable.from(body.chunks));
  if (body.kind !== 'watch') return;
  for await (const events of body.events) {
    for (const event of events) yield { type: event.type, object: event.object() };
  }
}
