/** Telling when an answer is over: sent to its end, broken off, or never begun. */
import type { ResponseBody, ServerResponse } from './message.ts';

/**
 * The answer, and `ended` called once when its body is over; at once where there is nothing to wait for. `gone` aborts
 * when the connection that a tunnel took over is closed.
 */
export function whenEnded(response: ServerResponse, gone: AbortSignal, ended: () => void): ServerResponse {
  const end = once(ended);
  const { body } = response;
  switch (body.kind) {
    case 'empty':
    case 'bytes':
      end();
      return response;
    case 'hijacked':
      if (gone.aborted) end();
      else gone.addEventListener('abort', end, { once: true });
      return response;
    case 'chunks':
      return { ...response, body: { ...body, chunks: ending(body.chunks, end) } };
    case 'watch':
      body.done?.addEventListener('abort', end, { once: true });
      return { ...response, body: watchEnding(body, end) };
  }
}

function once(fn: () => void): () => void {
  let isCalled = false;
  return () => {
    if (!isCalled) fn();
    isCalled = true;
  };
}

function watchEnding(body: ResponseBody & { readonly kind: 'watch' }, end: () => void): ResponseBody {
  const { sent } = body;
  return { ...body, events: ending(body.events, end), ...(sent && { sent: sent.bind(body) }) };
}

/** No generator: one that was never begun would not tell its end. */
function ending<T>(source: AsyncIterable<T>, end: () => void): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      return {
        async next() {
          try {
            const result = await iterator.next();
            if (result.done) end();
            return result;
          } catch (error) {
            end();
            throw error;
          }
        },
        async return() {
          end();
          return (await iterator.return?.()) ?? { done: true as const, value: undefined };
        },
      };
    },
  };
}
