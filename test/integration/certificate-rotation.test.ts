/**
 * Certificates are renewed and replaced while servers run: by time, by an operator's files, for clients that ask for a
 * name; connections stay, and what does not fit together changes nothing.
 */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'node:tls';
import { SteppedClock, silentLogger, systemClock } from '#base';
import { createAuthority, type KeyPair } from '#pki';
import type { PkiNames } from '../../src/cluster/pki-files.ts';
import { keepPki } from '../../src/cluster/pki-keeper.ts';
import { Serving } from '../../src/cluster/serving/serving.ts';
import { startTestApiServer } from '../support/api-server.ts';

const day = 24 * 3600_000;
const names: PkiNames = { apiServerNames: ['127.0.0.1', 'localhost'], kubeletNames: ['node'], nodeName: 'node' };

function folderOf(test: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'kobune-certificates-'));
  test.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The certificate that a port shows. */
async function shown(port: number, servername?: string): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...(servername && { servername }) });
  try {
    await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
    return socket.getPeerX509Certificate()!;
  } finally {
    socket.destroy();
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; !(await holds()); turn++) {
    assert.ok(turn < 200, 'it did not come to hold');
    await pause(20);
  }
}

const serial = ({ certPem }: KeyPair): string => new X509Certificate(certPem).serialNumber;

it('renews every certificate a month before it ends, tells once, and keeps the authority', async t => {
  const clock = new SteppedClock({ startMs: systemClock.now() });
  const dir = folderOf(t);
  using keeper = await keepPki({ clock, logger: silentLogger }, dir, names);
  const first = keeper.current;
  const told: string[][] = [];
  keeper.onChange((now, before) => {
    const pairs = ['apiServer', 'apiServerKubeletClient', 'kubeletServer', 'frontProxyClient', 'admin'] as const;
    told.push(pairs.filter(name => now[name].certPem !== before[name].certPem));
  });
  await clock.advance(334 * day);
  await keeper.look();
  assert.equal(keeper.current.apiServer.certPem, first.apiServer.certPem, 'there is more than a month left');
  assert.deepEqual(told, []);
  await clock.advance(2 * day);
  await keeper.look();
  const next = keeper.current;
  assert.deepEqual(told, [['apiServer', 'apiServerKubeletClient', 'kubeletServer', 'frontProxyClient', 'admin']]);
  const certificate = new X509Certificate(next.apiServer.certPem);
  assert.ok(Date.parse(certificate.validTo) > clock.now() + 360 * day);
  assert.equal(next.authority.certPem, first.authority.certPem);
  assert.ok(certificate.verify(new X509Certificate(first.authority.certPem).publicKey));
  assert.equal(readFileSync(join(dir, 'apiserver.crt'), 'utf8'), next.apiServer.certPem);
  await clock.advance(day);
  await keeper.look();
  assert.equal(told.length, 1);
});

it('shows a renewed certificate on an open port while a connection goes on', async t => {
  const folder = folderOf(t);
  const clock = new SteppedClock({ startMs: systemClock.now() });
  const abort = new AbortController();
  t.after(() => abort.abort());
  using keeper = await keepPki({ clock, logger: silentLogger }, folder, names);
  await using server = await startTestApiServer();
  const serving = new Serving({ clock, logger: silentLogger, pki: keeper, signal: abort.signal });
  await using listener = await server.server.listen({ host: '127.0.0.1', port: 0, tls: serving.tls });
  serving.add(listener);
  const before = keeper.current.apiServer;
  assert.equal((await shown(listener.port)).serialNumber, serial(before));
  const session = connectHttp2(listener.url, { rejectUnauthorized: false });
  t.after(() => session.destroy());
  const status = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/version' });
      stream.once('response', headers => resolve(headers[':status']!)).once('error', reject);
      stream.resume().end();
    });
  assert.equal(await status(), 200);
  await clock.advance(340 * day);
  await keeper.look();
  assert.notEqual(serial(keeper.current.apiServer), serial(before));
  assert.equal((await shown(listener.port)).serialNumber, serial(keeper.current.apiServer));
  assert.equal(await status(), 200, 'the connection from before goes on');
});

it("reads an operator's files again, by name too; files that do not fit together change nothing", async t => {
  const folder = folderOf(t);
  const nowMs = systemClock.now();
  const authority = await createAuthority('own', nowMs);
  const issue = (commonName: string, dnsNames: string[] = []): Promise<KeyPair> =>
    authority.issue({ commonName, dnsNames, usages: ['server auth'], nowMs });
  const file = (name: string): string => join(folder, name);
  const write = (name: string, { certPem, keyPem }: KeyPair): void => {
    writeFileSync(file(`${name}.key`), keyPem);
    writeFileSync(file(`${name}.crt`), certPem);
  };
  const [one, two, three, byName] = await Promise.all([
    issue('one'),
    issue('two'),
    issue('three'),
    issue('named', ['api.example.com', '*.apps.example.com']),
  ]);
  write('own', one!);
  write('sni', byName!);
  const abort = new AbortController();
  t.after(() => abort.abort());
  mkdirSync(file('pki'));
  using keeper = await keepPki({ clock: systemClock, logger: silentLogger }, file('pki'), names);
  const settings = {
    files: {
      pair: { cert: file('own.crt'), key: file('own.key') },
      sni: [{ cert: file('sni.crt'), key: file('sni.key'), names: [] }],
    },
  };
  const deps = { clock: systemClock, logger: silentLogger, pki: keeper, signal: abort.signal };
  const serving = new Serving(deps, settings);
  await using server = await startTestApiServer();
  await using listener = await server.server.listen({ host: '127.0.0.1', port: 0, tls: serving.tls });
  serving.add(listener);
  assert.equal((await shown(listener.port)).serialNumber, serial(one!));
  assert.equal((await shown(listener.port, 'other.example.com')).serialNumber, serial(one!));
  assert.equal((await shown(listener.port, 'api.example.com')).serialNumber, serial(byName!));
  assert.equal((await shown(listener.port, 'a.apps.example.com')).serialNumber, serial(byName!));
  write('own', two!);
  await until(async () => (await shown(listener.port)).serialNumber === serial(two!));
  writeFileSync(file('own.crt'), three!.certPem); // its key comes later
  await pause(200);
  assert.equal((await shown(listener.port)).serialNumber, serial(two!));
  writeFileSync(file('own.key'), three!.keyPem);
  await until(async () => (await shown(listener.port)).serialNumber === serial(three!));
  const again = await issue('named-again', ['api.example.com']);
  write('sni', again);
  await until(async () => (await shown(listener.port, 'api.example.com')).serialNumber === serial(again));
  assert.equal((await shown(listener.port, 'a.apps.example.com')).serialNumber, serial(three!));
});
