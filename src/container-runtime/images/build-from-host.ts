/**
 * An image made without any network from programs of this machine: Node with the shared libraries it needs, a shell with
 * the usual commands, tar, and the few files under /etc that programs look for. For demos and tests.
 */
import { execFile } from 'node:child_process';
import { access, readFile, realpath, stat } from 'node:fs/promises';
import { basename, delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type Pack, pack } from 'tar-stream';
import { UserError } from '#base';
import { type ContentStore, digestOf } from './content-store.ts';
import type { ImageRecord, ImageStore, Manifest } from './image-store.ts';
import { ociManifestType } from './image-store.ts';
import { machineArchitecture } from './platform.ts';

export interface HostImageOptions {
  /** Names of the image; at least one. */
  readonly names: readonly string[];
  /** Programs of this machine to take in, by name or path; their shared libraries come along. */
  readonly programs?: readonly string[];
  /** Takes in the Node that runs this, as /usr/local/bin/node. Default true. */
  readonly node?: boolean;
  /** Further files by their path in the image. */
  readonly files?: Readonly<Record<string, { readonly content: string | Uint8Array; readonly mode?: number }>>;
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly env?: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
}

const baseFiles: Readonly<Record<string, string>> = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n',
  'etc/group': 'root:x:0:\nnogroup:x:65534:\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/os-release': 'ID=kobune-host\nNAME="Programs of the host"\n',
};
const directories = [
  'bin',
  'dev',
  'etc',
  'home',
  'proc',
  'root',
  'run',
  'sys',
  'tmp',
  'usr',
  'usr/bin',
  'usr/local',
  'usr/local/bin',
  'var',
  'var/run',
];
const epoch = new Date(0);

/** Builds and stores the image. Throws a UserError when there is no shell to take. */
export async function buildFromHost(
  store: ImageStore,
  content: ContentStore,
  options: HostImageOptions,
): Promise<ImageRecord> {
  const release = store.hold();
  try {
    return await build(store, content, options);
  } finally {
    release();
  }
}

async function build(store: ImageStore, content: ContentStore, options: HostImageOptions): Promise<ImageRecord> {
  const tar = pack();
  const [layer] = await Promise.all([content.write(tar as never), writeLayer(tar, options)]);
  const config = Buffer.from(
    JSON.stringify({
      architecture: machineArchitecture(),
      os: 'linux',
      created: epoch.toISOString(),
      config: {
        Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...(options.env ?? [])],
        Cmd: options.cmd ?? ['/bin/sh'],
        ...(options.entrypoint ? { Entrypoint: options.entrypoint } : {}),
        WorkingDir: options.workingDir ?? '/',
        ...(options.user ? { User: options.user } : {}),
      },
      rootfs: { type: 'layers', diff_ids: [layer.digest] },
      history: [{ created: epoch.toISOString(), created_by: 'kobune image build-from-host' }],
    }),
  );
  await content.write(config);
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: ociManifestType,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...layer }],
  };
  const { digest } = await content.write(Buffer.from(JSON.stringify(manifest)));
  return store.add(digest, options.names);
}

async function writeLayer(tar: Pack, options: HostImageOptions): Promise<void> {
  const files = new Map<string, { source?: string; content?: Uint8Array; mode: number }>();
  const links = new Map<string, string>();
  for (const [path, text] of Object.entries(baseFiles)) files.set(path, { content: Buffer.from(text), mode: 0o644 });
  await addShell(files, links);
  const programs = [...(options.programs ?? ['tar'])];
  for (const name of programs) await addProgram(files, name, `usr/bin/${basename(name)}`);
  if (options.node !== false) await addProgram(files, process.execPath, 'usr/local/bin/node');
  for (const [path, { content, mode }] of Object.entries(options.files ?? {})) {
    files.set(path.replace(/^\/+/, ''), { content: Buffer.from(content), mode: mode ?? 0o644 });
  }
  for (const path of [...files.keys()]) links.delete(path); // a real program is better than an applet
  await writeTar(tar, files, links);
}

async function writeTar(
  tar: Pack,
  files: ReadonlyMap<string, { source?: string; content?: Uint8Array; mode: number }>,
  links: ReadonlyMap<string, string>,
): Promise<void> {
  const made = new Set<string>();
  const entry = (header: Parameters<Pack['entry']>[0], body?: Uint8Array): Promise<void> =>
    new Promise((done, failed) => {
      const callback = (error?: Error | null): void => (error ? failed(error) : done());
      if (body) tar.entry({ mtime: epoch, ...header }, Buffer.from(body), callback);
      else tar.entry({ mtime: epoch, ...header }, callback);
    });
  const directory = async (path: string): Promise<void> => {
    if (path === '' || made.has(path)) return;
    await directory(path.split('/').slice(0, -1).join('/'));
    made.add(path);
    await entry({
      name: `${path}/`,
      type: 'directory',
      mode: path === 'tmp' ? 0o1777 : path === 'root' ? 0o700 : 0o755,
    });
  };
  for (const path of directories) await directory(path);
  const parent = (path: string): string => path.split('/').slice(0, -1).join('/');
  for (const [path, { source, content, mode }] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await directory(parent(path));
    await entry({ name: path, mode }, content ?? (await readFile(source!)));
  }
  for (const [path, target] of [...links].sort(([a], [b]) => (a < b ? -1 : 1))) {
    await directory(parent(path));
    await entry({ name: path, type: 'symlink', linkname: target, mode: 0o777 });
  }
  tar.finalize();
}

const run = promisify(execFile);

/** busybox with a link for each command when the machine has it, else its own shell and a few programs. */
async function addShell(
  files: Map<string, { source?: string; mode: number }>,
  links: Map<string, string>,
): Promise<void> {
  const busybox = await which('busybox');
  if (busybox) {
    await addProgram(files, busybox, 'bin/busybox');
    const { stdout } = await run(busybox, ['--list']);
    for (const name of stdout.split('\n').filter(Boolean)) if (name !== 'busybox') links.set(`bin/${name}`, 'busybox');
    return;
  }
  const shell = (await which('dash')) ?? (await which('sh'));
  if (!shell)
    throw new UserError('There is neither busybox nor a shell to make an image of.', {
      remedy: 'apt-get install busybox-static',
    });
  await addProgram(files, shell, 'bin/sh');
  for (const name of [
    'cat',
    'ls',
    'echo',
    'sleep',
    'env',
    'id',
    'mkdir',
    'rm',
    'cp',
    'mv',
    'date',
    'hostname',
    'true',
    'false',
  ]) {
    const path = await which(name);
    if (path) await addProgram(files, path, `bin/${name}`);
  }
}

async function addProgram(
  files: Map<string, { source?: string; mode: number }>,
  name: string,
  target: string,
): Promise<void> {
  const path = name.includes('/') ? resolve(name) : await which(name);
  if (!path) throw new UserError(`There is no program ${name} on this machine to take into the image.`);
  const source = await realpath(path);
  files.set(target, { source, mode: (await stat(source)).mode & 0o7777 });
  for (const library of await librariesOf(source))
    files.set(library.replace(/^\/+/, ''), { source: await realpath(library), mode: 0o755 });
}

/** Shared libraries and the loader, by the paths under which the program asks for them. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]).catch(() => ({ stdout: '' })); // static: ldd fails
  return [...stdout.matchAll(/(?:=>\s+)?(\/\S+)\s+\(0x/g)].map(match => match[1]!);
}

async function which(name: string): Promise<string | undefined> {
  for (const dir of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(dir, name);
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}
