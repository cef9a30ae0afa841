/**
 * The layer law: reads every import under src/ and fails when a layer imports what `layers.json` does not allow,
 * crosses a layer by a relative path, takes part in a runtime import cycle, uses the clock or chance of the machine
 * outside `base`, or when suspiciously few files were seen. Type-only imports
 * count for the law but not for cycles.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

const root = resolve(import.meta.dirname, '..');
const src = join(root, 'src');
const { $comment: _, ...law } = JSON.parse(readFileSync(join(root, 'layers.json'), 'utf8')) as Record<string, string[]>;
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { imports: Record<string, string> };
const minimumFiles = 20;
const problems: string[] = [];

function sourceFiles(): string[] {
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(src, name));
}

/** The layer of a file: the longest key of layers.json that its path begins with. */
function layerOf(file: string): string {
  const path = relative(src, file).split(sep).join('/');
  const layer = Object.keys(law)
    .filter(name => path.startsWith(`${name}/`))
    .sort((a, b) => b.length - a.length)[0];
  return layer ?? '';
}

function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const statement = /^[ \t]*(?:import|export)\s+(type\s+)?(?:([^'";]*?)\s+from\s+)?['"]([^'"]+)['"]/gm;
  for (const [, typeKeyword, names = '', specifier] of text.matchAll(statement)) {
    const inner = names.match(/^\{([\s\S]*)\}$/)?.[1];
    const allTypes = inner?.split(',').every(name => name.trim() === '' || /^type\s/.test(name.trim()));
    found.push({ specifier: specifier!, typeOnly: Boolean(typeKeyword) || allTypes === true, dynamic: false });
  }
  for (const [, specifier] of text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    found.push({ specifier: specifier!, typeOnly: false, dynamic: true });
  }
  return found;
}

/** The file that a `#…` or relative specifier names; undefined for packages and built-ins. */
function target(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return resolve(dirname(from), specifier);
  if (!specifier.startsWith('#')) return undefined;
  const exact = manifest.imports[specifier];
  if (exact) return join(root, exact);
  for (const [pattern, path] of Object.entries(manifest.imports)) {
    const [head, tail] = pattern.split('*');
    if (tail === undefined || !specifier.startsWith(head!) || !specifier.endsWith(tail)) continue;
    return join(root, path.replace('*', specifier.slice(head!.length, specifier.length - tail.length)));
  }
  problems.push(`${relative(root, from)}: ${specifier} is no import of package.json`);
  return undefined;
}

const banned = /(?<!\.)\b(Date\.now\(|new Date\(\)|setTimeout\(|setInterval\(|Math\.random\()/;

const graph = new Map<string, string[]>();
const files = sourceFiles();
for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const name = relative(root, file);
  const layer = layerOf(file);
  if (!layer) problems.push(`${name}: stands in no layer`);
  const isTest = /\.(test|bench)\.ts$/.test(file) || /[\\/](suite|fake|testing)[\\/]/.test(file);
  const edges: string[] = [];
  for (const { specifier, typeOnly, dynamic } of importsOf(text)) {
    const to = target(file, specifier);
    if (!to) continue;
    const toLayer = layerOf(to);
    if (toLayer !== layer) {
      if (specifier.startsWith('.'))
        problems.push(`${name}: reaches ${specifier} of layer ${toLayer} by a relative path`);
      else if (!law[layer]?.includes(toLayer) && !isTest) problems.push(`${name}: ${layer} may not import ${toLayer}`);
    } else if (specifier.startsWith('#')) problems.push(`${name}: imports its own layer as ${specifier}`);
    if (!typeOnly && !dynamic) edges.push(to);
  }
  graph.set(file, edges);
  if (layer !== 'base' && !isTest) {
    text.split('\n').forEach((line, at) => {
      const code = line.replace(/\/\/.*|^\s*\*.*|\/\*.*?\*\//g, '');
      if (banned.test(code)) problems.push(`${name}:${at + 1}: uses the machine's clock or chance: ${line.trim()}`);
    });
  }
}

/** Depth-first search; a cycle is reported once, by its files in order. */
function findCycles(): void {
  const state = new Map<string, 'open' | 'done'>();
  const walk = (file: string, path: readonly string[]): void => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      const cycle = [...path.slice(path.indexOf(file)), file].map(each => relative(src, each));
      problems.push(`import cycle: ${cycle.join(' -> ')}`);
      return;
    }
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) walk(next, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of graph.keys()) walk(file, []);
}

findCycles();
for (const layer of new Set([...Object.keys(law), ...Object.values(law).flat()])) {
  if (!files.some(file => layerOf(file) === layer)) problems.push(`layers.json: no file in ${layer}`);
}
for (const [specifier, path] of Object.entries(manifest.imports)) {
  if (!path.includes('*') && !graph.has(join(root, path))) problems.push(`package.json: ${specifier} leads nowhere`);
}
if (files.length < minimumFiles) problems.push(`saw only ${files.length} files: the checker is blind`);
for (const problem of problems) console.error(problem);
console.log(`layers: ${files.length} files, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
