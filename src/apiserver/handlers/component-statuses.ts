/**
 * ComponentStatuses: nothing is stored, each read asks the components how they are. Upstream:
 * pkg/registry/core/componentstatus/rest.go.
 *
 * Deviation: components that run in this process answer by themselves; only others are asked on upstream's ports.
 */
import { request as httpsRequest } from 'node:https';
import { type KubeObject, notFound } from '#apimachinery';
import type { ServerResponse } from '../http/message.ts';
import { listForm } from '../serialization/list-form.ts';
import { encodeAs, type ObjectSource, respondObject } from '../serialization/respond.ts';
import { outputOf } from './common.ts';
import { listOptions } from './list-options.ts';
import type { Handler, Scope } from './scope.ts';

export interface ComponentHealth {
  readonly healthy: boolean;
  /** What the component said, or why it could not be asked. */
  readonly message: string;
}

/** Asks one component. Never rejects. */
export type ComponentProbe = () => Promise<ComponentHealth>;
/** By name: `scheduler`, `controller-manager`, `etcd-0`. */
export type ComponentProbes = Readonly<Record<string, ComponentProbe>>;

const probeTimeoutMs = 20_000;

/** The `/healthz` of a component beside this one, by HTTPS on loopback; anybody's certificate will do. */
export function localComponent(port: number): ComponentProbe {
  const address = `127.0.0.1:${port}`;
  return () =>
    new Promise(resolve => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const why = error.code === 'ECONNREFUSED' ? `dial tcp ${address}: connect: connection refused` : error.message;
        resolve({ healthy: false, message: `Get "https://${address}/healthz": ${why}` });
      };
      const options = { host: '127.0.0.1', port, path: '/healthz', rejectUnauthorized: false, timeout: probeTimeoutMs };
      const asked = httpsRequest(options, response => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          if (text.length < 1024) text += part;
        });
        response.on('end', () => resolve({ healthy: response.statusCode === 200, message: text }));
        response.on('error', failed);
      });
      asked.on('timeout', () => asked.destroy(new Error('context deadline exceeded')));
      asked.on('error', failed);
      asked.end();
    });
}

/** How the store is, by whether it answers. */
export function storeComponent(problem: () => Promise<string | undefined>): ComponentProbe {
  return async () => {
    const message = await problem();
    return message === undefined ? { healthy: true, message: 'ok' } : { healthy: false, message };
  };
}

async function statusOf(name: string, probe: ComponentProbe): Promise<KubeObject> {
  const { healthy, message } = await probe();
  const condition = { type: 'Healthy', status: healthy ? 'True' : 'False', message };
  return { kind: 'ComponentStatus', apiVersion: 'v1', metadata: { name }, conditions: [condition] };
}

/** Reads of one and of all. Selectors select; there are no revisions and no pages. */
export function componentStatuses(probes: ComponentProbes): Readonly<Record<'get' | 'list', Handler>> {
  return { get: scope => getStatus(scope, probes), list: scope => listStatuses(scope, probes) };
}

async function getStatus(scope: Scope, probes: ComponentProbes): Promise<ServerResponse> {
  const { request, resource, name, about, deps } = scope;
  const output = outputOf(scope);
  const probe = Object.hasOwn(probes, name) ? probes[name] : undefined;
  if (!probe) throw notFound(about, name);
  const object = await statusOf(name, probe);
  const source: ObjectSource = {
    sent: (skip = 0) => Buffer.from(JSON.stringify(object)).subarray(skip),
    decoded: () => object,
  };
  return respondObject(source, { request, resource, output, nowMs: deps.clock.now() });
}

async function listStatuses(scope: Scope, probes: ComponentProbes): Promise<ServerResponse> {
  const { request, resource, deps } = scope;
  const output = outputOf(scope);
  const { labels, fields } = listOptions(request.query, resource);
  const all = await Promise.all(Object.entries(probes).map(([name, probe]) => statusOf(name, probe)));
  const chosen = all.filter(
    ({ metadata: { name = '' } }) => labels.matches({}) && fields.matches({ 'metadata.name': name }),
  );
  const includeObject = request.query.get('includeObject');
  const form = await listForm({ resource, output, meta: {}, nowMs: deps.clock.now(), includeObject });
  const elements = chosen.length === 0 ? form.empty : chosen.map(each => form.element(each));
  const bytes = encodeAs({ ...form.frame, [form.elements]: elements }, form.struct, output);
  return { status: 200, headers: { 'content-type': output.mediaType }, body: { kind: 'bytes', bytes } };
}
