/**
 * Answers of more than 128 KiB are compressed for whoever takes gzip: objects and lists, never watches.
 * Upstream: apiserver pkg/endpoints/handlers/responsewriters/writers.go.
 */
import { promisify } from 'node:util';
import { createGzip, gzip } from 'node:zlib';
import { header, type ServerRequest, type ServerResponse } from '../http/message.ts';

const thresholdBytes = 128 * 1024;
/** Least work; the other levels gain little on JSON. */
const options = { level: 1 };
const gzipBytes = promisify<Uint8Array, object, Buffer>(gzip);

/** Upstream looks for the bare word: `gzip;q=0` is not it, nor is `*`. */
export function takesGzip(request: Pick<ServerRequest, 'headers'>): boolean {
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
  const iterator = body.chunks[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  for (let size = 0; size <= thresholdBytes; ) {
    const step = await iterator.next();
    // All of it is here.
    if (step.done) return { ...response, body: { ...body, chunks: prepended(first, []) } };
    first.push(step.value);
    size += step.value.length;
  }
  const all = prepended(first, { [Symbol.asyncIterator]: () => iterator });
  return {
    ...response,
    headers: marked(response),
    body: { kind: 'chunks', isGathered: true, chunks: gzipped(all, body.sent) },
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

async function* prepended(
  first: readonly Uint8Array[],
  rest: AsyncIterable<Uint8Array> | readonly Uint8Array[],
): AsyncGenerator<Uint8Array> {
  yield* first;
  yield* rest;
}

/** Compressed on the thread pool piece by piece; ends its source when its reader goes away. */
async function* gzipped(
  chunks: AsyncIterable<Uint8Array>,
  read: ((chunk: Uint8Array) => void) | undefined,
): AsyncGenerator<Uint8Array> {
  const stream = createGzip(options);
  const feed = (async () => {
    try {
      for await (const chunk of chunks) {
        if (stream.destroyed) return;
        const room = stream.write(chunk, error => {
          if (!error) read?.(chunk);
        });
        if (!room) await new Promise<void>(resolve => onceEither(stream, resolve));
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

function onceEither(stream: NodeJS.WritableStream, done: () => void): void {
  const settle = (): void => {
    stream.off('drain', settle);
    stream.off('close', settle);
    done();
  };
  stream.once('drain', settle);
  stream.once('close', settle);
}
