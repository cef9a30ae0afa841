/**
 * `--debug-socket-path`: profiles of the process on a unix socket, which asks nobody who they are: whoever may open the
 * file may read. Upstream: apiserver pkg/server/routes/debugsocket.go.
 */
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { Clock, Logger } from '#base';
import { Query, type ServerRequest } from '../http/message.ts';
import { debug } from './debug.ts';

/** Opens the socket, in place of what stood at its path; rejects when it cannot. */
export async function openDebugSocket(
  path: string,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): Promise<AsyncDisposable> {
  rmSync(path, { force: true });
  const server = createServer((incoming, outgoing) => {
    const gone = new AbortController();
    outgoing.on('close', () => gone.abort());
    debug(requestOf(incoming, gone.signal), clock, undefined).then(
      response => {
        const bytes = response?.body.kind === 'bytes' ? response.body.bytes : Buffer.from('404 page not found\n');
        outgoing.writeHead(response?.status ?? 404, response?.headers ?? {}).end(bytes);
      },
      error => {
        if (!gone.signal.aborted) logger.warn('the debug socket did not answer', { error });
        outgoing.writeHead(400).end();
      },
    );
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(closed => server.close(closed));
    },
  };
}

function requestOf({ method = 'GET', url = '/', headers }: IncomingMessage, signal: AbortSignal): ServerRequest {
  const at = url.indexOf('?');
  const path = at < 0 ? url : url.slice(0, at);
  const query = at < 0 ? Query.empty : Query.parse(url.slice(at + 1));
  const none = async (): Promise<Uint8Array> => new Uint8Array();
  return { method, url, path, query, headers, signal, body: none, bodyStream: async function* () {} };
}
