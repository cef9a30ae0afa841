/**
 * `npm run build`: one bundle an entry point into dist/, the descriptions that OpenAPI shows, and the monitor from its C
 * source. What budgets are measured on. Dynamic imports stay separate chunks, so that dearer libraries load when they are first needed.
 */
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { buildNative } from './build-native.ts';
import { writeDescriptions } from './write-descriptions.ts';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');
const stamp = join(dist, '.built');

/** Entry points, by the name of their bundle. Those that do not exist in this checkout are a mistake. */
const entryPoints: Readonly<Record<string, string>> = {
  kobune: 'src/cli/main.ts',
  client: 'src/client/index.ts',
  testing: 'src/cluster/testing.ts',
  'storage-worker': 'src/storage/sqlite/worker.ts',
};

/** Newest modification below the folders that a bundle is made of. */
function newestSourceMs(): number {
  let newest = 0;
  for (const folder of ['src', 'hack', 'native']) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (name.startsWith('build')) continue;
      const stat = statSync(join(root, folder, name), { throwIfNoEntry: false });
      if (stat?.isFile()) newest = Math.max(newest, stat.mtimeMs);
    }
  }
  return newest;
}

/** True when dist/ is as new as the sources. */
export function isBuilt(): boolean {
  return existsSync(stamp) && statSync(stamp).mtimeMs >= newestSourceMs();
}

/**
 * Node's own modules without their ES faces: making one reads every export, and two of node:http's load undici, a fetch
 * client that nobody here asks for (20 ms of a start and 5 MB). In the bundle they are asked for as CommonJS asks.
 */
const bareBuiltins: Plugin = {
  name: 'bare-builtins',
  setup({ onResolve, onLoad }) {
    const names = builtinModules.map(name => name.replace(/^node:/, '')).join('|');
    onResolve({ filter: new RegExp(`^(node:)?(${names}|sqlite)$`) }, ({ path }) => ({
      path: path.replace(/^(node:)?/, 'node:'),
      namespace: 'builtin',
    }));
    onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)})`,
      loader: 'js',
    }));
  },
};

/** Builds everything; prints the size of each entry point with what it loads at once. */
export async function buildAll(): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  const result = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(entryPoints).map(([out, path]) => ({ in: path, out })),
    outdir: dist,
    bundle: true,
    splitting: true,
    chunkNames: '[name]-[hash]',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // ES modules where a package has both: their names can be imported from a chunk, those of CommonJS cannot.
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
    plugins: [bareBuiltins],
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
  });
  for (const name of Object.keys(entryPoints)) {
    const output = result.metafile.outputs[`dist/${name}.js`]!;
    const atOnce = output.imports.filter(each => each.kind === 'import-statement' && !each.external);
    const bytes = atOnce.reduce((sum, each) => sum + (result.metafile.outputs[each.path]?.bytes ?? 0), output.bytes);
    console.log(`dist/${name}.js ${(bytes / 1024).toFixed(0)} KiB at the start`);
  }
  writeDescriptions(dist);
  const missing = buildNative();
  if (missing) console.log(`without the container monitor: ${missing}`);
  writeFileSync(stamp, '');
}

if (process.argv[1] === import.meta.filename) await buildAll();
