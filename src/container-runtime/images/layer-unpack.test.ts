import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { createGzip, createZstdCompress } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { unpackLayer } from './layer-unpack.ts';

let dir = '';
let calls: string[][] = [];
const launcher = {
  kernel: async (name: string, ...args: readonly string[]) => {
    calls.push([name, ...args]);
    return '';
  },
};

const mine = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

function tarOf(...entries: ReadonlyArray<readonly [Partial<Header> & { name: string }, string?]>): Readable {
  const tar = pack();
  for (const [header, content] of entries) tar.entry({ ...mine, ...header }, content ?? '');
  tar.finalize();
  return tar as unknown as Readable;
}

const root = (): string => join(dir, 'root');
async function unpack(source: Readable): Promise<void> {
  const { mkdirSync } = await import('node:fs');
  mkdirSync(root());
  await unpackLayer(source, root(), launcher);
}

describe('layers are unpacked', () => {
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kb-layer-'));
    calls = [];
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  it('files, directories, links, modes and times come out as they are', async () => {
    const mtime = new Date('2020-02-02T00:00:00Z');
    await unpack(
      tarOf(
        [{ name: 'a/', type: 'directory', mode: 0o750, mtime }],
        [{ name: 'a/f', mode: 0o4755, mtime }, 'content'],
        [{ name: 'a/hard', type: 'link', linkname: 'a/f' }],
        [{ name: 'a/soft', type: 'symlink', linkname: '../nowhere' }],
        [{ name: './deep/er/file', mode: 0o600 }, 'x'],
      ),
    );
    assert.equal(readFileSync(join(root(), 'a/f'), 'utf8'), 'content');
    assert.equal(statSync(join(root(), 'a/f')).mode & 0o7777, 0o4755);
    assert.equal(statSync(join(root(), 'a')).mode & 0o7777, 0o750);
    assert.equal(statSync(join(root(), 'a')).mtimeMs, mtime.getTime());
    assert.equal(statSync(join(root(), 'a/hard')).ino, statSync(join(root(), 'a/f')).ino);
    assert.equal(readlinkSync(join(root(), 'a/soft')), '../nowhere');
    assert.equal(readFileSync(join(root(), 'deep/er/file'), 'utf8'), 'x');
  });

  it('whiteouts and opaque marks become what overlayfs reads', async () => {
    await unpack(
      tarOf(
        [{ name: 'etc/.wh.gone' }],
        [{ name: 'var/.wh..wh..opq' }],
        [{ name: 'dev/null', type: 'character-device', devmajor: 1, devminor: 3, mode: 0o666 }],
      ),
    );
    assert.deepEqual(calls, [
      [
        'files',
        ...['node', join(root(), 'etc/gone'), '20000', '0', '0'],
        ...['xattr', join(root(), 'var'), 'trusted.overlay.opaque', '79'],
        ...['node', join(root(), 'dev/null'), '20666', '1', '3'],
      ],
    ]);
  });

  it('no entry gets outside: neither by dots nor through links', async () => {
    await unpack(
      tarOf(
        [{ name: 'out', type: 'symlink', linkname: '/' }],
        [{ name: 'up', type: 'symlink', linkname: '../../..' }],
        [{ name: `out${dir}/written` }, 'inside'],
        [{ name: 'up/also' }, 'inside'],
      ),
    );
    assert.ok(!existsSync(join(dir, 'written')));
    assert.equal(readFileSync(join(root(), dir, 'written'), 'utf8'), 'inside');
    assert.equal(readFileSync(join(root(), 'also'), 'utf8'), 'inside');
    await assert.rejects(unpackLayer(tarOf([{ name: '../escape' }, 'x']), root(), launcher), /outside/);
    const link = tarOf([{ name: 'l', type: 'link', linkname: '../../etc/passwd' }]);
    await assert.rejects(unpackLayer(link, root(), launcher), /outside/);
    assert.ok(!existsSync(join(dir, 'escape')));
  });

  it('a later entry of the same name replaces the earlier one, a file a directory too', async () => {
    await unpack(tarOf([{ name: 'x/y' }, 'old'], [{ name: 'x' }, 'now a file'], [{ name: 'x' }, 'newest']));
    assert.ok(lstatSync(join(root(), 'x')).isFile());
    assert.equal(readFileSync(join(root(), 'x'), 'utf8'), 'newest');
  });

  for (const [name, codec] of [
    ['gzip', createGzip],
    ['zstd', createZstdCompress],
  ] as const) {
    it(`${name} is undone; the diff id is that of the plain tar`, async () => {
      const plain = await unpackLayer(tarOf([{ name: 'f', mtime: new Date(0) }, 'x']), dir, launcher);
      const source = tarOf([{ name: 'f', mtime: new Date(0) }, 'x']).pipe(codec());
      assert.equal((await unpackLayer(source, dir, launcher)).diffId, plain.diffId);
    });
  }

  it('a damaged archive is refused', async () => {
    const damaged = tarOf([{ name: 'f' }, 'x'.repeat(5000)]).pipe(createGzip());
    const { Transform } = await import('node:stream');
    const cut = damaged.pipe(
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          done(null, chunk.subarray(0, Math.floor(chunk.length / 2)));
        },
      }),
    );
    await assert.rejects(unpackLayer(cut, dir, launcher));
  });
});
