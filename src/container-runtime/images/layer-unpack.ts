/**
 * Unpacks a layer (a tar, plain, gzip or zstd) into a directory that overlayfs can take as a lower one: whiteouts become
 * 0/0 device nodes, opaque marks extended attributes. Owners, modes, times, links, attributes are kept; no entry gets
 * outside of the directory, whatever links the layer holds. Spec: OCI image-spec layer.md.
 * Deviation: each layer is unpacked by itself, so an entry below a directory that is a link in a lower layer makes a
 * directory (as Docker's overlay2), where containerd would follow the link.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, lchown, link, lstat, lutimes, mkdir, readlink, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { extract, type Header } from 'tar-stream';
import { CriError } from '#cri';
import type { Launcher } from '../monitor/launcher.ts';
import { decompress } from './decompress.ts';

const opaqueMarker = '.wh..wh..opq';
const whiteoutPrefix = '.wh.';
const maxLinks = 40;

/** Unpacks into the existing, empty `target`. Answers the diff id (digest of the tar) and the bytes of its files. */
export async function unpackLayer(
  source: Readable,
  target: string,
  launcher: Pick<Launcher, 'kernel'>,
): Promise<{ diffId: string; sizeBytes: number }> {
  const layer = new LayerWriter(target);
  const hash = createHash('sha256');
  const tar = extract({ highWaterMark: 1 << 20 } as never);
  const plain = new PassThrough({ highWaterMark: 1 << 20 });
  plain.on('data', (chunk: Buffer) => hash.update(chunk));
  const input = pipeline(source, decompress, plain, tar as never);
  input.catch(() => {}); // awaited below
  for await (const entry of tar) await layer.add(entry.header, entry as unknown as Readable);
  await input;
  await layer.finish(launcher);
  return { diffId: `sha256:${hash.digest('hex')}`, sizeBytes: layer.sizeBytes };
}

class LayerWriter {
  readonly #root: string;
  /** Directories (relative) known to be real ones inside the root. */
  readonly #directories = new Map<string, string>();
  /** Calls for `monitor kernel files`, made at the end. */
  readonly #special: string[][] = [];
  /** Times of directories, set when nothing is written into them any more. */
  readonly #times: Array<{ path: string; mtime: Date }> = [];
  sizeBytes = 0;

  constructor(root: string) {
    this.#root = root;
  }

  async add(header: Header, body: Readable): Promise<void> {
    const parts = header.name.split('/').filter(part => part !== '' && part !== '.');
    if (parts.includes('..')) throw new CriError('imagePull', `layer has an entry outside of its root: ${header.name}`);
    const name = parts.pop();
    if (name === undefined) {
      body.resume();
      await this.#attributes(this.#root, header); // the root directory itself
      return;
    }
    const parent = await this.#directory(parts);
    if (name === opaqueMarker) {
      body.resume();
      this.#special.push(['xattr', parent, 'trusted.overlay.opaque', Buffer.from('y').toString('hex')]);
    } else if (name.startsWith(whiteoutPrefix)) {
      body.resume();
      const path = join(parent, name.slice(whiteoutPrefix.length));
      if (!(await lstat(path).catch(() => undefined))) this.#special.push(['node', path, '20000', '0', '0']);
    } else await this.#write(header, join(parent, name), body);
  }

  async finish(launcher: Pick<Launcher, 'kernel'>): Promise<void> {
    const batch = 100;
    for (let at = 0; at < this.#special.length; at += batch) {
      await launcher.kernel('files', ...this.#special.slice(at, at + batch).flat());
    }
    for (const { path, mtime } of this.#times.reverse()) await lutimes(path, mtime, mtime);
  }

  async #write(header: Header, path: string, body: Readable): Promise<void> {
    const before = await lstat(path).catch(() => undefined);
    if (before && !(before.isDirectory() && header.type === 'directory')) {
      await rm(path, { recursive: true });
      this.#directories.clear();
    }
    switch (header.type) {
      case 'directory':
        if (!before?.isDirectory()) await mkdir(path);
        break;
      case 'symlink':
        await symlink(header.linkname ?? '', path);
        break;
      case 'link':
        body.resume();
        await link(await this.#linkTarget(header.linkname ?? ''), path);
        return; // the same file: its attributes came with it
      case 'character-device':
      case 'block-device':
      case 'fifo':
        this.#node(header, path);
        body.resume();
        return;
      default:
        await pipeline(body, createWriteStream(path, { highWaterMark: 1 << 20 }));
        this.sizeBytes += header.size ?? 0;
    }
    body.resume();
    await this.#attributes(path, header);
  }

  #node(header: Header, path: string): void {
    const type = { 'character-device': 0o020000, 'block-device': 0o060000, fifo: 0o010000 }[header.type as 'fifo'];
    const mode = (type | ((header.mode ?? 0o644) & 0o7777)).toString(8);
    this.#special.push(['node', path, mode, String(header.devmajor ?? 0), String(header.devminor ?? 0)]);
  }

  async #attributes(path: string, header: Header): Promise<void> {
    await lchown(path, header.uid ?? 0, header.gid ?? 0);
    if (header.type !== 'symlink') await chmod(path, (header.mode ?? 0o755) & 0o7777); // after chown, which clears setuid
    const mtime = header.mtime ?? new Date(0);
    if (header.type === 'directory') this.#times.push({ path, mtime });
    else await lutimes(path, mtime, mtime);
    for (const [key, value] of Object.entries(header.pax ?? {})) {
      if (!key.startsWith('SCHILY.xattr.')) continue;
      const name = key.slice('SCHILY.xattr.'.length);
      if (name.startsWith('trusted.overlay.')) continue; // ours to set
      this.#special.push(['xattr', path, name, Buffer.from(value, 'latin1').toString('hex')]);
    }
  }

  async #linkTarget(name: string): Promise<string> {
    const parts = name.split('/').filter(part => part !== '' && part !== '.');
    if (parts.length === 0 || parts.includes('..')) {
      throw new CriError('imagePull', `layer has a link outside of its root: ${name}`);
    }
    const last = parts.pop()!;
    return join(await this.#directory(parts), last);
  }

  /** The full path of a directory, made when missing; links on the way are followed as if the root were `/`. */
  async #directory(parts: readonly string[]): Promise<string> {
    const key = parts.join('/');
    const known = this.#directories.get(key);
    if (known !== undefined) return known;
    let at: string[] = [];
    let todo = [...parts];
    for (let links = 0; todo.length > 0; ) {
      const name = todo.shift()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        at.pop();
        continue;
      }
      const here = join(this.#root, ...at, name);
      const stat = await lstat(here).catch(() => undefined);
      if (stat?.isSymbolicLink()) {
        if (++links > maxLinks) throw new CriError('imagePull', `layer has too many links at ${key}`);
        const target = await readlink(here);
        if (target.startsWith('/')) at = [];
        todo = [...target.split('/'), ...todo];
        continue;
      }
      if (stat && !stat.isDirectory()) await rm(here);
      if (!stat?.isDirectory()) {
        await mkdir(here, { mode: 0o755 });
        await chmod(here, 0o755);
      }
      at.push(name);
    }
    const full = join(this.#root, ...at);
    this.#directories.set(key, full);
    return full;
  }
}
