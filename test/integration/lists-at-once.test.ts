/** Lists share the memory they are put together in: each is whole all the same, however many are sent at once. */
import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { type Agent, Agent as HttpsAgent, request } from 'node:https';
import type { Readable } from 'node:stream';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts';

const kinds = ['configmaps', 'secrets', 'serviceaccounts'] as const;
const accepts = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];
const pathOf = (kind: string): string => `/api/v1/namespaces/default/${kind}`;
/** Of one revision: the server itself writes meanwhile. */
const listOf = ({ kind, revision }: Asked): string =>
  `${pathOf(kind)}?resourceVersion=${revision}&resourceVersionMatch=Exact`;

/** Makes the objects; the revision at which they are all there. */
async function fill(server: TestApiServer): Promise<string> {
  const transport = server.transport();
  const make = async (kind: string): Promise<void> => {
    for (let at = 0; at < 250; at++) {
      // One that does not fit into the common memory, too.
      const text = `${kind} ${at} `.repeat(at === 100 ? 12_000 : 60);
      const body = { metadata: { name: `o${at}`, annotations: { text } } };
      await transport.request({ method: 'POST', path: pathOf(kind), body });
    }
  };
  await Promise.all(kinds.map(make));
  const list = await (await transport.request({ method: 'GET', path: pathOf(kinds[0]) })).json();
  return (list as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
}

/** The body's bytes; with `breakOff` the connection is torn at the first of them. */
function collected(stream: Readable, breakOff: boolean): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => {
      parts.push(part);
      if (breakOff) stream.destroy();
    });
    stream.once('end', () => resolve(Buffer.concat(parts)));
    stream.once('error', reject);
    stream.once('close', () => resolve(undefined));
  });
}

interface Asked {
  readonly kind: string;
  readonly revision: string;
  readonly accept: string;
  readonly gzip: boolean;
  readonly breakOff: boolean;
}

function headersOf(server: TestApiServer, { accept, gzip }: Asked): Record<string, string> {
  return { authorization: `Bearer ${server.adminToken}`, accept, ...(gzip && { 'accept-encoding': 'gzip' }) };
}

async function overHttp1(server: TestApiServer, agent: Agent, asked: Asked): Promise<Buffer | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Readable>();
  const outgoing = request(`${server.url}${listOf(asked)}`, { agent, headers: headersOf(server, asked) }, resolve);
  outgoing.once('error', reject).end();
  return collected(await promise, asked.breakOff);
}

test('lists that are sent at once, over either HTTP, compressed, broken off, are each what they are alone', async () => {
  await using server = await startTestApiServer();
  const revision = await fill(server);
  const agent = new HttpsAgent({ rejectUnauthorized: false, keepAlive: true });
  const session = connect(server.url, { rejectUnauthorized: false });
  const over = {
    'HTTP/1.1': (asked: Asked) => overHttp1(server, agent, asked),
    'HTTP/2': (asked: Asked) =>
      collected(session.request({ ':path': listOf(asked), ...headersOf(server, asked) }), asked.breakOff),
  };
  const alone = new Map<string, Buffer>();
  for (const kind of kinds) {
    for (const accept of accepts) {
      const bytes = await over['HTTP/1.1']({ kind, revision, accept, gzip: false, breakOff: false });
      alone.set(kind + accept, bytes!);
      assert.match(bytes!.toString('latin1'), new RegExp(`${kind} 249 ${kind} 249 `));
    }
  }
  let compared = 0;
  const one = async (at: number): Promise<void> => {
    const asked = {
      kind: kinds[at % 3]!,
      revision,
      accept: accepts[at % 4]! ?? accepts[0]!,
      gzip: at % 5 === 0,
      breakOff: at % 7 === 0,
    };
    const bytes = await over[at % 2 === 0 ? 'HTTP/1.1' : 'HTTP/2'](asked);
    if (asked.breakOff) return;
    assert.ok(
      (asked.gzip ? gunzipSync(bytes!) : bytes!).equals(alone.get(asked.kind + asked.accept)!),
      JSON.stringify(asked),
    );
    compared++;
  };
  await Promise.all(Array.from({ length: 90 }, (_, at) => one(at)));
  assert.ok(compared > 70);
  session.destroy();
  agent.destroy();
});
