/**
 * Dead exports: fails when a function, constant or class that a module under src/ exports is named nowhere else, or only
 * by tests and not even in its own module. What the package itself offers (package.json `exports`) is used by others.
 * Goes by names alone, so that it never accuses wrongly; types are left out, for they document signatures.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, { readonly types: string }>>;
};
const faces = Object.values(manifest.exports).map(({ types }) =>
  types.replace('./dist/types/', 'src/').replace(/\.d\.ts$/, '.ts'),
);

const isTest = (name: string): boolean => /\.(test|bench)\.ts$/.test(name);
/** Shared by tests of several layers, so that only tests name what is in them. */
const isForTests = (name: string): boolean => /\/(suite|fake|testing)\//.test(name);

/** The code without comments, and without what only hands on. */
function codeOf(name: string): string {
  const text = readFileSync(join(root, name), 'utf8')
    .replace(/\/\*.*?\*\//gs, '')
    .replace(/(^|\s)\/\/.*/g, '');
  if (faces.includes(name)) return text;
  return text.replace(/^export \{([^}]*)\} from .*$/gm, (_, names: string) => names.match(/\w+ as \w+/g)?.join() ?? '');
}

const files = ['src', 'test', 'hack', 'bench'].flatMap(folder =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(folder, name)),
);
const words = new Map<string, Map<string, number>>();
for (const name of files) {
  for (const [word] of codeOf(name).matchAll(/[A-Za-z_$][\w$]*/g)) {
    const users = words.get(word) ?? new Map<string, number>();
    words.set(word, users.set(name, (users.get(name) ?? 0) + 1));
  }
}

/** A face that hands on everything of a module offers all of it. */
const offered = new Set(
  faces.flatMap(face =>
    [...codeOf(face).matchAll(/^export \* from '([^']+)'/gm)].map(([, to]) =>
      relative(root, resolve(root, dirname(face), to!)),
    ),
  ),
);

/** What only tests use yet, and why it stands there. */
const reasons: Readonly<Record<string, string>> = {
  CertificateManager: 'for nodes that join over HTTPS: docs/adr/2026-11-in-process-nodes-have-no-client-certificate.md',
  nodeClientTemplate: 'as CertificateManager',
  certificateFile: 'as CertificateManager',
  restoreSqliteStore: 'the other half of Store.snapshot; no command offers either yet',
  readProtobufObject: 'reads what the server writes',
  WatchFrameReader: 'reads what the server writes',
};

const declaration = /^export (?:async )?(?:const|function\*?|(?:abstract )?class) ([A-Za-z_$][\w$]*)/gm;
const problems: string[] = [];
let seen = 0;
for (const name of files) {
  if (!name.startsWith('src/') || isTest(name) || name.endsWith('.gen.ts') || offered.has(name) || faces.includes(name))
    continue;
  for (const [, exported] of codeOf(name).matchAll(declaration)) {
    seen++;
    const users = [...words.get(exported!)!.keys()].filter(each => each !== name);
    if (users.length === 0) problems.push(`${name}: nobody imports ${exported}`);
    else if (users.every(isTest) && words.get(exported!)!.get(name) === 1 && !isForTests(name) && !reasons[exported!])
      problems.push(`${name}: only tests use ${exported}`);
  }
}
if (seen < 1000) problems.push(`saw only ${seen} exports: the checker is blind`);
for (const problem of problems) console.error(problem);
console.log(`exports: ${seen}, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
