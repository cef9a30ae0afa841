/**
 * What the documents and comments name must be there: links and their anchors, paths in back-quotes, `npm run` scripts,
 * and the files of ours that comments of the sources speak of.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');
const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };

const documents = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })];
const sources = globSync('{src,test,hack,bench}/**/*.ts', { cwd: root });
const fileNames = new Set(sources.map(name => basename(name)));
const problems: string[] = [];

const isThere = (path: string): boolean => globSync(path.replace(/\/$/, ''), { cwd: root }).length > 0;

/** As GitHub makes it of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

function anchorsOf(name: string): Set<string> {
  return new Set([...read(name).matchAll(/^#+ +(.*)$/gm)].map(([, heading]) => anchorOf(heading!)));
}

function checkDocument(name: string): void {
  const text = read(name).replace(/^```[\s\S]*?^```/gm, '');
  for (const [, path = '', anchor] of text.matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)) {
    if (/^[a-z]+:/.test(path)) continue;
    const target = path === '' ? name : normalize(join(dirname(name), path));
    if (!isThere(target)) problems.push(`${name}: ${path} is not there`);
    else if (anchor && !anchorsOf(target).has(anchor)) problems.push(`${name}: ${target} has no heading #${anchor}`);
  }
  for (const [, quoted = ''] of text.matchAll(/`([^`\n]+)`/g)) {
    const [, script] = /^npm run (?:-s )?([\w:-]+)/.exec(quoted) ?? [];
    if (script && !scripts[script]) problems.push(`${name}: there is no npm run ${script}`);
    const [, path] = /^(?:node )?((?:src|test|hack|bench|docs|examples|bin|native)\/[^ ,<]*)$/.exec(quoted) ?? [];
    if (path && !isThere(path)) problems.push(`${name}: ${path} is not there`);
  }
}

/** Files of ours that comments point at, as `number-text.ts`; those of generated code and of upstream end otherwise. */
function checkComments(name: string): void {
  const comments = read(name).matchAll(/\/\*[\s\S]*?\*\/|(?:^|\s)\/\/.*/g);
  for (const [comment] of comments) {
    for (const [, path = ''] of comment.matchAll(/(?<![\w./-])((?:[\w-]+\/)*[\w-]+(?:\.\w+)?\.ts)\b/g)) {
      if (!fileNames.has(basename(path))) problems.push(`${name}: a comment speaks of ${path}, which is not there`);
    }
  }
}

for (const name of documents) checkDocument(name);
for (const name of sources) checkComments(name);
if (documents.length < 10 || sources.length < 1000) problems.push('saw too few files: the checker is blind');
for (const problem of problems) console.error(problem);
console.log(`documents: ${documents.length}, sources: ${sources.length}, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
