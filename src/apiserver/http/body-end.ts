/** Telling when an answer is over: sent to its end, broken off, or never begun. */
import type { ResponseBody, ServerResponse } from './message.ts';

/**
 * The answer, and `ended` called once when its body is over, or its reader `gone`; at once where there is nothing to wait
 * for.
 */
export function whenEnded(response: ServerResponse, gone: AbortSignal, ended: () => void): ServerResponse {
  const { body } = response;
  const end = once(() => {
    gone.removeEventListener('abort', end);
    ended();
  });
  if (gone.aborted || body.kind === 'empty' || body.kind === 'bytes') {
    end();
    return response;
  }
  gone.addEventListener('abort', end);
  switch (body.kind) {
    case 'hijacked':
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
