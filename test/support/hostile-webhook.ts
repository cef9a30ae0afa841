/** A webhook over TLS that misbehaves as its path says: `/<mode>`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcp } from 'node:net';

interface Review {
  readonly request: { readonly uid: string; readonly object: unknown };
}

type Mode = (review: Review, response: ServerResponse, request: IncomingMessage) => void;

const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');

function send(response: ServerResponse, body: unknown, status = 200, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type }).end(typeof body === 'string' ? body : JSON.stringify(body));
}

const review = ({ request }: Review, response: object, more: object = {}): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid: request.uid, allowed: true, ...response },
  ...more,
});

const answering =
  (response: object, more: object = {}): Mode =>
  (asked, out) =>
    send(out, review(asked, response, more));

const patching = (patch: unknown): Mode => answering({ patchType: 'JSONPatch', patch: base64(patch) });
const saying =
  (body: string, status = 200, type = 'application/json'): Mode =>
  (_asked, out) =>
    send(out, body, status, type);

export const modes: Readonly<Record<string, Mode>> = {
  good: answering({}),
  hang: () => {},
  'hang-in-body': (_asked, out) => {
    out.writeHead(200, { 'content-type': 'application/json' });
    out.write('{');
  },
  drop: (_asked, out) => void out.socket!.destroy(),
  'drop-in-body': (_asked, out) => {
    out.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
    out.write('{', () => out.socket!.destroy());
  },
  'not-http': (_asked, out) => void out.socket!.end('nonsense\r\n\r\n'),
  text: saying('this is no JSON'),
  empty: saying(''),
  null: saying('null'),
  array: saying('[]'),
  'no-kind': saying('{}'),
  'wrong-kind': saying('{"apiVersion":"v1","kind":"Pod"}'),
  'wrong-group': answering({}, { apiVersion: 'example.com/v1' }),
  'wrong-version': answering({}, { apiVersion: 'admission.k8s.io/v1beta1' }),
  'trailing-text': (asked, out) => send(out, `${JSON.stringify(review(asked, {}))} and more`),
  'wrong-type': answering({ allowed: 'yes' }),
  'no-response': saying('{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview"}'),
  'wrong-uid': answering({ uid: 'another' }),
  'no-uid': answering({ uid: '' }),
  'large-text': saying('x'.repeat(10 * 1024 * 1024)),
  'large-review': answering({ status: { message: 'x'.repeat(10 * 1024 * 1024) } }),
  'deep-nesting': (asked, out) =>
    send(out, JSON.stringify(review(asked, {})).replace('}}', `},"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)),
  redirect: (_asked, out) => void out.writeHead(302, { location: '/good' }).end(),
  'redirect-kept': (_asked, out) => void out.writeHead(307, { location: '/good' }).end(),
  'redirect-loop': (_asked, out) => void out.writeHead(307, { location: '/redirect-loop' }).end(),
  'redirect-plain': (_asked, out) => void out.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
  'redirect-nowhere': (_asked, out) => void out.writeHead(302).end(),
  'status-500': saying('it broke', 500, 'text/plain'),
  'status-404': saying('nothing here', 404, 'text/plain'),
  'status-400': saying(JSON.stringify({ kind: 'Status', apiVersion: 'v1', message: 'bad you', code: 400 }), 400),
  'status-204': (_asked, out) => void out.writeHead(204).end(),
  denied: answering({ allowed: false }),
  'denied-why': answering({ allowed: false, status: { message: 'because', reason: 'Invalid', code: 422 } }),
  'denied-200': answering({ allowed: false, status: { message: 'because', code: 200 } }),
  'denied-strange': answering({ allowed: false, status: { message: 'because', reason: 'Strange', code: 799 } }),
  'patch-without-type': answering({ patch: base64([]) }),
  'type-without-patch': answering({ patchType: 'JSONPatch' }),
  'type-unknown': answering({ patchType: 'Merge', patch: base64([]) }),
  'patch-not-base64': answering({ patchType: 'JSONPatch', patch: '***' }),
  'patch-not-json': patching('nothing'),
  'patch-no-list': patching({ op: 'add' }),
  'patch-op': patching([{ op: 'conjure', path: '/data/x', value: 'y' }]),
  'patch-nowhere': patching([{ op: 'replace', path: '/data/none/deeper', value: 'y' }]),
  'patch-test': patching([{ op: 'test', path: '/data/a', value: 'not it' }]),
  'patch-type': patching([{ op: 'add', path: '/data/x', value: 7 }]),
  'patch-name': patching([{ op: 'replace', path: '/metadata/name', value: 'other' }]),
  'patch-kind': patching([{ op: 'replace', path: '/kind', value: 'Secret' }]),
  'patch-invalid': patching([{ op: 'add', path: '/data/not~1a~1key', value: 'x' }]),
  'patch-prototype': patching([{ op: 'add', path: '/__proto__/polluted', value: 'x' }]),
  'patch-all': patching([{ op: 'replace', path: '', value: 7 }]),
  'patch-good': patching([{ op: 'add', path: '/data/added', value: 'yes' }]),
};

export interface HostileWebhook extends AsyncDisposable {
  readonly port: number;
}

/** Listens on `host` with this certificate. */
export async function startHostileWebhook(
  host: string,
  pair: { readonly certPem: string; readonly keyPem: string },
): Promise<HostileWebhook> {
  const server = createServer({ cert: pair.certPem, key: pair.keyPem }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', part => parts.push(part));
    request.on('error', () => {});
    request.on('end', () => {
      const mode = modes[new URL(request.url!, 'https://x').pathname.slice(1)];
      const text = Buffer.concat(parts).toString();
      if (mode) mode(text === '' ? { request: { uid: '', object: null } } : JSON.parse(text), response, request);
      else response.writeHead(404).end();
    });
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** Answers TLS with plain text. */
export async function startPlainListener(host: string): Promise<HostileWebhook> {
  const server = createTcp(socket => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n'));
  });
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      await new Promise(resolve => server.close(resolve));
    },
  };
}
