/**
 * A server over TLS in the test's own process, where upstream's suite runs one in a pod: for webhooks of admission and
 * conversion, and for another API server. It answers by path.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { systemClock } from '#base';
import { createAuthority } from '#pki';

export type Answer = (request: { readonly method: string; readonly url: URL; readonly body: any }) => unknown;

export interface WebhookServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Of the authority that its certificate is of, in base64. */
  readonly caBundle: string;
  /** `clientConfig` of a webhook. */
  config(path: string): { url: string; caBundle: string };
}

/** `names` are what the certificate is for besides the host. An answer of undefined is 404. */
export async function startWebhookServer(
  answers: Readonly<Record<string, Answer>>,
  { host = '127.0.0.1', names = [] }: { readonly host?: string; readonly names?: readonly string[] } = {},
): Promise<WebhookServer> {
  const nowMs = systemClock.now();
  const authority = await createAuthority('webhook-ca', nowMs);
  const { certPem: cert, keyPem: key } = await authority.issue({
    commonName: 'webhook',
    dnsNames: names,
    ipAddresses: [host],
    usages: ['server auth'],
    nowMs,
  });
  const server = createServer({ cert, key }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', part => parts.push(part));
    request.on('end', async () => {
      const url = new URL(request.url!, 'https://x');
      const text = Buffer.concat(parts).toString();
      const answer = answers[url.pathname] ?? answers['*'];
      const body = await answer?.({ method: request.method!, url, body: text === '' ? undefined : JSON.parse(text) });
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', status: 'Failure', code: 404 }));
    });
  });
  await new Promise<void>(resolve => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const caBundle = Buffer.from(authority.certPem).toString('base64');
  return {
    host,
    port,
    caBundle,
    config: path => ({ url: `https://${host}:${port}${path}`, caBundle }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

type Review = { readonly request: any };

const respond = ({ request }: Review, response: object): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: { uid: request.uid, ...response },
});
const allowed = (review: Review): object => respond(review, { allowed: true });
const denied = (review: Review, message: string): object => respond(review, { allowed: false, status: { message } });
const patched = (review: Review, patch: readonly object[]): object => {
  const base64 = Buffer.from(JSON.stringify(patch)).toString('base64');
  return respond(review, { allowed: true, patchType: 'JSONPatch', patch: base64 });
};

/** Refuses what has `webhook-e2e-test: webhook-disallow` in its data or labels; deletions by the object that was. */
const denyMarked =
  (message: string): Answer =>
  ({ body }) => {
    const { object, oldObject, operation } = body.request;
    const { data = {}, metadata } = (operation === 'DELETE' ? oldObject : object) ?? {};
    const mark = data['webhook-e2e-test'] ?? metadata?.labels?.['webhook-e2e-test'];
    return mark === 'webhook-disallow' ? denied(body, message) : allowed(body);
  };

/** Two stages, each of which adds its mark where the one before has left its. */
const mutateInStages: Answer = ({ body }) => {
  const { data = {} } = body.request.object;
  const stages = [
    ['mutation-start', 'mutation-stage-1'],
    ['mutation-stage-1', 'mutation-stage-2'],
  ] as const;
  const next = stages.find(([has, adds]) => data[has] === 'yes' && data[adds] === undefined);
  return next ? patched(body, [{ op: 'add', path: `/data/${next[1]}`, value: 'yes' }]) : allowed(body);
};

/** What upstream's test webhook does, by its paths. */
export const admissionAnswers: Readonly<Record<string, Answer>> = {
  '/always-deny': ({ body }) => denied(body, 'this webhook denies all requests'),
  '/add-label': ({ body }) => patched(body, [{ op: 'add', path: '/metadata/labels', value: { 'added-label': 'yes' } }]),
  '/slow': async ({ body }) => {
    await systemClock.sleep(3000);
    return allowed(body);
  },
  '/configmaps': denyMarked('the configmap contains unwanted key and value'),
  '/custom-resource': denyMarked('the custom resource contains unwanted data'),
  '/crd': denyMarked('the crd contains unwanted label'),
  '/mutating-configmaps': mutateInStages,
  '/mutating-custom-resource': mutateInStages,
  '/pods': ({ body }) => {
    const { metadata, spec } = body.request.object;
    if (metadata.labels?.['webhook-e2e-test'] === 'webhook-disallow')
      return denied(body, 'the pod contains unwanted label');
    const name = spec.containers.some((each: { name: string }) => each.name.includes('webhook-disallow'));
    return name ? denied(body, 'the pod contains unwanted container name') : allowed(body);
  },
  '/mutating-pods': ({ body }) =>
    patched(body, [
      {
        op: 'add',
        path: '/spec/initContainers',
        value: [{ image: 'i', name: 'webhook-added-init-container', resources: {} }],
      },
    ]),
  '/pods/attach': ({ body }) => {
    const { object, name } = body.request;
    const isWanted = object?.kind === 'PodAttachOptions' && object.stdin === true && object.container === 'container1';
    if (!isWanted) return denied(body, `the options of the connection to ${name} were not shown`);
    return denied(body, `attaching to pod '${name}' is not allowed`);
  },
};
