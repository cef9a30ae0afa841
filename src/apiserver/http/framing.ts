/**
 * Whether an answer says how long it is: where it fits into the buffer that it is collected in before anything is sent,
 * or where its handler said so; longer ones come in pieces. Upstream: Go's net/http, bufferBeforeChunkingSize of server.go
 * and http2handlerChunkBytes.
 */
import { lookAhead } from './look-ahead.ts';
import { header, type ResponseBody, type ServerResponse } from './message.ts';

/** What fits into the buffer, by version. */
export const shortest = { http1: 2048, http2: 4096 } as const;

type Chunks = Extract<ResponseBody, { kind: 'chunks' }>;

/** The answer with its length where that is told. Answers of which the length is known are not waited for. */
export function framed(
  method: string,
  response: ServerResponse,
  limit: number,
): ServerResponse | Promise<ServerResponse> {
  const { body } = response;
  switch (body.kind) {
    case 'chunks':
      return body.isGathered ? gathered(method, response, body, limit) : response;
    case 'empty':
      return method === 'HEAD' || !mayHaveBody(response.status) ? response : withLength(response, 0);
    case 'bytes':
      return body.bytes.length > limit ? response : withLength(response, body.bytes.length);
    default:
      return response;
  }
}

function mayHaveBody(status: number): boolean {
  return status >= 200 && status !== 204 && status !== 304;
}

function withLength(response: ServerResponse, length: number): ServerResponse {
  if (header(response, 'content-length') !== undefined) return response;
  return { ...response, headers: { ...response.headers, 'content-length': String(length) } };
}

/** Waits until all is there, or more than fits. */
async function gathered(
  method: string,
  response: ServerResponse,
  body: Chunks,
  limit: number,
): Promise<ServerResponse> {
  const { first, whole, chunks } = await lookAhead(body.chunks, limit);
  if (!whole) return { ...response, body: { ...body, chunks } };
  const bytes = Buffer.concat(first);
  for (const chunk of first) body.sent?.(chunk);
  return framed(method, { ...response, body: { kind: 'bytes', bytes } }, limit);
}
