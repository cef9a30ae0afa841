/**
 * Holds docs/acceptance.md against the tests: every row names a test file and a test in it; a row whose test does not
 * exist, or is skipped without a reason, fails. Rows read: `| promise | file | name of the test |`; a promise that is
 * not kept yet says `pending: why` in place of the file.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const rows = readFileSync(join(root, 'docs', 'acceptance.md'), 'utf8')
  .split('\n')
  .filter(line => /^\| (?!---|Promise)/.test(line))
  .map(line =>
    line
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  );

let proven = 0;
let pending = 0;
const problems: string[] = [];
for (const [promise = '', file = '', name = ''] of rows) {
  if (file.startsWith('pending:')) {
    pending++;
    continue;
  }
  const path = join(root, file.replaceAll('`', ''));
  if (!existsSync(path)) {
    problems.push(`${promise}: no such file: ${file}`);
    continue;
  }
  const text = readFileSync(path, 'utf8');
  if (!text.includes(name)) problems.push(`${promise}: ${file} has no test "${name}"`);
  else if (/\.skip\(|skip: true|\.todo\(/.test(text)) problems.push(`${promise}: ${file} skips without a reason`);
  else proven++;
}
if (rows.length < 10) problems.push(`read only ${rows.length} rows: the check is blind`);
for (const problem of problems) console.error(problem);
console.log(`acceptance: ${proven} proven, ${pending} pending, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
