/**
 * The server's private door for the command line on the same machine: images of the node, over HTTP on a Unix socket
 * that only its owner can open. Everything else goes through the API.
 */

import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type Logger, UserError } from '#base';
import type { StateDir } from './state-dir.ts';

/** An image as the command line shows it. */
export interface AdminImage {
  /** `sha256:…` of the image's configuration. */
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
}

/** What the door leads to. */
export interface ImageAdmin {
  list(): Promise<readonly AdminImage[]>;
  /** Makes an image of the host's Node, its libraries, a shell and tar. */
  buildFromHost(tag: string): Promise<AdminImage>;
  /** Docker archive or OCI layout, tar or gzip. */
  importArchive(archive: Readable): Promise<readonly AdminImage[]>;
  /** False when there was none of that name. */
  remove(reference: string): Promise<boolean>;
}

const socketPath = (dir: StateDir): string => join(dir.run, 'admin.sock');

/** Serves `images` on the cluster's socket until disposed. */
export async function startAdminSocket(dir: StateDir, images: ImageAdmin, logger: Logger): Promise<AsyncDisposable> {
  const path = socketPath(dir);
  rmSync(path, { force: true });
  const server = createServer(async (incoming, response) => {
    try {
      sendJson(response, 200, await route(images, incoming));
    } catch (error) {
      if (!(error instanceof UserError)) logger.warn('admin request failed', { path: incoming.url, error });
      sendJson(response, 400, { error: error instanceof Error ? error.message : String(error) });
    }
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>(resolve => server.close(() => resolve()));
    },
  };
}

async function route(images: ImageAdmin, incoming: IncomingMessage): Promise<unknown> {
  const url = new URL(incoming.url ?? '/', 'http://admin');
  const argument = url.searchParams.get('reference') ?? '';
  switch (`${incoming.method} ${url.pathname}`) {
    case 'GET /images':
      return images.list();
    case 'POST /images/build-from-host':
      return images.buildFromHost(argument);
    case 'POST /images/import':
      return images.importArchive(incoming);
    case 'DELETE /images':
      return images.remove(argument);
    default:
      throw new UserError(`The server knows no ${incoming.method} ${url.pathname}.`);
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

/** The other side of the door. Every call rejects with a UserError when no server runs or it refuses. */
export function adminClient(dir: StateDir): ImageAdmin {
  const call = <T>(method: string, path: string, body?: Readable): Promise<T> =>
    new Promise((resolve, reject) => {
      const outgoing = request({ socketPath: socketPath(dir), method, path }, async response => {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        const value = JSON.parse(text);
        if (response.statusCode === 200) resolve(value as T);
        else reject(new UserError(value.error));
      });
      outgoing.on('error', cause => {
        const remedy = `Start it: kobune up${dir.name === 'default' ? '' : ` --name ${dir.name}`}`;
        reject(new UserError(`The server of "${dir.name}" does not answer.`, { remedy, cause }));
      });
      if (body) body.on('error', cause => outgoing.destroy(cause)).pipe(outgoing);
      else outgoing.end();
    });
  const reference = (text: string): string => `?reference=${encodeURIComponent(text)}`;
  return {
    list: () => call('GET', '/images'),
    buildFromHost: tag => call('POST', `/images/build-from-host${reference(tag)}`),
    importArchive: archive => call('POST', '/images/import', archive),
    remove: name => call('DELETE', `/images${reference(name)}`),
  };
}
