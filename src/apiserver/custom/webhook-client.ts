/**
 * Calls webhooks over TLS: by URL or by Service, at one of its endpoints, with the bundle that
 * signs them. Errors are worded as Go's client words them. Upstream: apiserver pkg/util/webhook/client.go,
 * pkg/util/proxy ResolveCluster, client-go rest/request.go.
 */
import { type RequestOptions, request } from 'node:https';
import { isIP } from 'node:net';
import { goQuote, readAnyJson, writeOrdered } from '#apimachinery';
import type { Clock, Random } from '#base';
import type { ServiceResolver } from '../server/service-resolver.ts';

export interface WebhookTarget {
  readonly name: string;
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly path?: string;
    readonly port?: number;
  };
  /** In base64, as objects hold it; the system's roots when absent. */
  readonly caBundle?: string;
}

export interface WebhookClient {
  /** Sends an object as JSON and reads the answer. Throws an Error with Go's text. */
  post(target: WebhookTarget, body: object): Promise<unknown>;
  /** A fresh uid for a review. */
  uid(): string;
}

export interface WebhookClientDeps {
  readonly clock: Clock;
  readonly random: Random;
  /** Where a Service is reached. */
  readonly resolve: ServiceResolver;
}

const timeoutMs = 30_000;
/** An answer may be as large as what was sent, which holds a page of a list. */
const maxAnswerBytes = 64 * 1024 * 1024;

interface Address {
  /** As the URL names it. */
  readonly authority: string;
  readonly path: string;
  readonly host: string;
  readonly port: number;
  /** What the certificate must be for. */
  readonly serverName: string;
}

export function webhookClient(deps: WebhookClientDeps): WebhookClient {
  return {
    uid: () => deps.random.uuid(),
    async post(target, body) {
      const shown = shownUrl(target);
      try {
        const address = await addressOf(target, deps.resolve);
        const { status, text } = await send(address, target, Buffer.from(writeOrdered(body)), deps.clock);
        return read(status, text);
      } catch (error) {
        if (error instanceof AnswerError) throw error;
        throw new Error(`Post ${goQuote(shown)}: ${goText(error as NodeJS.ErrnoException, target)}`);
      }
    },
  };
}

/** The webhook answered, but not what was asked. */
class AnswerError extends Error {
  override readonly name = 'AnswerError';
}

function shownUrl({ url, service }: WebhookTarget): string {
  const base =
    url ?? `https://${service!.name}.${service!.namespace}.svc:${service!.port ?? 443}${service!.path ?? ''}`;
  return `${base}?timeout=30s`;
}

async function addressOf({ url, service }: WebhookTarget, resolve: ServiceResolver): Promise<Address> {
  if (url !== undefined) {
    const { hostname, port, host, pathname } = new URL(url);
    const plain = hostname.replace(/^\[|\]$/g, '');
    return { authority: host, path: pathname, host: plain, port: Number(port || 443), serverName: plain };
  }
  const { name, namespace, path = '', port = 443 } = service!;
  const { host, port: reached } = await resolve(namespace, name, port);
  const serverName = `${name}.${namespace}.svc`;
  return { authority: `${serverName}:${port}`, path, host, port: reached, serverName };
}

function send(
  address: Address,
  { caBundle }: WebhookTarget,
  body: Buffer,
  clock: Clock,
): Promise<{ status: number; text: string }> {
  const ca = caBundle ? Buffer.from(caBundle, 'base64').toString().trim() : '';
  const options: RequestOptions = {
    method: 'POST',
    host: address.host,
    port: address.port,
    path: `${address.path || '/'}?timeout=30s`,
    headers: {
      host: address.authority,
      'content-type': 'application/json',
      accept: 'application/json, */*',
      'content-length': body.length,
    },
    agent: false,
    ...(isIP(address.serverName) === 0 && { servername: address.serverName }),
    ...(ca && { ca, allowPartialTrustChain: true }),
  };
  return new Promise((resolve, reject) => {
    const call = request(options, answer => {
      const parts: Buffer[] = [];
      let size = 0;
      answer.on('data', (part: Buffer) => {
        size += part.length;
        if (size > maxAnswerBytes) call.destroy(new Error('http: response body too large'));
        else parts.push(part);
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(parts).toString() }));
      answer.on('error', reject);
    });
    const timer = clock.setTimer(() => call.destroy(new Error('context deadline exceeded')), timeoutMs);
    call.on('close', () => timer.cancel());
    call.on('error', reject);
    call.end(body);
  });
}

function read(status: number, text: string): unknown {
  if (status < 200 || status > 206) throw new AnswerError(statusText(status, text));
  try {
    return readAnyJson(text);
  } catch {
    throw new AnswerError("couldn't get version/kind; json parse error: invalid character in webhook's answer");
  }
}

/** What client-go says of an answer that is no success. */
function statusText(status: number, text: string): string {
  const body = text.trim();
  try {
    const { kind, message } = JSON.parse(body) as { kind?: string; message?: string };
    if (kind === 'Status' && message) return message;
  } catch {
    // Not an object: the text is shown.
  }
  if (status === 404) return 'the server could not find the requested resource';
  if (status === 401) return 'the server has asked for the client to provide credentials';
  if (status === 403) return body || 'unknown';
  if (status >= 500)
    return `an error on the server (${goQuote(body || 'unknown')}) has prevented the request from succeeding`;
  return 'the server rejected our request for an unknown reason';
}

const unknownAuthority = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** Node's error in Go's words. */
function goText(
  error: NodeJS.ErrnoException & { address?: string; port?: number; host?: string },
  target: WebhookTarget,
) {
  const { code = '', message } = error;
  const verify = 'tls: failed to verify certificate: x509: ';
  if (unknownAuthority.has(code)) return `${verify}certificate signed by unknown authority`;
  if (code === 'CERT_HAS_EXPIRED') return `${verify}certificate has expired or is not yet valid`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const host = target.url ? new URL(target.url).hostname : `${target.service!.name}.${target.service!.namespace}.svc`;
    return `${verify}certificate is not valid for any names, but wanted to match ${host}`;
  }
  if (code === 'ECONNREFUSED') return `dial tcp ${error.address}:${error.port}: connect: connection refused`;
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `dial tcp: lookup ${(error as { hostname?: string }).hostname ?? ''}: no such host`;
  }
  if (code === 'ECONNRESET') return 'EOF';
  return message;
}
