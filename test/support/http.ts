/** Requests over HTTPS to a test server, with nothing between: the path goes out as it is written. */
import { request } from 'node:https';
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
}

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
    ...(text !== undefined && { 'content-type': 'application/json' }),
    ...sent.headers,
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port: server.port, method, path, headers, rejectUnauthorized: false, agent: false },
      response => {
        const chunks: Buffer[] = [];
        const done = (): void =>
          resolve({
            code: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          });
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', done);
        response.on('close', done);
        if (sent.withinMs !== undefined) setTimeout(() => outgoing.destroy(), sent.withinMs).unref();
      },
    );
    outgoing.on('error', error => (outgoing.destroyed && sent.withinMs !== undefined ? undefined : reject(error)));
    outgoing.end(text);
  });
}
