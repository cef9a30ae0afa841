/** Pulling from a registry that asks for a token: a small one of its own on loopback, which counts what it was asked. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { ContentStore } from '../../src/container-runtime/images/content-store.ts';
import { ImageStore } from '../../src/container-runtime/images/image-store.ts';
import { machineArchitecture } from '../../src/container-runtime/images/platform.ts';
import { createPuller } from '../../src/container-runtime/images/pull.ts';

const digest = (data: Buffer | string): string => `sha256:${createHash('sha256').update(data).digest('hex')}`;
const dir = mkdtempSync(join(tmpdir(), 'kb-pull-'));
const blobs = new Map<string, { type: string; body: Buffer }>();
const asked: string[] = [];
let damage: string | undefined;
let server: Server;
let host = '';

function put(value: object | Buffer, type: string): { mediaType: string; digest: string; size: number } {
  const body = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
  blobs.set(digest(body), { type, body });
  return { mediaType: type, digest: digest(body), size: body.length };
}

const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.docker.distribution.manifest.v2+json';
let index: { digest: string };
let configDigest = '';
let layerDigest = '';

before(async () => {
  const tar = pack();
  tar.entry({ name: 'hello', uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, 'from the registry');
  tar.finalize();
  const layer = await buffer(tar as never);
  const layerEntry = put(gzipSync(layer), 'application/vnd.docker.image.rootfs.diff.tar.gzip');
  const rootfs = { type: 'layers', diff_ids: [digest(layer)] };
  const config = put(
    { architecture: 'any', os: 'linux', config: { User: 'app', Cmd: ['/hello'] }, rootfs },
    'application/vnd.docker.container.image.v1+json',
  );
  const manifest = put({ schemaVersion: 2, mediaType: manifestType, config, layers: [layerEntry] }, manifestType);
  const elsewhere = { ...manifest, digest: digest('another'), platform: { os: 'linux', architecture: 'pdp11' } };
  const here = { ...manifest, platform: { os: 'linux', architecture: machineArchitecture() } };
  index = put({ schemaVersion: 2, mediaType: indexType, manifests: [elsewhere, here] }, indexType);
  configDigest = config.digest;
  layerDigest = layerEntry.digest;
  server = createServer((request, response) => {
    const url = new URL(request.url!, `http://${host}`);
    asked.push(`${url.pathname}`);
    const user = Buffer.from('user:secret').toString('base64');
    if (url.pathname === '/token') {
      const known = request.headers.authorization === `Basic ${user}`;
      const scope = url.searchParams.get('scope') === 'repository:team/app:pull';
      return response.writeHead(known && scope ? 200 : 401).end(JSON.stringify({ token: 'let-me-in' }));
    }
    if (request.headers.authorization !== 'Bearer let-me-in') {
      const scope = 'repository:team/app:pull';
      const challenge = `Bearer realm="http://${host}/token",service="test",scope="${scope}"`;
      return response.writeHead(401, { 'www-authenticate': challenge }).end();
    }
    const [, name] = /^\/v2\/team\/app\/(?:manifests|blobs)\/(.+)$/.exec(url.pathname) ?? [];
    const found = blobs.get(name === 'v1' ? index.digest : (name ?? ''));
    if (!found) return response.writeHead(404).end();
    const body = name === damage ? Buffer.from(found.body.map(byte => byte ^ 1)) : found.body;
    return response.writeHead(200, { 'content-type': found.type }).end(body);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

after(async () => {
  server.closeAllConnections();
  server.close();
  await rm(dir, { recursive: true, force: true });
});

async function openStore(name: string): Promise<{ store: ImageStore; pull: ReturnType<typeof createPuller>['pull'] }> {
  const content = new ContentStore(join(dir, name));
  const store = new ImageStore(join(dir, name), content, { kernel: async () => '' } as never);
  await store.load();
  return { store, pull: createPuller({ content, store, plainHttpRegistries: [] }).pull };
}

const auth = { username: 'user', password: 'secret' };

test('the image of this platform is pulled with a token, verified, unpacked, and known by all its names', async () => {
  const { store, pull } = await openStore('ok');
  const record = await pull(`${host}/team/app:v1`, auth, undefined);
  assert.equal(record.id, configDigest);
  assert.deepEqual(record.repoTags, [`${host}/team/app:v1`]);
  assert.deepEqual(record.repoDigests, [`${host}/team/app@${index.digest}`]);
  const [layer] = store.layerDirs(record);
  assert.equal(readFileSync(join(dir, 'ok', layer!, 'hello'), 'utf8'), 'from the registry');
  for (const name of [configDigest, `${host}/team/app:v1`, `${host}/team/app@${index.digest}`]) {
    assert.equal(store.find(name)?.id, configDigest, name);
  }
  const again = await openStore('ok');
  assert.equal(again.store.find(`${host}/team/app:v1`)?.id, configDigest);
  asked.length = 0;
  await again.pull(`${host}/team/app@${index.digest}`, auth, undefined);
  assert.ok(!asked.some(path => path.includes('/blobs/')), 'what is there is not fetched again');
  await again.store.remove(`${host}/team/app:v1`);
  assert.deepEqual(again.store.list(), []);
});

test('two pulls at a time are one', async () => {
  const { pull } = await openStore('twice');
  asked.length = 0;
  const [one, two] = await Promise.all([0, 1].map(() => pull(`${host}/team/app:v1`, auth, undefined)));
  assert.equal(one, two);
  assert.equal(asked.filter(path => path.endsWith(layerDigest)).length, 1);
});

test('refusals carry the words of containerd', async () => {
  const { pull } = await openStore('refused');
  const name = `${host}/team/app:missing`;
  await assert.rejects(pull(name, auth, undefined), {
    code: 'imagePull',
    message: `failed to pull and unpack image "${name}": failed to resolve reference "${name}": ${name}: not found`,
  });
  await assert.rejects(pull(`${host}/team/app:v1`, { ...auth, password: 'wrong' }, undefined), /failed to authorize/);
  await assert.rejects(
    pull('127.0.0.1:21699/x', undefined, undefined),
    /dial tcp 127\.0\.0\.1:21699: connect: connection refused/,
  );
});

test('a blob that is not what its digest says is refused, and nothing of it kept', async () => {
  const { store, pull } = await openStore('damaged');
  damage = layerDigest;
  await assert.rejects(pull(`${host}/team/app:v1`, auth, undefined), /expected sha256/);
  damage = undefined;
  assert.deepEqual(store.list(), []);
  assert.equal((await pull(`${host}/team/app:v1`, auth, undefined)).id, configDigest);
});
