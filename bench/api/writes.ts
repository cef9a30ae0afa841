/** Durable creates and merge patches a second, JSON and protobuf, and what a create costs the server's processor. */
import { builtinTypes } from '#api/tables';
import { writeProtobufObject } from '#apimachinery';
import { type Bench, drained, type Figures, type Part, rate } from './figures.ts';
import { processorSeconds } from './server-metrics.ts';

const data = { text: 'x'.repeat(1500) };
const protobufType = 'application/vnd.kubernetes.protobuf';

async function measure({ client, namespace }: Bench): Promise<Figures> {
  const figures: Figures = new Map();
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  const { transport } = client;
  let count = 0;
  const object = (): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `m${count++}` }, data });
  const drain = async (response: { bytes(): AsyncIterable<Uint8Array> }) => drained(response.bytes());
  for (const workers of [1, 10, 100]) {
    const before = await processorSeconds(client);
    const from = count;
    const create = async () => drain(await transport.request({ method: 'POST', path, body: object() }));
    figures.set(`create, ${workers} at a time (1/s)`, await rate(workers, create));
    const spent = (await processorSeconds(client)) - before;
    if (workers === 100)
      figures.set('processor of the server a create, 100 at a time (µs)', (spent * 1e6) / (count - from));
  }
  const struct = builtinTypes.struct('io.k8s.api.core.v1.ConfigMap');
  const headers = { 'content-type': protobufType, accept: protobufType };
  const encoded = async () => {
    const body = writeProtobufObject(object(), struct);
    await drain(await transport.request({ method: 'POST', path, headers, body }));
  };
  figures.set('create in protobuf, 10 at a time (1/s)', await rate(10, encoded));
  const patchHeaders = { 'content-type': 'application/merge-patch+json' };
  const patch = async (at: number) => {
    const body = Buffer.from(JSON.stringify({ data: { n: String(at) } }));
    const request = { method: 'PATCH' as const, path: `${path}/m${at % count}`, headers: patchHeaders, body };
    await drain(await transport.request(request));
  };
  figures.set('merge patch, 10 at a time (1/s)', await rate(10, patch));
  return figures;
}

export const writes: Part = { name: 'writes', measure };
