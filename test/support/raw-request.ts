/** One HTTP/1.1 request with headers exactly as given, repeated and misspelt ones too, on a connection of its own. */
import { request as httpsRequest } from 'node:https';
import type { KeyPair } from '#pki';
import type { TestApiServer } from './api-server.ts';

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]>;
  readonly token?: string;
  readonly certificate?: KeyPair;
  readonly body?: object;
}

export interface RawAnswer {
  readonly status: number;
  readonly warnings: string;
  /** Parsed where it is JSON. */
  readonly body: unknown;
}

export function rawRequest({ port, authority }: TestApiServer, raw: RawRequest): Promise<RawAnswer> {
  const { method = 'GET', path, headers = [], token, certificate } = raw;
  const body = raw.body === undefined ? undefined : JSON.stringify(raw.body);
  const lines = [
    ['Host', 'localhost'],
    ...(token === undefined ? [] : [['Authorization', `Bearer ${token}`]]),
    ...headers,
    ...(body === undefined
      ? []
      : [
          ['Content-Type', 'application/json'],
          ['Content-Length', `${Buffer.byteLength(body)}`],
        ]),
  ].flat();
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        // Flat, so that nothing is joined or renamed.
        headers: lines as never,
        ca: authority.certPem,
        agent: false,
        ...(certificate && { cert: certificate.certPem, key: certificate.keyPem }),
      },
      answer => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            warnings: [answer.headers['warning'] ?? []].flat().join(', '),
            body: parsed(text),
          }),
        );
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export interface Who {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** Who the caller is to the server; the message of the refusal where it is nobody. */
export async function whoIs(server: TestApiServer, raw: Omit<RawRequest, 'path'>): Promise<Who | string> {
  const answer = await rawRequest(server, {
    ...raw,
    method: 'POST',
    path: '/apis/authentication.k8s.io/v1/selfsubjectreviews',
    body: { kind: 'SelfSubjectReview', apiVersion: 'authentication.k8s.io/v1' },
  });
  const { status, message } = answer.body as { status: { userInfo: Who }; message: string };
  return answer.status === 201 ? status.userInfo : message;
}
