/** Requests over HTTPS to a test server, with nothing between: the path goes out as it is written. */
import { Agent, request } from 'node:https';
import type { TestApiServer } from './api-server.ts';

export interface Sent {
  /** GET unless told. */
  readonly method?: string;
  /** With the query, as it goes on the wire. */
  readonly path: string;
  /** Impersonated by the administrator. */
  readonly as?: string;
  readonly groups?: readonly string[];
  /** No credentials at all. */
  readonly anonymous?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object goes as JSON. */
  readonly body?: object | string;
  /** Ends an answer that lasts once so many milliseconds have passed. */
  readonly withinMs?: number;
  readonly signal?: AbortSignal;
  /** Told each piece of the answer as it comes. */
  readonly received?: (text: string) => void;
  /** Where connections are kept; without it, each request has one of its own. */
  readonly connections?: Agent;
}

/** Keeps connections between requests. To be destroyed. */
export const openConnections = (): Agent => new Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });

export interface Received {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export function send(server: Pick<TestApiServer, 'port' | 'adminToken'>, sent: Sent): Promise<Received> {
  const { method = 'GET', path, as, groups = [], anonymous = false, body } = sent;
  const text = typeof body === 'object' ? JSON.stringify(body) : body;
  const headers: Record<string, string | string[]> = {
    ...(!anonymous && { authorization: `Bearer ${server.adminToken}` }),
    ...(as !== undefined && { 'impersonate-user': as }),
    ...(groups.length > 0 && { 'impersonate-group': [...groups] }),
    // Node would send the body of a DELETE with no length at all.
    ...(text !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(text)),
    }),
    ...sent.headers,
  };
  return new Promise((resolve, reject) => {
    let begun = false;
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: server.port,
        method,
        path,
        headers,
        rejectUnauthorized: false,
        agent: sent.connections ?? false,
        ...(sent.signal && { signal: sent.signal }),
      },
      response => {
        begun = true;
        const chunks: Buffer[] = [];
        const done = (): void =>
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          });
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          sent.received?.(chunk.toString());
        });
        response.on('error', done);
        response.on('end', done);
        response.on('close', done);
        if (sent.withinMs !== undefined) setTimeout(() => outgoing.destroy(), sent.withinMs).unref();
      },
    );
    outgoing.on('error', error => begun || reject(error));
    outgoing.end(text);
  });
}
