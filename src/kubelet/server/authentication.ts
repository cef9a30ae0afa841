/**
 * Who may ask this server for what: the API server by its client certificate, others as the API decides.
 * Upstream: pkg/kubelet/server/auth.go, cmd/kubelet/app/auth.go.
 */
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Client } from '#client';

export interface Caller {
  readonly name: string;
  readonly groups: readonly string[];
}

interface Attributes {
  readonly verb: string;
  readonly subresource: string;
}

const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** The subresource of the node that a path counts as. */
export function attributesOf(method: string, path: string): Attributes {
  const under = (prefix: string): boolean => path === prefix || path.startsWith(`${prefix}/`);
  const subresource = under('/stats')
    ? 'stats'
    : under('/metrics')
      ? 'metrics'
      : under('/logs')
        ? 'log'
        : under('/checkpoint')
          ? 'checkpoint'
          : under('/pods') || under('/runningpods')
            ? 'pods'
            : under('/healthz')
              ? 'healthz'
              : 'proxy';
  return { verb: verbs[method] ?? 'get', subresource };
}

/** Undefined: nobody known. */
export async function authenticate(request: IncomingMessage, client: Client): Promise<Caller | undefined> {
  const socket = request.socket as TLSSocket;
  if (socket.authorized) {
    const { subject } = socket.getPeerCertificate();
    if (subject?.CN) return { name: [subject.CN].flat()[0] ?? '', groups: [subject.O ?? []].flat() };
  }
  const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
  if (!token) return undefined;
  const answer = (await post(client, '/apis/authentication.k8s.io/v1/tokenreviews', {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token },
  })) as { status?: { authenticated?: boolean; user?: { username?: string; groups?: string[] } } };
  const { authenticated, user } = answer.status ?? {};
  return authenticated ? { name: user?.username ?? '', groups: user?.groups ?? [] } : undefined;
}

/** Asks the API, unless the caller may do everything. */
export async function authorize(
  caller: Caller,
  request: IncomingMessage,
  path: string,
  options: { readonly client: Client; readonly nodeName: string },
): Promise<boolean> {
  if (caller.groups.includes('system:masters')) return true;
  const { verb, subresource } = attributesOf(request.method ?? 'GET', path);
  const answer = (await post(options.client, '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: caller.name,
      groups: caller.groups,
      resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: options.nodeName },
    },
  })) as { status?: { allowed?: boolean } };
  return answer.status?.allowed === true;
}

async function post(client: Client, path: string, body: object): Promise<unknown> {
  return (await client.transport.request({ method: 'POST', path, body })).json();
}
