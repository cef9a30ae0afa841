/** Reading what an audit log tells, and making requests whose events can be found in it. */
import { existsSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestApiServer } from './api-server.ts';

export interface LoggedEvent {
  readonly level: string;
  readonly auditID: string;
  readonly stage: string;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: { readonly username?: string; readonly groups?: readonly string[] };
  readonly impersonatedUser?: { readonly username: string };
  readonly sourceIPs: readonly string[];
  readonly userAgent?: string;
  readonly objectRef?: Readonly<Record<string, string>>;
  readonly responseStatus?: { readonly code?: number; readonly reason?: string; readonly message?: string };
  readonly requestObject?: Readonly<Record<string, unknown>>;
  readonly responseObject?: Readonly<Record<string, unknown>> & { readonly kind?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export function eventsIn(path: string): LoggedEvent[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').filter(Boolean);
  return lines.map(line => JSON.parse(line) as LoggedEvent);
}

/** Those of one request, when there are `count`. */
export async function eventsOf(path: string, id: string, count: number): Promise<LoggedEvent[]> {
  for (let left = 200; ; left--) {
    const found = eventsIn(path).filter(({ auditID }) => auditID === id);
    if (found.length >= count || left === 0) return found;
    await sleep(10);
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Default the administrator's; empty: nobody's. */
  readonly token?: string;
}

/** One request over HTTPS. */
export function call(server: TestApiServer, { method = 'GET', path, headers, body, token }: Call): Promise<Answer> {
  const bearer = token ?? server.adminToken;
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${server.url}${path}`,
      {
        method,
        ca: server.authority.certPem,
        agent: false,
        headers: {
          ...(bearer !== '' && { authorization: `Bearer ${bearer}` }),
          ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          ...headers,
        },
      },
      response => {
        const parts: Buffer[] = [];
        response.on('data', part => parts.push(part));
        response.on('end', () => {
          const answer = { status: response.statusCode ?? 0, headers: response.headers };
          resolve({ ...answer, text: Buffer.concat(parts).toString() });
        });
        response.on('error', reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.end(text);
  });
}
