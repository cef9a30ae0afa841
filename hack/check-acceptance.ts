/**
 * Holds docs/acceptance.md against the tests: every row `| promise | file | test |` names one test of that file by its
 * whole title; a title that does not exist, or that the file skips without giving a reason, fails. A row may name a
 * script that `npm run check` runs in place of a test. `pending: why` in place of the file is a promise not kept yet.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Cases of a contract suite, which the files that call it run under their own name. */
const suites: Readonly<Record<string, string>> = {
  storageSuite: 'src/storage/suite/*.ts',
  criSuite: 'src/cri/suite/*.ts',
};

/** Titles in a text: first arguments of test and describe, or `name:` and `title:` of a suite's cases. */
function titlesOf(text: string, isSuite: boolean): string[] {
  const pattern = isSuite
    ? /\b(?:name|title): (['"`])((?:\\.|(?!\1).)*)\1/g
    : /\b(?:test|it|describe|row|realTest)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g;
  return [...text.matchAll(pattern)].map(([, , title = '']) => title.replace(/\\(.)/g, '$1'));
}

/** Titles that running `path` gives; `${…}` stands for anything. */
function titlesIn(path: string): string[] {
  const text = read(path);
  const titles = titlesOf(text, false);
  for (const [suite, files] of Object.entries(suites)) {
    if (!text.includes(`${suite}(`)) continue;
    for (const file of globSync(files, { cwd: root })) titles.push(...titlesOf(read(file), true));
  }
  return titles;
}

function isTitle(title: string, wanted: string): boolean {
  const pattern = title
    .split(/\$\{[^}]*\}/)
    .map(part => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .join('.+');
  return new RegExp(`^${pattern}$`).test(wanted);
}

/** Why a row proves nothing, or undefined. */
function problemOf(file: string, test: string): string | undefined {
  const path = file.replaceAll('`', '');
  if (!existsSync(join(root, path))) return `no such file: ${path}`;
  if (path.startsWith('hack/')) {
    return read('hack/check.ts').includes(path) ? undefined : `npm run check does not run ${path}`;
  }
  const text = read(path);
  if (!titlesIn(path).some(title => isTitle(title, test))) return `${path} has no test "${test}"`;
  const silent = /\b(?:test|it|describe)\.(?:skip|todo|only)\(|\b(?:skip|todo): true\b|\.(?:skip|todo)\(\)/.exec(
    text,
  )?.[0];
  return silent && `${path} skips without a reason, or runs nothing else: ${silent}`;
}

const rows = read('docs/acceptance.md')
  .split('\n')
  .filter(line => /^\| (?!-|Promise)/.test(line))
  .map(line =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map(cell => cell.trim().replaceAll('\\|', '|')),
  );
const problems: string[] = [];
let pending = 0;
for (const [promise = '', file = '', test = ''] of rows) {
  if (file.startsWith('pending:')) {
    pending++;
    continue;
  }
  const problem = problemOf(file, test);
  if (problem) problems.push(`${promise}: ${problem}`);
}
if (rows.length < 60) problems.push(`read only ${rows.length} rows: the check is blind`);
for (const problem of problems) console.error(problem);
console.log(
  `acceptance: ${rows.length - pending - problems.length} proven, ${pending} pending, ${problems.length} problems`,
);
process.exitCode = problems.length > 0 ? 1 : 0;
