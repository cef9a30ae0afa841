/**
 * Answers of more than 128 KiB are compressed for whoever takes gzip: objects and lists, never watches.
 * Upstream: apiserver pkg/endpoints/handlers/responsewriters/writers.go.
 */
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import { lookAhead } from '../http/look-ahead.ts';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';
import { drained } from '../http/sending.ts';

const thresholdBytes = 128 * 1024;
/** Least work; the other levels gain little on JSON. */
const options = { level: 1 };
const gzipBytes = promisify<Uint8Array, object, Buffer>(gzip);

/** Upstream looks for the bare word: `gzip;q=0` is not it, nor is `*`. */
function takesGzip(request: Pick<ServerRequest, 'headers'>): boolean {
  const accepted = header(request, 'accept-encoding');
  return accepted?.split(',').some(each => each.trim() === 'gzip') ?? false;
}

/** The response as it is or compressed. `headers` of a compressed one say so. */
export async function compressed(request: ServerRequest, response: ServerResponse): Promise<ServerResponse> {
  const { body } = response;
  if (body.kind !== 'bytes' && body.kind !== 'chunks') return response;
  if (response.headers['content-encoding'] || !takesGzip(request)) return response;
  if (body.kind === 'bytes') {
    if (body.bytes.length <= thresholdBytes) return response;
    const bytes = await gzipBytes(body.bytes, options);
    return { ...response, headers: marked(response), body: { kind: 'bytes', bytes } };
  }
  const { whole, chunks } = await lookAhead(body.chunks, thresholdBytes);
  if (whole) return { ...response, body: { ...body, chunks } };
  return {
    ...response,
    headers: marked(response),
    body: { kind: 'chunks', isGathered: true, chunks: gzipped(chunks, body.sent) },
  };
}

/** Compressed documents, while there are the plain ones. */
const documents = new WeakMap<Uint8Array, Promise<Buffer>>();

/**
 * A document outside of the API compressed for whoever takes that, however small; parts of it are left as they are.
 * Upstream: the gzip handlers of kube-openapi and client_golang promhttp.
 */
export async function wholeCompressed(request: ServerRequest, response: ServerResponse): Promise<ServerResponse> {
  const { body, status } = response;
  if (status !== 200 || body.kind !== 'bytes' || request.user || !takesGzip(request)) return response;
  const { 'content-length': _length, ...headers } = response.headers;
  let made = documents.get(body.bytes);
  if (!made) documents.set(body.bytes, (made = gzipBytes(body.bytes, options)));
  return {
    ...response,
    headers: { ...headers, 'content-encoding': 'gzip' },
    body: { kind: 'bytes', bytes: await made },
  };
}

function marked({ headers }: ServerResponse): ServerResponse['headers'] {
  const vary = headers['vary'];
  return { ...headers, 'content-encoding': 'gzip', vary: vary ? [vary, 'Accept-Encoding'].flat() : 'Accept-Encoding' };
}

type Read = (chunk: Uint8Array) => void;

/** The pieces compressed; ends their source when the reader goes away, be it before the first. */
function gzipped(chunks: AsyncIterable<Uint8Array>, read: Read | undefined): AsyncIterable<Uint8Array> {
  const pieces = gzipPieces(chunks, read);
  let begun = false;
  const iterator: AsyncIterator<Uint8Array> = {
    next() {
      begun = true;
      return pieces.next();
    },
    async return() {
      if (!begun) await chunks[Symbol.asyncIterator]().return?.();
      return pieces.return(undefined);
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}

/** Compresses on the thread pool. `read` is told of each piece that is no longer needed. */
async function* gzipPieces(chunks: AsyncIterable<Uint8Array>, read: Read | undefined): AsyncGenerator<Uint8Array> {
  const stream = createGzip(options);
  const feed = (async () => {
    try {
      for await (const chunk of chunks) {
        if (stream.destroyed) return;
        const room = stream.write(chunk, error => {
          if (!error) read?.(chunk);
        });
        if (!room) await drained(stream);
      }
      stream.end();
    } catch (error) {
      stream.destroy(error as Error);
    }
  })();
  try {
    for await (const piece of stream) yield piece as Uint8Array;
  } finally {
    stream.destroy();
    await feed;
  }
}
