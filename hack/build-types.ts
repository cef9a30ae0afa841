/**
 * `npm pack` runs it: the types of what the package offers, into dist/types. Imports of layers (`#client`) become paths,
 * for the map that names them leads to the sources, which are not in the package.
 */
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const out = join(root, 'dist', 'types');
const { exports: faces, imports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string }>>;
  readonly imports: Readonly<Record<string, string>>;
};

/** `./src/base/index.ts` as `<out>/base/index`. */
const emitted = (source: string): string => join(out, relative('src', source)).replace(/\.ts$/, '');

/** The file that `#…` names, without its ending. */
function layerFile(specifier: string): string {
  const exact = imports[specifier];
  if (exact) return emitted(exact);
  for (const [pattern, path] of Object.entries(imports)) {
    const [head = '', tail] = pattern.split('*');
    if (tail === undefined || !specifier.startsWith(head) || !specifier.endsWith(tail)) continue;
    return emitted(path.replace('*', specifier.slice(head.length, specifier.length - tail.length)));
  }
  throw new Error(`${specifier} is no import of package.json`);
}

function emit(): void {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const config = join(out, 'tsconfig.json');
  const sources = Object.values(faces).map(({ types }) =>
    join(root, types.replace('./dist/types/', 'src/').replace(/\.d\.ts$/, '.ts')),
  );
  const compilerOptions = { noEmit: false, emitDeclarationOnly: true, rootDir: join(root, 'src'), outDir: out };
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions, include: [], files: sources }),
  );
  const { status } = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', config], { stdio: 'inherit' });
  if (status !== 0) throw new Error('the types could not be made');
  rmSync(config);
}

function rewriteImports(path: string): void {
  const text = readFileSync(path, 'utf8');
  const rewritten = text.replace(/(from |import\()'([#.][^']+)'/g, (_, before: string, specifier: string) => {
    const to = specifier.startsWith('#')
      ? layerFile(specifier)
      : resolve(dirname(path), specifier.replace(/\.ts$/, ''));
    const way = relative(dirname(path), to);
    return `${before}'${way.startsWith('.') ? way : `./${way}`}.js'`;
  });
  writeFileSync(path, rewritten);
}

emit();
const files = globSync('**/*.d.ts', { cwd: out });
for (const name of files) rewriteImports(join(out, name));
console.log(`dist/types: ${files.length} files`);
